// SPDX-License-Identifier: Apache-2.0
// A session's changes: turns, text, marks; and what it says of itself.
#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/gen_template.hpp"
#include "guard/conversation/markup.hpp"
#include "guard/conversation/message_text.hpp"
#include "guard/session/gen_stream.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
GenStream::GenStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                     std::int32_t capacity_tokens)
    : RecordedSession(std::move(guard), options, {false, options.invalid_utf8, true}),
      cache_(guard_->model().new_cache(static_cast<std::size_t>(capacity_tokens))) {}

TurnRecord& GenStream::changing() {
  TurnRecord& record = writable();
  log_.keep_value(record.marks);
  log_.keep_value(record.written);
  return record;
}

std::shared_ptr<TurnRecord> GenStream::new_record() const {
  auto record = empty_record();
  record->written.begin_position = static_cast<std::size_t>(position());
  if (!records_.empty()) record->written.skip_turns = records_.back()->written.skip_turns;
  return record;
}

Status GenStream::check_next(Role role) const {
  Q3G_TRY(check_not_stopped());
  if (options_.dropped_messages == DroppedMessages::reject &&
      is_dropped_by_gen(role, conversation_.turns().size())) {
    return error(ErrorCode::invalid_argument, "stream: the published Gen template leaves out ",
                 dropped_kind(role));
  }
  return {};
}

Status GenStream::open_turn(Role role) {
  if (conversation_.open() == nullptr) Q3G_TRY(check_next(role));
  Q3G_TRY(conversation_.begin(role, log_));
  set_record(new_record());
  return {};
}

Status GenStream::begin_turn(Role role) {
  return changed([&] { return open_turn(role); });
}

Result<std::size_t> GenStream::first_to_read(std::span<const Message> messages) const {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  return detail::first_to_read(*tokenizer, messages, options_,
                               static_cast<std::size_t>(guard_->max_context_tokens()));
}

Status GenStream::append_turns(std::span<const Message> messages, std::size_t first) {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  log_.keep_tail(records_, records_.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (i < first && (i > 0 || message.role != Role::system)) continue;
    if (conversation_.open() == nullptr) Q3G_TRY(check_next(message.role));
    IncrementalEncoder text(*tokenizer, options_.invalid_utf8);
    Status status = check_whole_text(message.content, options_.invalid_utf8);
    if (status.ok()) status = text.append(message.content);
    if (status.ok()) status = text.finish();
    if (!status.ok()) return error(status.error().code, "messages[", i, "]: ", status.error().detail);
    std::shared_ptr<TurnRecord> record = new_record();
    record->written.n_tokens = text.n_tokens();
    record->decision = unread_decision(message);
    Q3G_TRY(conversation_.append({&message, 1}, log_));
    records_.push_back(std::move(record));
  }
  return {};
}

Status GenStream::restore(std::span<const Message> messages) {
  Q3G_ASSIGN(const std::size_t first, first_to_read(messages));
  return changed([&] { return append_turns(messages, first); });
}

Result<TokenVerdict> GenStream::push_conversation(std::span<const Message> messages) {
  Q3G_ASSIGN(const std::size_t first, first_to_read(messages));
  return changed([&]() -> Result<TokenVerdict> {
    Q3G_TRY(append_turns(messages.first(messages.size() - 1), first));
    const std::string& prompt = messages.back().content;
    Q3G_TRY(check_whole_text(prompt, options_.invalid_utf8));
    Q3G_TRY(open_turn(Role::user));
    Q3G_TRY(check_text(prompt));
    Q3G_TRY(add_text(prompt, prompt));
    StreamUpdate update;
    follow_lists(prompt, update);
    Q3G_ASSIGN(const TurnVerdict turn, close(update));
    Q3G_TRY(open_turn(Role::assistant));
    return *turn.prompt;
  });
}

Status GenStream::check_text(std::string_view bytes) const {
  // The prompt is judged by classify(), which has the guard's context.
  const bool is_response = last_role() == Role::assistant;
  if (is_response && options_.context != ContextPolicy::error) return {};
  const std::size_t room = is_response ? capacity() : static_cast<std::size_t>(guard_->max_context_tokens());
  if (!conversation_.exceeds(bytes, room)) return {};
  return error(ErrorCode::context_full, "stream: a verdict on this conversation needs more than ", room,
               " tokens; the context has ", room);
}

