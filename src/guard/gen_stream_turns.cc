// SPDX-License-Identifier: Apache-2.0
// A session's functions that write no verdict: turns, marks, and what was found.
#include <algorithm>
#include <string>
#include <utility>

#include "qwen3guard/detail/guard/gen_stream.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {

template <class T, class Change>
T GenStream::or_as_before(const Change& change) {
  std::vector<Turn> before = turns_;
  try {
    T result = change();
    if (!result.ok()) turns_ = std::move(before);
    return result;
  } catch (...) {
    turns_ = std::move(before);
    throw;
  }
}

Status GenStream::begin_turn(Role role) {
  if (!turns_.empty() && turns_.back().is_open) {
    return Error{ErrorCode::invalid_argument, "stream: the " + std::string(to_string(turns_.back().role)) +
                                                  "'s turn is open; end_turn() comes before the next"};
  }
  if (!turns_.empty() && turns_.back().is_stopped) {
    return Error{
        ErrorCode::context_full,
        "stream: judging stopped in the turn before, when the context was full; rewind() or reset()"};
  }
  Turn turn;
  turn.role = role;
  turn.serial = next_serial_;
  turns_.push_back(std::move(turn));
  ++next_serial_;
  return {};
}

Status GenStream::restore(std::span<const Message> messages) {
  const auto run = [&]() -> Status {
    Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      Q3G_TRY(begin_turn(messages[i].role));
      Turn& turn = turns_.back();
      turn.text.emplace(*tokenizer, options_.invalid_utf8);
      Status status = turn.text->append(messages[i].content);
      if (status.ok()) status = turn.text->finish();
      if (!status.ok())
        return Error{status.error().code, "messages[" + std::to_string(i) + "]: " + status.error().detail};
      turn.is_open = false;
    }
    return {};
  };
  return or_as_before<Status>(run);
}

Result<TokenVerdict> GenStream::push_conversation(std::span<const Message> messages) {
  const auto run = [&]() -> Result<TokenVerdict> {
    Q3G_TRY(restore(messages.first(messages.size() - 1)));
    Q3G_TRY(begin_turn(Role::user));
    Q3G_ASSIGN(const StreamUpdate update, push_text(messages.back().content));
    static_cast<void>(update);
    Q3G_ASSIGN(const TurnVerdict turn, end_turn());
    Q3G_TRY(begin_turn(Role::assistant));
    return *turn.prompt;
  };
  return or_as_before<Result<TokenVerdict>>(run);
}

StreamMark GenStream::mark() const noexcept {
  if (turns_.empty()) return {};
  const Turn& turn = turns_.back();
  return {turn.serial, static_cast<std::int64_t>(turn.has_ids ? turn.tokens.size() : turn.bytes().size()),
          !turn.is_open};
}

Result<StreamUpdate> GenStream::rewind(const StreamMark& mark) {
  if (mark.turn == 0) {
    turns_.clear();
    return StreamUpdate{};
  }
  const auto found =
      std::find_if(turns_.begin(), turns_.end(), [&](const Turn& t) { return t.serial == mark.turn; });
  const auto n = found == turns_.end() ? 0 : found->has_ids ? found->tokens.size() : found->bytes().size();
  if (found == turns_.end() || mark.n_units < 0 || mark.n_units > static_cast<std::int64_t>(n) ||
      (mark.is_closed && found->is_open)) {
    return Error{ErrorCode::invalid_argument, "stream: the mark is not in this session's past"};
  }
  if (mark.is_closed) {
    turns_.erase(found + 1, turns_.end());
    return StreamUpdate{};
  }
  const auto index = found - turns_.begin();
  return or_as_before<Result<StreamUpdate>>([&]() -> Result<StreamUpdate> {
    turns_.erase(turns_.begin() + index + 1, turns_.end());
    Turn& turn = turns_.back();
    turn.is_open = true;
    if (!turn.has_ids) return rewind_to_byte(mark.n_units);
    const auto n_tokens = static_cast<std::size_t>(mark.n_units);
    return rewind_to_byte(n_tokens == 0 ? 0 : turn.tokens[n_tokens - 1].verdict.byte_end);
  });
}

