// SPDX-License-Identifier: Apache-2.0
// A session's functions that write no verdict: turns, marks, and what was found.
#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/gen_template.hpp"
#include "guard/conversation/message_text.hpp"
#include "guard/session/gen_stream.hpp"
#include "qwen3guard/detail/util/error.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"

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
    return error(ErrorCode::invalid_argument, "stream: the ", to_string(turns_.back().role),
                 "'s turn is open; end_turn() comes before the next");
  }
  if (!turns_.empty() && turns_.back().is_stopped) {
    return Error{
        ErrorCode::context_full,
        "stream: judging stopped in the turn before, when the context was full; rewind() or reset()"};
  }
  if (options_.dropped_messages == DroppedMessages::reject && is_dropped_by_gen(role, turns_.size())) {
    return error(ErrorCode::invalid_argument, "stream: the published Gen template leaves out ",
                 dropped_kind(role));
  }
  Turn turn;
  turn.role = role;
  turn.serial = next_serial_;
  if (!turns_.empty()) turn.skip_turns = turns_.back().skip_turns;
  turns_.push_back(std::move(turn));
  ++next_serial_;
  return {};
}

Result<std::size_t> GenStream::first_to_read(std::span<const Message> messages) const {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  return detail::first_to_read(*tokenizer, messages, options_,
                               static_cast<std::size_t>(guard_->max_context_tokens()));
}

Status GenStream::append_turns(std::span<const Message> messages, std::size_t first) {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i < first && (i > 0 || messages[i].role != Role::system)) continue;
    Q3G_TRY(begin_turn(messages[i].role));
    Turn& turn = turns_.back();
    turn.text.emplace(*tokenizer, options_.invalid_utf8);
    Status status = check_whole_text(messages[i].content, options_.invalid_utf8);
    if (status.ok()) status = turn.text->append(messages[i].content);
    if (status.ok()) status = turn.text->finish();
    if (!status.ok()) return error(status.error().code, "messages[", i, "]: ", status.error().detail);
    turn.is_open = false;
  }
  return {};
}

Status GenStream::restore(std::span<const Message> messages) {
  Q3G_ASSIGN(const std::size_t first, first_to_read(messages));
  return or_as_before<Status>([&] { return append_turns(messages, first); });
}

Result<TokenVerdict> GenStream::push_conversation(std::span<const Message> messages) {
  Q3G_ASSIGN(const std::size_t first, first_to_read(messages));
  const auto run = [&]() -> Result<TokenVerdict> {
    Q3G_TRY(append_turns(messages.first(messages.size() - 1), first));
    Q3G_TRY(check_whole_text(messages.back().content, options_.invalid_utf8));
    Q3G_TRY(begin_turn(Role::user));
    Q3G_ASSIGN(StreamUpdate update, push_text(messages.back().content));
    Q3G_ASSIGN(const TurnVerdict turn, end_turn(update));
    Q3G_TRY(begin_turn(Role::assistant));
    return *turn.prompt;
  };
  return or_as_before<Result<TokenVerdict>>(run);
}

StreamMark GenStream::mark() const noexcept {
  if (turns_.empty()) return {};
  const Turn& turn = turns_.back();
  const std::size_t n =
      turn.has_ids ? turn.tokens.size() + (turn.model_end >= 0 ? 1 : 0) : turn.bytes().size();
  return {turn.serial, static_cast<std::int64_t>(n), !turn.is_open};
}

StreamSession::Impl::LastTurn GenStream::last_turn() const noexcept {
  LastTurn out;
  out.invalid_utf8 = options_.invalid_utf8;
  if (guard_->tokenizer()) out.tokenizer = &*guard_->tokenizer();
  if (turns_.empty()) return out;
  out.role = turns_.back().role;
  out.model_end = turns_.back().model_end;
  return out;
}

Result<StreamUpdate> GenStream::rewind(const StreamMark& mark) {
  if (mark.turn == 0) {
    turns_.clear();
    return StreamUpdate{};
  }
  const auto found =
      std::find_if(turns_.begin(), turns_.end(), [&](const Turn& t) { return t.serial == mark.turn; });
  if (found == turns_.end() || (mark.is_closed && found->is_open))
    return Error{ErrorCode::invalid_argument, "stream: the mark is not in this session's past"};
  if (mark.is_closed) {
    turns_.erase(found + 1, turns_.end());
    return update_from(turns_.back().tokens.size());
  }
  const auto index = found - turns_.begin();
  return or_as_before<Result<StreamUpdate>>([&]() -> Result<StreamUpdate> {
    turns_.erase(turns_.begin() + index + 1, turns_.end());
    Turn& turn = turns_.back();
    turn.is_open = true;
    if (!turn.has_ids) return rewind_to_byte(mark.n_units);
    const auto n_units = this->mark().n_units;
    if (mark.n_units < 0 || mark.n_units > n_units)
      return Error{ErrorCode::invalid_argument, "stream: the mark is not in this session's past"};
    // The token with which the model ended the turn is the last unit.
    const bool keeps_end = turn.model_end >= 0 && mark.n_units == n_units;
    const std::size_t n_tokens = std::min(static_cast<std::size_t>(mark.n_units), turn.tokens.size());
    const std::int64_t n_bytes = n_tokens == 0 ? 0 : turn.tokens[n_tokens - 1].verdict.byte_end;
    return cut(n_tokens, static_cast<std::size_t>(n_bytes), keeps_end);
  });
}