std::string_view GenStream::readable(std::string_view bytes) const {
  const TurnRecord& record = *record_;
  if (options_.context != ContextPolicy::stop || last_role() != Role::assistant) return bytes;
  // Thinking that is skipped takes no room.
  if (options_.thinking == Thinking::skip && record.last().thinking != ThinkState::over) return bytes;
  // A verdict is due in there, or it is_endless().
  const std::size_t n_most = capacity() + static_cast<std::size_t>(options_.gen_interval_tokens);
  return conversation_.first_part(bytes, record.written.n_tokens + n_most);
}

StreamUpdate GenStream::add_unread(std::size_t n_bytes) {
  // Nothing is looked at: the text that is kept is bounded, too.
  TurnRecord& record = changing();
  record.marks.unread_bytes += static_cast<std::int64_t>(n_bytes);
  return update_from(record.n_tokens());
}

Result<StreamUpdate> GenStream::add_text(std::string_view read, std::string_view bytes) {
  Q3G_TRY(conversation_.push_text(read, log_));
  TurnRecord& record = changing();
  std::size_t first = std::min(conversation_.open()->text().n_unchanged(), record.n_tokens());
  follow(first);
  Q3G_TRY(judge(first));
  if (read.size() == bytes.size()) return update_from(first);
  if (record.marks.is_stopped) {
    record.marks.unread_bytes += static_cast<std::int64_t>(bytes.size() - read.size());
    return update_from(first);
  }
  // It did not stop: there is no end before all of it is read.
  log_.rollback();
  return add_text(bytes, bytes);
}

Result<StreamUpdate> GenStream::push_text(std::string_view bytes) {
  Q3G_ASSIGN(const OpenTurn* turn, conversation_.need_open());
  const bool is_unread = record_->marks.is_stopped && turn->input() == OpenTurn::Input::text;
  return changed([&]() -> Result<StreamUpdate> {
    if (is_unread) return with_lists(add_unread(bytes.size()), bytes);
    Q3G_TRY(check_text(bytes));
    Q3G_ASSIGN(StreamUpdate update, add_text(readable(bytes), bytes));
    return with_lists(std::move(update), bytes);
  });
}

Result<StreamUpdate> GenStream::push_tokens(std::span<const TokenId> ids) {
  Q3G_ASSIGN(const OpenTurn* turn, conversation_.need_open());
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (tokenizer->token_bytes(ids[i])) continue;
    return error(ErrorCode::token_out_of_range, "stream: ids[", i, "] is ", ids[i],
                 ", which is no token; expected 0 to ", tokenizer->vocab_size() - 1);
  }
  Q3G_ASSIGN(const TokenId model_end,
             take_model_end(*tokenizer, turn->role(), options_.allow_control_ids, ids));
  return changed([&]() -> Result<StreamUpdate> {
    const std::size_t n_read = record_->marks.is_stopped ? 0 : ids.size();
    Q3G_TRY(conversation_.push_ids(ids, n_read, log_));
    if (model_end >= 0) conversation_.set_model_end(model_end, log_);
    std::size_t first = changing().n_tokens();
    follow(first);
    Q3G_TRY(judge(first));
    return with_lists(update_from(first), spelled_for_lists(ids));
  });
}

StreamUpdate GenStream::with_lists(StreamUpdate update, std::string_view pushed) {
  follow_lists(pushed, update);
  return update;
}

Result<TurnVerdict> GenStream::end_turn(StreamUpdate& update) {
  Q3G_TRY(conversation_.need_open());
  return changed([&] { return close(update); });
}

