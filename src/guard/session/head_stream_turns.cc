// SPDX-License-Identifier: Apache-2.0
// A session's functions: turns, marks, and what was found.
#include <algorithm>
#include <utility>

#include "guard/conversation/message_text.hpp"
#include "guard/conversation/tool_messages.hpp"
#include "guard/session/head_stream.hpp"
#include "util/common_prefix.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// The status of what was done to message i, which names it when there are several.
Status naming_message(Status status, std::span<const Message> messages, std::size_t i) {
  if (status.ok() || messages.size() == 1) return status;
  return error(status.error().code, "messages[", i, "]: ", status.error().detail);
}

}  // namespace

std::size_t HeadStream::make_room() {
  // For the new turn and the window of its answer: the oldest turns go, a quarter of the context at a time.
  const std::size_t spoken_for = std::min(capacity(), capacity() / 4 + 2 * kMinWindowTokens);
  const std::size_t limit = std::min(capacity() / 2, capacity() - spoken_for);
  const std::size_t n = conversation_.ids().size();
  if (options_.context != ContextPolicy::slide || conversation_.open() != nullptr || n <= limit) return n;
  const Conversation::Dropped dropped = conversation_.drop_turns(limit / 2, log_);
  if (dropped.n_turns == 0) return n;
  log_.keep_tail(records_, dropped.first);
  const auto begin = records_.begin() + static_cast<std::ptrdiff_t>(dropped.first);
  records_.erase(begin, begin + static_cast<std::ptrdiff_t>(dropped.n_turns));
  return dropped.keep;
}

Result<std::size_t> HeadStream::open_turn(Role role) {
  Q3G_TRY(check_not_stopped());
  const std::size_t n_kept = role == Role::user ? make_room() : conversation_.ids().size();
  Q3G_ASSIGN(const std::size_t keep, conversation_.begin(role, log_));
  set_record(empty_record());
  next_cache_.reset();
  return std::min(n_kept, keep);
}

Status HeadStream::begin_turn(Role role) {
  Q3G_ASSIGN(const std::size_t keep, planned([&] { return open_turn(role); }));
  log_.commit();
  forget_cache(keep);
  return {};
}

Result<std::size_t> HeadStream::append_turns(std::span<const Message> messages) {
  std::size_t first = 0, keep = conversation_.ids().size();
  if (messages.empty()) return keep;
  if (guard_->tokenizer()) {
    Q3G_ASSIGN(first, first_to_read(*guard_->tokenizer(), messages, options_, capacity()));
  }
  // A message is whole: an incomplete last character is ill-formed, not one that was cut off.
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i < first && (i > 0 || messages[0].role != Role::system)) continue;
    Q3G_TRY(naming_message(check_whole_text(messages[i].content, options_.invalid_utf8), messages, i));
  }
  const bool slides = options_.context == ContextPolicy::slide;
  const auto append = [&](std::span<const Message> turns, std::size_t index) -> Status {
    Q3G_TRY(check_not_stopped());
    if (turns.front().role == Role::user) keep = std::min(keep, make_room());
    const std::size_t n_turns = conversation_.turns().size();
    Q3G_ASSIGN(const std::size_t changed, conversation_.append(turns, log_));
    keep = std::min(keep, changed);
    log_.keep_tail(records_, records_.size());
    for (const Message& turn : turns) {
      records_.push_back(std::make_shared<TurnRecord>());
      records_.back()->decision = unread_decision(turn);
    }
    for (std::size_t i = 0; !slides && i < turns.size(); ++i) {
      const std::size_t next = n_turns + i + 1;
      const auto placed = conversation_.turns();
      Q3G_TRY(naming_message(
          check_room(next < placed.size() ? placed[next].begin : conversation_.ids().size(), Role::user),
          messages, first + first_message_of(messages.subspan(first), index + i)));
    }
    return {};
  };
  if (first > 0 && messages[0].role == Role::system) Q3G_TRY(append(messages.first(1), 0));
  std::vector<Message> storage;
  const std::span<const Message> turns = fold_tools(messages.subspan(first), storage);
  // Where the context slides, the oldest turns make room for each user's.
  const std::size_t n_at_once = slides ? 1 : turns.size();
  for (std::size_t i = 0; i < turns.size(); i += n_at_once) Q3G_TRY(append(turns.subspan(i, n_at_once), i));
  return keep;
}

Status HeadStream::restore(std::span<const Message> messages) {
  Q3G_ASSIGN(const std::size_t keep, planned([&]() -> Result<std::size_t> {
               Q3G_ASSIGN(const std::size_t changed, append_turns(messages));
               Q3G_TRY(check_room(conversation_.ids().size(), Role::user));
               return changed;
             }));
  log_.commit();
  forget_cache(keep);
  return {};
}