Result<StreamUpdate> GenStream::rewind_to_byte(std::int64_t n) {
  if (turns_.empty() || !turns_.back().is_open)
    return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  Turn& turn = turns_.back();
  if (n < 0 || n > turn_bytes()) {
    return Error{ErrorCode::invalid_argument, "stream: byte " + std::to_string(n) + " of a turn of " +
                                                  std::to_string(turn_bytes()) + " bytes"};
  }
  if (static_cast<std::size_t>(n) < turn.skip_bytes) {
    return Error{ErrorCode::invalid_argument, "stream: byte " + std::to_string(n) +
                                                  " lies before the window that the context has slid to"};
  }
  std::size_t first = turn.tokens.size();
  if (turn.text) {
    Q3G_TRY(turn.text->truncate(static_cast<std::size_t>(n)));
    first = turn.text->n_unchanged();
  } else {
    while (first > 0 && turn.tokens[first - 1].verdict.byte_end > n) --first;
    turn.spelled.resize(first == 0 ? 0 : static_cast<std::size_t>(turn.tokens[first - 1].verdict.byte_end));
  }
  const auto interval = static_cast<std::size_t>(options_.gen_interval_tokens);
  turn.n_judged = std::min(turn.n_judged, first / interval * interval);
  turn.is_stopped = false;
  // A verdict at the turn's end is not one of the multiples, and the turn goes on.
  while (first > 0 && turn.tokens[first - 1].verdict.source == VerdictSource::written &&
         first % interval != 0)
    --first;
  if (turn.text) {
    follow_text(turn, first);
  } else {
    turn.tokens.resize(std::min(turn.tokens.size(), first));
  }
  return update_from(first);
}

std::unique_ptr<StreamSession::Impl> GenStream::fork() const {
  return std::unique_ptr<StreamSession::Impl>(new GenStream(*this));
}

Decision GenStream::decision() const {
  if (turns_.empty() || turns_.back().role != Role::assistant) return {};
  const Turn& turn = turns_.back();
  const PolicyState state = !turn.is_open         ? turn.end_state
                            : turn.tokens.empty() ? PolicyState()
                                                  : turn.tokens.back().state;
  const auto token = [&](std::int32_t i) {
    return i < 0 ? nullptr : &turn.tokens[static_cast<std::size_t>(i)].verdict;
  };
  Unjudged unjudged;
  if (state.judged_at >= 0) unjudged.begin = token(state.judged_at)->byte_end;
  unjudged.end = turn_bytes();
  unjudged.is_any = turn.is_stopped || unjudged.begin < unjudged.end;
  return make_decision(state, token(state.decided_at()),
                       state.decided_at() < 0 ? nullptr : token(state.decided_begin()), unjudged);
}

std::vector<TokenVerdict> GenStream::verdicts(std::size_t begin) const {
  std::vector<TokenVerdict> out;
  for (std::size_t i = begin; i < n_verdicts(); ++i) out.push_back(turns_.back().tokens[i].verdict);
  return out;
}

std::size_t GenStream::n_verdicts() const noexcept {
  return turns_.empty() ? 0 : turns_.back().tokens.size();
}

std::size_t GenStream::first_verdict() const noexcept { return 0; }

std::int32_t GenStream::position() const noexcept {
  std::size_t n = 0;
  for (const Turn& turn : turns_) n += turn.tokens.size();
  return static_cast<std::int32_t>(n);
}

std::int64_t GenStream::turn_bytes() const noexcept {
  return turns_.empty() ? 0 : static_cast<std::int64_t>(turns_.back().bytes().size());
}

std::size_t GenStream::memory_bytes() const noexcept {
  std::size_t n = cache_.memory_bytes() + fed_.capacity() * sizeof(TokenId);
  for (const Turn& turn : turns_) {
    n += sizeof turn + turn.spelled.capacity() + turn.tokens.capacity() * sizeof(Token);
    if (turn.text) n += turn.text->memory_bytes();
  }
  return n;
}

void GenStream::reset() noexcept {
  turns_.clear();
  skip_turns_ = 0;
}

}  // namespace qwen3guard::detail