Result<TurnVerdict> GenStream::close(StreamUpdate& update) {
  TurnRecord& record = changing();
  TurnVerdict out;
  out.role = last_role();
  std::size_t first = record.n_tokens();
  // Behind the place where judging stopped, the text goes on unread.
  if (!record.marks.is_stopped) {
    Q3G_TRY(conversation_.finish(log_));
    const OpenTurn& turn = *conversation_.open();
    if (turn.input() == OpenTurn::Input::text) first = std::min(first, turn.text().n_unchanged());
  }
  follow(first);
  Q3G_TRY(judge(first));
  const TurnRecord::Written& written = record.written;
  if (out.role == Role::user) {
    Q3G_ASSIGN(out.prompt, judge_prompt());
  } else if (out.role == Role::assistant && !record.tokens.empty() && !record.marks.is_stopped) {
    // A rewind can leave a token with a verdict last, while what was written about it is gone. So can a
    // verdict that waited for the end of a character which never came.
    const TokenVerdict& last = record.last().verdict;
    const bool is_ids = conversation_.open()->input() == OpenTurn::Input::tokens;
    const bool is_written = written.verdict != nullptr && last.source == VerdictSource::written &&
                            written.n_bytes == n_whole_bytes() &&
                            (!is_ids || incomplete_bytes(conversation_.open()->host_text()) == 0);
    // Nothing that counts is left behind thinking that is skipped and has no answer.
    if (!is_written && last.counts) {
      const std::size_t index = record.n_tokens() - 1;
      log_.keep_tail(record.tokens, record.tokens.size() - 1);
      Q3G_TRY(judge_at(index, true));
      first = std::min(first, index);
    }
  }
  const std::size_t n_settled = std::max(std::min(record.marks.n_settled, record.n_tokens()), record.n_slid);
  log_.keep_tail(record.tokens, n_settled - record.n_slid);
  for (std::size_t i = n_settled; i < record.n_tokens(); ++i) record.token(i).verdict.is_settled = true;
  record.marks.n_settled = record.n_tokens();
  PolicyState end = record.last().state;
  if (out.role == Role::assistant)
    end.end_turn(options_.policy.rules(), TurnRecord::index(record.n_tokens()) - 1);
  record.decision = decide(end, true);
  add_list_hit(record, true, record.decision);
  if (out.prompt) add_list_hit(record, true, {&*out.prompt, 1});
  if (!record.marks.is_stopped && written.verdict != nullptr && written.n_bytes == n_whole_bytes())
    out.written = *written.verdict;
  if (out.written) rule_by_list_hit(record, out.written->ruling);
  out.decision = record.decision;
  Q3G_TRY(conversation_.close(true, 0, log_));
  log_.keep_tail(records_, records_.size());
  records_.push_back(record_);
  set_record(nullptr);
  update = update_from(first);
  add_list_hit(*last_record(), true, update.tokens);
  return out;
}

Result<StreamUpdate> GenStream::rewind(const StreamMark& mark) {
  if (mark.turn == 0) {
    RecordedSession::reset();
    return StreamUpdate{};
  }
  if (const OpenTurn* open = conversation_.open(); open != nullptr && open->serial() == mark.turn) {
    if (mark.is_closed) return error(ErrorCode::invalid_argument, "stream: the mark is ahead of the session");
    return changed([&]() -> Result<StreamUpdate> {
      Q3G_ASSIGN(StreamUpdate update, take_back(mark, false));
      return with_lists(std::move(update), {});
    });
  }
  const auto turns = conversation_.turns();
  const auto found = std::find_if(turns.begin(), turns.end(),
                                  [&](const PlacedTurn& placed) { return placed.turn->serial == mark.turn; });
  if (found == turns.end()) {
    return error(ErrorCode::invalid_argument,
                 "stream: the mark's turn is not in this session's past; it was taken back");
  }
  const auto index = static_cast<std::size_t>(found - turns.begin());
  return changed([&]() -> Result<StreamUpdate> {
    Q3G_TRY(go_back(index, !mark.is_closed));
    if (mark.is_closed) return update_from(last_record()->n_tokens());
    Q3G_ASSIGN(StreamUpdate update, take_back(mark, true));
    return with_lists(std::move(update), {});
  });
}

Result<StreamUpdate> GenStream::rewind_to_byte(std::int64_t n) {
  Q3G_TRY(conversation_.need_open());
  return changed([&]() -> Result<StreamUpdate> {
    StreamUpdate update;
    if (conversation_.open()->input() != OpenTurn::Input::tokens) {
      Q3G_ASSIGN(update, take_back({0, n, false}, false));
    } else {
      Q3G_TRY(conversation_.rewind_to_byte(n, log_));
      changing();
      Q3G_ASSIGN(update, follow_cut(n_open_tokens(), false));
    }
    return with_lists(std::move(update), {});
  });
}