Result<StreamUpdate> GenStream::rewind_to_byte(std::int64_t n) {
  if (turns_.empty() || !turns_.back().is_open)
    return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  if (n < 0 || n > turn_bytes()) {
    return error(ErrorCode::invalid_argument, "stream: byte ", n, " of a turn of ", turn_bytes(), " bytes");
  }
  std::size_t n_tokens = turns_.back().tokens.size();
  while (n_tokens > 0 && turns_.back().tokens[n_tokens - 1].verdict.byte_end > n) --n_tokens;
  return or_as_before<Result<StreamUpdate>>(
      [&] { return cut(n_tokens, static_cast<std::size_t>(n), false); });
}

/// Keeps the first n_bytes bytes of a turn of text, the first n_tokens of one of tokens, and (keeps_end) the
/// end that the model set.
Result<StreamUpdate> GenStream::cut(std::size_t n_tokens, std::size_t n_bytes, bool keeps_end) {
  Turn& turn = turns_.back();
  if (n_bytes < turn.skip_bytes) {
    return error(ErrorCode::invalid_argument, "stream: byte ", n_bytes,
                 " lies before the window that the context has slid to");
  }
  std::size_t first = n_tokens;
  if (!keeps_end) turn.model_end = -1;
  if (turn.text) {
    Q3G_TRY(turn.text->truncate(n_bytes));
    first = turn.text->n_unchanged();
  } else {
    turn.spelled.resize(n_tokens == 0 ? 0
                                      : static_cast<std::size_t>(turn.tokens[n_tokens - 1].verdict.byte_end));
  }
  first = std::min(first, turn.tokens.size());
  turn.is_stopped = false;
  // A verdict at the turn's end is not one of those that are due at an interval, and the turn goes on.
  if (turn.role == Role::assistant && first > 0) {
    Q3G_ASSIGN(const std::size_t interval, this->interval());
    turn.n_judged = std::min(turn.n_judged, first / interval * interval);
    if (turn.tokens[first - 1].verdict.source == VerdictSource::written && first % interval != 0) --first;
  } else {
    turn.n_judged = 0;
  }
  const bool is_empty = turn.text ? n_bytes == 0 : n_tokens == 0 && !keeps_end;
  if (is_empty) {
    turn.text.reset();
    turn.has_ids = false;
    turn.tokens.clear();
  } else if (turn.text) {
    first = follow_text(turn, first);
  } else {
    // The tokens stay, without a verdict that is not due.
    for (std::size_t i = first; i < n_tokens; ++i) turn.tokens[i].verdict.source = VerdictSource::none;
    turn.tokens.resize(n_tokens);
    carry_from(turn, first);
  }
  return update_from(first);
}

std::unique_ptr<StreamSession::Impl> GenStream::fork() const {
  return std::unique_ptr<StreamSession::Impl>(new GenStream(*this));
}

Decision GenStream::decision() const {
  if (turns_.empty()) return {};
  const Turn& turn = turns_.back();
  if (turn.role != Role::assistant) {
    // Its verdict is that of its end; the decision says what that is not about.
    Decision out;
    if (turn.is_open || turn.whole().size() == turn.bytes().size()) return out;
    out.unjudged_begin = static_cast<std::int64_t>(turn.whole().size());
    out.unjudged_end = turn_bytes();
    return out;
  }
  const PolicyState state = !turn.is_open         ? turn.end_state
                            : turn.tokens.empty() ? PolicyState()
                                                  : turn.tokens.back().state;
  const auto token = [&](std::int32_t i) {
    return i < 0 ? nullptr : &turn.tokens[static_cast<std::size_t>(i)].verdict;
  };
  Unjudged unjudged;
  unjudged.end = turn_bytes();
  if (state.judged_at >= 0) {
    const std::int64_t judged_end = token(state.judged_at)->byte_end;
    unjudged.begin = judged_end;
    // A verdict is not about a character that is not complete yet.
    if (turn.is_open && turn.has_ids) {
      const std::string_view judged = turn.bytes().substr(0, static_cast<std::size_t>(judged_end));
      unjudged.begin -= static_cast<std::int64_t>(incomplete_bytes(judged));
    }
    // Thinking that is skipped is left out by the host's wish, but not when no answer follows it.
    if (turn.answer_begin_byte > 0 && judged_end >= turn.thinking_begin_byte) {
      unjudged.begin = turn.thinking() == ThinkState::inside
                           ? turn.thinking_begin_byte
                           : std::max(unjudged.begin, static_cast<std::int64_t>(turn.answer_begin_byte));
    }
  }
  unjudged.is_any = turn.is_stopped || unjudged.begin < unjudged.end;
  return make_decision(state, token(state.decided_at()),
                       state.decided_at() < 0 ? nullptr : token(state.decided_begin()), unjudged);
}

std::vector<TokenVerdict> GenStream::verdicts(std::size_t begin) const {
  std::vector<TokenVerdict> out;
  const std::size_t n = n_verdicts();
  for (std::size_t i = begin; i < n; ++i) out.push_back(turns_.back().tokens[i].verdict);
  return out;
}

std::size_t GenStream::n_verdicts() const noexcept {
  return turns_.empty() || turns_.back().role == Role::system ? 0 : turns_.back().tokens.size();
}

std::size_t GenStream::first_verdict() const noexcept { return 0; }

std::int32_t GenStream::position() const noexcept {
  std::size_t n = 0;
  for (const Turn& turn : turns_) n += turn.n_tokens();
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

void GenStream::reset() noexcept { turns_.clear(); }

}  // namespace qwen3guard::detail
