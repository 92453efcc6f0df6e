// SPDX-License-Identifier: Apache-2.0
// A session's functions: turns, marks, and what was found.
#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/message_text.hpp"
#include "guard/conversation/tool_messages.hpp"
#include "guard/session/head_stream.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "util/common_prefix.hpp"

namespace qwen3guard::detail {

template <class T, class Change>
T HeadStream::whole_or_nothing(const Change& change) {
  Q3G_TRY(check_usable());
  Transcript before = transcript_;
  // What the cache holds of a tape that has changed.
  const auto follow = [&] { forget_cache(common_prefix(before.ids(), transcript_.ids())); };
  try {
    T result = change(follow);
    if (!result.ok()) {
      follow();
      transcript_ = std::move(before);
    }
    return result;
  } catch (...) {
    follow();
    transcript_ = std::move(before);
    throw;
  }
}

Status HeadStream::open_turn(Role role) {
  if (const Turn* last = transcript_.last(); last != nullptr && last->is_stopped) {
    return Error{
        ErrorCode::context_full,
        "stream: judging stopped in the turn before, when the context was full; rewind() or reset()"};
  }
  // Room for the new turn and the window of its answer: the oldest turns go, a quarter of the context at a
  // time.
  const auto capacity = static_cast<std::size_t>(cache_.capacity_tokens());
  const std::size_t spoken_for = std::min(capacity, capacity / 4 + 2 * kMinWindowTokens);
  const std::size_t limit = std::min(capacity / 2, capacity - spoken_for);
  if (options_.context == ContextPolicy::slide && role == Role::user && !transcript_.is_open() &&
      transcript_.ids().size() > limit) {
    static_cast<void>(transcript_.drop_turns(limit / 2));
  }
  return transcript_.begin_turn(role);
}

Status HeadStream::append_turn(const Message& message) {
  Q3G_TRY(open_turn(message.role));
  Q3G_TRY(transcript_.push_text(message.content));
  Q3G_TRY(transcript_.finish_text());
  transcript_.close_turn();
  return {};
}

Status HeadStream::begin_turn(Role role) {
  return whole_or_nothing<Status>([&](const auto& follow) -> Status {
    Q3G_TRY(open_turn(role));
    follow();
    return {};
  });
}

Status HeadStream::append_turns(std::span<const Message> messages) {
  const auto named = [&](Status status, std::size_t i) -> Status {
    if (status.ok() || messages.size() == 1) return status;
    return Error{status.error().code, "messages[" + std::to_string(i) + "]: " + status.error().detail};
  };
  const auto append = [&](const Message& turn) -> Status {
    Q3G_TRY(append_turn(turn));
    if (options_.context == ContextPolicy::slide) return {};
    return check_room(transcript_.ids().size(), false);
  };
  std::size_t first = 0;
  if (guard_->tokenizer()) {
    const auto capacity = static_cast<std::size_t>(cache_.capacity_tokens());
    Q3G_ASSIGN(first, first_to_read(*guard_->tokenizer(), messages, options_, capacity));
  }
  const std::span<const Message> kept = messages.subspan(first);
  // A message is whole: an incomplete last character is ill-formed, not one that was cut off.
  const auto check = [&](std::size_t i) {
    return named(check_whole_text(messages[i].content, options_.invalid_utf8), i);
  };
  if (first > 0 && messages[0].role == Role::system) {
    Q3G_TRY(check(0));
    Q3G_TRY(named(append(messages[0]), 0));
  }
  for (std::size_t i = first; i < messages.size(); ++i) Q3G_TRY(check(i));
  std::vector<Message> storage;
  const std::span<const Message> turns = fold_tools(kept, storage);
  for (std::size_t i = 0; i < turns.size(); ++i)
    Q3G_TRY(named(append(turns[i]), first + first_message_of(kept, i)));
  return {};
}

Status HeadStream::restore(std::span<const Message> messages) {
  return whole_or_nothing<Status>([&](const auto& follow) -> Status {
    Q3G_TRY(append_turns(messages));
    follow();
    return check_room(transcript_.ids().size(), false);
  });
}

Result<TokenVerdict> HeadStream::push_conversation(std::span<const Message> messages) {
  return whole_or_nothing<Result<TokenVerdict>>([&](const auto& follow) -> Result<TokenVerdict> {
    Q3G_TRY(append_turns(messages));
    const std::size_t query_end = transcript_.ids().size() - 2;  // <|im_end|> and a line break
    const std::int64_t prompt_bytes = transcript_.last()->n_bytes();
    Q3G_TRY(transcript_.begin_turn(Role::assistant));
    const std::size_t n = transcript_.ids().size();
    Q3G_TRY(check_room(n, false));
    follow();
    forget_cache(query_end);
    Feed feed;
    feed.session = this;
    feed.role = HeadRole::query;
    feed.judge_next = query_end;
    feed.judge_end = query_end + 1;
    // What opens the response is read along, so that its first token has not to wait for it.
    feed.read_end = n;
    run_feeds(*guard_, {&feed, 1});
    if (!feed.status.ok()) return std::move(feed.status).error();
    TokenVerdict verdict = feed.verdicts.front();
    verdict.id = transcript_.ids()[query_end];
    verdict.byte_begin = verdict.byte_end = prompt_bytes;
    set_flag(verdict);
    return verdict;
  });
}

Result<StreamUpdate> HeadStream::push_text(std::string_view bytes) { return run(plan_text(bytes)); }

Result<StreamUpdate> HeadStream::push_tokens(std::span<const TokenId> ids) { return run(plan_tokens(ids)); }

StreamSession::Impl::LastTurn HeadStream::last_turn() const noexcept {
  const Turn* turn = transcript_.last();
  LastTurn out;
  out.invalid_utf8 = options_.invalid_utf8;
  if (guard_->tokenizer()) out.tokenizer = &*guard_->tokenizer();
  if (turn == nullptr) return out;
  out.role = turn->role;
  out.model_end = turn->model_end;
  return out;
}

Result<HeadStream::Feed> HeadStream::plan_end() {
  Q3G_TRY(check_usable());
  Q3G_ASSIGN(const std::size_t keep, transcript_.finish_text());
  const bool was_stopped = transcript_.last()->is_stopped;
  Q3G_ASSIGN(Feed feed, plan_change(keep));
  Turn& turn = *transcript_.last();
  turn.is_stopped = turn.is_stopped || was_stopped;
  std::size_t end = 0;
  try {
    end = transcript_.close_turn();
  } catch (...) {
    abandon(feed);
    throw;
  }
  if (turn.role != Role::user) return feed;
  // Its verdict is that of the <|im_end|>.
  feed.judge_end = end + 1;
  feed.read_end = end + 1;
  Status room = check_room(end + 1, false);
  if (room.ok()) return feed;
  abandon(feed);
  return std::move(room).error();
}

TurnVerdict HeadStream::commit_end(Feed& feed, StreamUpdate& update) {
  Turn& turn = *transcript_.last();
  TurnVerdict out;
  out.role = turn.role;
  if (turn.role == Role::user) {
    TokenVerdict verdict = feed.verdicts.back();
    feed.verdicts.pop_back();
    verdict.id = transcript_.ids()[transcript_.ids().size() - 2];
    verdict.byte_begin = verdict.byte_end = turn.n_bytes();
    set_flag(verdict);
    out.prompt = verdict;
  }
  update = commit(feed);
  if (turn.is_stopped && turn.input == Turn::Input::text) {
    // The text was not finished, but nothing follows any more.
    for (TurnToken& token : turn.tokens) token.verdict.is_settled = true;
    update.n_settled = turn.n_settled = turn.n_slid + turn.tokens.size();
  }
  if (turn.role == Role::assistant) {
    turn.end_state = turn.last().state;
    turn.end_state.end_turn(options_.policy, static_cast<std::int32_t>(turn.n_slid + turn.tokens.size()) - 1);
  }
  out.decision = decision();
  return out;
}

Result<TurnVerdict> HeadStream::end_turn(StreamUpdate& update) {
  Q3G_ASSIGN(Feed feed, plan_end());
  run_feeds(*guard_, {&feed, 1});
  if (!feed.status.ok()) {
    abandon(feed);
    return std::move(feed.status).error();
  }
  return commit_end(feed, update);
}

void HeadStream::set_flag(TokenVerdict& prompt) const {
  const Severity severity = counted_severity(options_.policy, prompt);
  prompt.flagged = severity == Severity::unsafe ||
                   (options_.policy.mode == Mode::strict && severity == Severity::controversial);
}

StreamMark HeadStream::mark() const noexcept {
  const Turn* turn = transcript_.last();
  if (turn == nullptr) return {};
  const std::int64_t n =
      turn->input == Turn::Input::tokens
          ? static_cast<std::int64_t>(turn->n_slid + turn->given_ends.size() + (turn->model_end >= 0 ? 1 : 0))
      : turn->input == Turn::Input::text ? turn->n_bytes()
                                         : 0;
  return {turn->serial, n, !turn->is_open};
}

Result<StreamUpdate> HeadStream::rewind(const StreamMark& mark) {
  Q3G_TRY(check_usable());
  if (mark.turn == 0) {
    forget_cache(0);
    transcript_.clear();
    return StreamUpdate{};
  }
  const auto turns = transcript_.turns();
  const auto found =
      std::find_if(turns.begin(), turns.end(), [&](const Turn& t) { return t.serial == mark.turn; });
  if (found == turns.end()) {
    return Error{
        ErrorCode::invalid_argument,
        "stream: the mark's turn is not in this session's past; it was taken back, or the context has "
        "slid over it"};
  }
  const bool is_last = found + 1 == turns.end();
  if (is_last && found->is_open && !mark.is_closed) {
    if (found->input == Turn::Input::none && mark.n_units == 0) return unchanged();
    return run(plan_rewind(mark));
  }
  if (is_last && !found->is_open && mark.is_closed) return unchanged();
  if (is_last && found->is_open) {
    return Error{ErrorCode::invalid_argument, "stream: the mark is ahead of the session"};
  }
  const auto index = static_cast<std::size_t>(found - turns.begin());
  return whole_or_nothing<Result<StreamUpdate>>([&](const auto&) -> Result<StreamUpdate> {
    next_cache_.reset();
    const std::vector<TokenId> old(transcript_.ids().begin(), transcript_.ids().end());
    const PolicyState end_state = found->end_state;
    Q3G_TRY(transcript_.reopen(index));
    forget_cache(common_prefix(old, transcript_.ids()));
    const bool is_empty = transcript_.last()->input == Turn::Input::none;
    if (!mark.is_closed) return is_empty && mark.n_units == 0 ? unchanged() : run(plan_rewind(mark));
    transcript_.close_turn();
    transcript_.last()->end_state = end_state;
    return unchanged();
  });
}

Result<StreamUpdate> HeadStream::rewind_to_byte(std::int64_t n) {
  Q3G_TRY(check_usable());
  if (!transcript_.is_open()) return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  if (transcript_.last()->input == Turn::Input::none && n == 0) return unchanged();
  if (transcript_.last()->input != Turn::Input::tokens) return run(plan_rewind({0, n, false}));
  Q3G_ASSIGN(const std::size_t keep, transcript_.rewind_to_byte(n));
  Q3G_ASSIGN(Feed feed, plan_change(keep));
  feed.model_end = -1;
  return run(std::move(feed));
}

StreamUpdate HeadStream::unchanged() const {
  StreamUpdate update;
  const Turn* turn = transcript_.last();
  if (turn == nullptr) return update;
  update.first = update.n_settled = turn->n_verdicts();
  if (turn->input == Turn::Input::text) {
    const std::size_t n_header = turn->n_header_tokens();
    update.n_settled = std::min(update.first, std::max(turn->text->n_settled(), n_header) - n_header);
  }
  if (turn->is_stopped) update.stopped_at_byte = turn->judged_end_byte;
  return update;
}

Unjudged HeadStream::unjudged(const Turn& turn) const {
  const PolicyState state = turn.state();
  Unjudged out;
  out.end = turn.n_bytes();
  // Thinking that is skipped is left out by the host's wish, but not when no answer follows it.
  const bool is_thinking = options_.thinking == Thinking::skip && turn.last().thinking == ThinkState::inside;
  out.begin = state.judged_at == PolicyState::kNone ? 0
              : is_thinking                         ? turn.thinking_begin_byte
              : turn.is_stopped                     ? turn.judged_end_byte
                                                    : turn.last().verdict.byte_end;
  out.is_any = turn.is_stopped || out.begin < out.end;
  return out;
}

Decision HeadStream::decision() const {
  const Turn* turn = transcript_.last();
  if (turn == nullptr) return {};
  if (turn->role != Role::assistant) {
    // Its verdict is that of its end; the decision says what that is not about.
    Decision out;
    const std::int64_t n_incomplete = turn->is_open ? 0 : turn->n_incomplete_bytes();
    if (n_incomplete > 0) {
      out.unjudged_end = turn->n_bytes();
      out.unjudged_begin = out.unjudged_end - n_incomplete;
    }
    return out;
  }
  const PolicyState state = turn->state();
  return make_decision(state, turn->verdict(state.decided_at()), turn->verdict(state.decided_begin()),
                       unjudged(*turn));
}

std::vector<TokenVerdict> HeadStream::verdicts(std::size_t begin) const {
  std::vector<TokenVerdict> out;
  const Turn* turn = transcript_.last();
  if (turn == nullptr) return out;
  const std::size_t n_skip = begin > turn->n_slid ? begin - turn->n_slid : 0;
  for (std::size_t i = turn->n_header_tokens() + std::min(n_skip, turn->tokens.size());
       i < turn->tokens.size(); ++i)
    out.push_back(turn->tokens[i].verdict);
  return out;
}

std::size_t HeadStream::n_verdicts() const noexcept {
  const Turn* turn = transcript_.last();
  return turn == nullptr ? 0 : turn->n_verdicts();
}

std::size_t HeadStream::first_verdict() const noexcept {
  const Turn* turn = transcript_.last();
  return turn == nullptr ? 0 : turn->n_slid;
}

std::int32_t HeadStream::position() const noexcept {
  return static_cast<std::int32_t>(transcript_.ids().size() + transcript_.n_gone());
}

std::int64_t HeadStream::turn_bytes() const noexcept {
  const Turn* turn = transcript_.last();
  return turn == nullptr ? 0 : turn->n_bytes();
}

std::size_t HeadStream::memory_bytes() const noexcept {
  return cache_.memory_bytes() + (next_cache_ ? next_cache_->memory_bytes() : 0) + transcript_.memory_bytes();
}

}  // namespace qwen3guard::detail