Status GenStream::go_back(std::size_t turn, bool opens) {
  const std::shared_ptr<TurnRecord> record = records_[turn];
  Q3G_TRY(conversation_.go_back(turn, opens, log_));
  const std::size_t n_stay = turn + (opens ? 0 : 1);
  log_.keep_tail(records_, n_stay);
  records_.resize(n_stay);
  set_record(opens ? std::make_shared<TurnRecord>(*record) : nullptr);
  return {};
}

Result<StreamUpdate> GenStream::take_back(const StreamMark& place, bool is_new) {
  TurnRecord& record = changing();
  const OpenTurn& turn = *conversation_.open();
  if (turn.input() == OpenTurn::Input::tokens) {
    // The token with which the model ended the turn is the last unit.
    const bool keeps_end = turn.model_end() >= 0 && place.n_units == mark().n_units;
    Q3G_TRY(conversation_.rewind_to_id(place.n_units - (keeps_end ? 1 : 0), keeps_end, log_));
    return follow_cut(n_open_tokens(), false);
  }
  const std::int64_t n_read = turn.n_bytes();
  const bool is_unread = place.n_units > n_read && place.n_units <= n_read + record.marks.unread_bytes;
  Q3G_TRY(conversation_.rewind_to_byte(is_unread ? n_read : place.n_units, log_));
  record.marks.unread_bytes = is_unread ? place.n_units - n_read : 0;
  const std::size_t n_unchanged = std::min(conversation_.open()->text().n_unchanged(), record.n_tokens());
  return follow_cut(is_new ? n_same_tokens(n_unchanged) : n_unchanged, is_unread);
}

Result<StreamUpdate> GenStream::follow_cut(std::size_t first, bool is_unread) {
  TurnRecord& record = *record_;
  const OpenTurn& turn = *conversation_.open();
  first = std::min(first, record.n_tokens());
  if (first < record.n_slid || turn.n_bytes() < static_cast<std::int64_t>(record.written.skip_bytes))
    return slid_past(turn.n_bytes());
  TurnRecord::Written& written = record.written;
  record.marks.is_stopped = is_unread || turn.given().size() > turn.shown().size();
  if (static_cast<std::int64_t>(written.n_bytes) > turn.n_bytes()) {
    written.verdict = nullptr;
    written.n_bytes = 0;
  }
  // A verdict at the turn's end is not one of those that are due at an interval, and the turn goes on.
  if (turn.role() == Role::assistant && first > 0) {
    Q3G_ASSIGN(const std::size_t interval, this->interval());
    written.n_judged = std::min(written.n_judged, first / interval * interval);
    if (first > record.n_slid && first % interval != 0 &&
        record.token(first - 1).verdict.source == VerdictSource::written)
      --first;
  } else {
    written.n_judged = 0;
  }
  follow(first);
  carry(first, record.n_tokens());
  return update_from(first);
}

std::unique_ptr<StreamSession::Impl> GenStream::fork() const {
  return std::unique_ptr<StreamSession::Impl>(new GenStream(*this));
}

Decision GenStream::decision() const {
  if (conversation_.open() != nullptr) {
    Decision out = decide(record_->last().state, false);
    add_list_hit(*record_, false, out);
    return out;
  }
  return records_.empty() ? undecided(options_.policy) : records_.back()->decision;
}

std::vector<TokenVerdict> GenStream::verdicts(std::size_t begin) const {
  std::vector<TokenVerdict> out;
  for (std::size_t i = std::max(begin, first_verdict()); i < n_verdicts(); ++i)
    out.push_back(last_record()->token(i).verdict);
  if (!out.empty()) add_list_hit(*last_record(), conversation_.open() == nullptr, out);
  return out;
}

std::size_t GenStream::n_verdicts() const noexcept {
  const TurnRecord* record = last_record();
  return record == nullptr || last_role() == Role::system ? 0 : record->n_tokens();
}

std::int32_t GenStream::position() const noexcept {
  const TurnRecord* record = last_record();
  return record == nullptr
             ? 0
             : static_cast<std::int32_t>(record->written.begin_position + record->written.n_tokens);
}

std::size_t GenStream::memory_bytes() const noexcept {
  return cache_.memory_bytes() + fed_.capacity() * sizeof(TokenId) + text_memory_bytes();
}

}  // namespace qwen3guard::detail