Result<TokenVerdict> HeadStream::push_conversation(std::span<const Message> messages) {
  Q3G_ASSIGN(Feed feed, planned([&]() -> Result<Feed> {
               Q3G_ASSIGN(const std::size_t keep, append_turns(messages.first(messages.size() - 1)));
               const Message& prompt = messages.back();
               Feed planned_feed;
               planned_feed.session = this;
               planned_feed.role = HeadRole::query;
               Q3G_TRY(naming_message(check_whole_text(prompt.content, options_.invalid_utf8), messages,
                                      messages.size() - 1));
               Q3G_ASSIGN(const std::size_t opened, open_turn(Role::user));
               planned_feed.keep = std::min(keep, opened);
               forget_cache(planned_feed.keep);
               Q3G_TRY(naming_message(check_text(prompt.content), messages, messages.size() - 1));
               Q3G_TRY(conversation_.push_text(prompt.content, log_));
               Q3G_TRY(conversation_.finish(log_));
               if (record_->lists) record_->lists->push(prompt.content);
               Q3G_TRY(close(planned_feed));
               Q3G_ASSIGN(const std::size_t begun, open_turn(Role::assistant));
               planned_feed.keep = std::min(planned_feed.keep, begun);
               forget_cache(planned_feed.keep);
               // What opens the response is read along, so that its first token has not to wait for it.
               planned_feed.read_end = conversation_.ids().size();
               Q3G_TRY(check_room(planned_feed.read_end, Role::user));
               return planned_feed;
             }));
  run_feeds(*guard_, {&feed, 1});
  if (!feed.status.ok()) {
    abandon(feed);
    return std::move(feed.status).error();
  }
  TokenVerdict verdict;
  {
    Rollback undone([&] { abandon(feed); });
    verdict = end_prompt(feed, *conversation_.turns().back().turn, *records_.back());
    undone.keep();
  }
  log_.commit();
  return verdict;
}

Result<StreamUpdate> HeadStream::push_text(std::string_view bytes) { return run(plan_text(bytes)); }

Result<StreamUpdate> HeadStream::push_tokens(std::span<const TokenId> ids) { return run(plan_tokens(ids)); }

Result<TurnVerdict> HeadStream::end_turn(StreamUpdate& update) {
  Q3G_ASSIGN(Feed feed, plan_end());
  run_feeds(*guard_, {&feed, 1});
  if (feed.status.ok()) return commit_end(feed, update);
  abandon(feed);
  return std::move(feed.status).error();
}

Result<StreamUpdate> HeadStream::rewind(const StreamMark& mark) {
  Q3G_TRY(check_usable());
  if (mark.turn == 0) {
    RecordedSession::reset();
    forget_cache(0);
    return StreamUpdate{};
  }
  if (const OpenTurn* open = conversation_.open(); open != nullptr && open->serial() == mark.turn) {
    if (mark.is_closed) return error(ErrorCode::invalid_argument, "stream: the mark is ahead of the session");
    if (open->input() == OpenTurn::Input::none && mark.n_units == 0) return unchanged();
    return run(planned([&] { return plan_rewind(mark); }));
  }
  const auto turns = conversation_.turns();
  const auto found = std::find_if(turns.begin(), turns.end(),
                                  [&](const PlacedTurn& placed) { return placed.turn->serial == mark.turn; });
  if (found == turns.end()) {
    return error(
        ErrorCode::invalid_argument,
        "stream: the mark's turn is not in this session's past; it was taken back, or the context has "
        "slid over it");
  }
  const auto index = static_cast<std::size_t>(found - turns.begin());
  if (mark.is_closed && conversation_.open() == nullptr && index + 1 == turns.size()) return unchanged();
  if (mark.is_closed) {
    Q3G_TRY(planned([&] { return go_back(index, false); }));
    log_.commit();
    return unchanged();
  }
  return run(planned([&]() -> Result<Feed> {
    Q3G_ASSIGN(const std::size_t keep, go_back(index, true));
    Q3G_ASSIGN(Feed feed, plan_rewind(mark));
    feed.keep = std::min(feed.keep, keep);
    return feed;
  }));
}

Result<std::size_t> HeadStream::go_back(std::size_t turn, bool opens) {
  Q3G_ASSIGN(const std::size_t keep, conversation_.go_back(turn, opens, log_));
  const std::shared_ptr<TurnRecord> record = records_[turn];
  const std::size_t n_stay = turn + (opens ? 0 : 1);
  log_.keep_tail(records_, n_stay);
  records_.resize(n_stay);
  set_record(opens ? std::make_shared<TurnRecord>(*record) : nullptr);
  next_cache_.reset();
  forget_cache(keep);
  return keep;
}

Result<StreamUpdate> HeadStream::rewind_to_byte(std::int64_t n) {
  Q3G_TRY(check_usable());
  Q3G_ASSIGN(const OpenTurn* turn, conversation_.need_open());
  if (turn->input() == OpenTurn::Input::none && n == 0) return unchanged();
  return run(planned([&]() -> Result<Feed> {
    if (turn->input() != OpenTurn::Input::tokens) return plan_rewind({0, n, false});
    Q3G_ASSIGN(const std::size_t keep, conversation_.rewind_to_byte(n, log_));
    return plan_change(keep);
  }));
}

StreamUpdate HeadStream::unchanged() const {
  StreamUpdate update;
  const TurnRecord* record = last_record();
  if (record == nullptr) return update;
  update.first = update.n_settled = n_verdicts();
  if (conversation_.open() != nullptr) {
    const auto front = stripped();
    update.n_settled = std::min(update.first, n_settled_tokens() + n_front());
    if (front && !front->is_settled) update.n_settled = 0;
  }
  if (record->marks.is_stopped) update.stopped_at_byte = record->marks.judged_end_byte;
  return update;
}

UnjudgedText HeadStream::unjudged(const TurnRecord& record, std::int64_t n_bytes) const {
  const TurnToken& last = record.last();
  UnjudgedText out;
  out.end = n_bytes;
  // Thinking that is skipped is left out by the host's wish, but not when no answer follows it.
  const bool is_thinking = options_.thinking == Thinking::skip && last.thinking == ThinkState::inside;
  out.begin = last.state.judged_at == PolicyState::kNone ? 0
              : is_thinking                              ? record.marks.thinking_begin_byte
              : record.marks.is_stopped                  ? record.marks.judged_end_byte
                                                         : last.verdict.byte_end;
  out.is_any = record.marks.is_stopped || out.begin < out.end || record.n_tokens() == 0;
  return out;
}

Decision HeadStream::decision() const {
  if (conversation_.open() == nullptr)
    return records_.empty() ? undecided(options_.policy) : records_.back()->decision;
  Decision out = undecided(options_.policy);
  if (last_role() == Role::assistant) {
    const PolicyState& state = record_->last().state;
    out = make_decision(options_.policy, Role::assistant, state,
                        deciding_tokens(state, [&](std::int32_t index) { return record_->verdict(index); }),
                        unjudged(*record_, turn_bytes()), false);
  }
  add_list_hit(*record_, false, out);
  return out;
}

std::size_t HeadStream::n_stripped_bytes() const noexcept {
  if (conversation_.open() != nullptr) return conversation_.open()->n_stripped_bytes();
  if (conversation_.turns().empty()) return 0;
  return conversation_.turns().back().turn->n_stripped_bytes;
}

std::vector<TokenVerdict> HeadStream::verdicts(std::size_t begin) const {
  std::vector<TokenVerdict> out;
  const TurnRecord* record = last_record();
  if (record == nullptr) return out;
  const auto front = stripped();
  if (front && begin == 0 && record->n_slid == 0) out.push_back(*front);
  begin -= std::min<std::size_t>(begin, n_front());
  for (std::size_t i = std::max(begin, record->n_slid); i < record->n_tokens(); ++i)
    out.push_back(record->tokens[i - record->n_slid].verdict);
  add_list_hit(*record, conversation_.open() == nullptr, out);
  return out;
}

std::size_t HeadStream::n_front() const noexcept { return n_stripped_bytes() > 0 ? 1 : 0; }

std::size_t HeadStream::first_verdict() const noexcept {
  const std::size_t n_slid = RecordedSession::first_verdict();
  return n_slid > 0 ? n_slid + n_front() : 0;
}

std::size_t HeadStream::n_verdicts() const noexcept {
  const TurnRecord* record = last_record();
  return record == nullptr ? 0 : record->n_tokens() + n_front();
}

std::int32_t HeadStream::position() const noexcept {
  return static_cast<std::int32_t>(conversation_.ids().size() + conversation_.n_gone());
}

std::size_t HeadStream::memory_bytes() const noexcept {
  return cache_.memory_bytes() + (next_cache_ ? next_cache_->memory_bytes() : 0) + text_memory_bytes();
}

}  // namespace qwen3guard::detail
