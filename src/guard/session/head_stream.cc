// SPDX-License-Identifier: Apache-2.0
// A session's changes, planned, committed and taken back.
#include "guard/session/head_stream.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/markup.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

HeadStream::HeadStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                       std::int32_t capacity_tokens)
    : RecordedSession(std::move(guard), options, {true, options.invalid_utf8, options.judge_unsettled}),
      cache_(guard_->model().new_cache(static_cast<std::size_t>(capacity_tokens))) {}

Status HeadStream::check_usable() const {
  if (!is_lost_) return {};
  return error(ErrorCode::invalid_argument,
               "stream: a call failed while the context slid, and the session is lost; reset() starts anew");
}

Status HeadStream::check_ids(std::span<const TokenId> ids) const {
  const std::int32_t vocab_size = guard_->model().config().vocab_size;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab_size) continue;
    return error(ErrorCode::token_out_of_range, "stream: ids[", i, "] is ", ids[i], "; expected 0 to ",
                 vocab_size - 1);
  }
  return {};
}

Status HeadStream::check_room(std::size_t n_tokens, Role role) const {
  const bool slides = options_.context == ContextPolicy::slide;
  if (role == Role::assistant && slides) return {};
  const std::size_t reserve = slides ? 2 * kMinWindowTokens : 0;
  const std::size_t n_closing = capacity() - capacity_for(role);
  if (n_tokens + n_closing + reserve <= capacity()) return {};
  const std::string n_needed =
      n_tokens == kTooManyTokens ? concat("more than ", capacity() - reserve) : concat(n_tokens + n_closing);
  return error(ErrorCode::context_full, "stream: the conversation needs ", n_needed, " tokens; room for ",
               capacity(), slides ? concat(", ", reserve, " of them for the response's window") : "");
}

Status HeadStream::check_text(std::string_view bytes) const {
  const OpenTurn* turn = conversation_.open();
  if (turn == nullptr) return {};
  if (turn->role() == Role::assistant && options_.context != ContextPolicy::error) return {};
  return conversation_.exceeds(bytes, capacity_for(turn->role())) ? check_room(kTooManyTokens, turn->role())
                                                                  : Status();
}

std::string_view HeadStream::readable(std::string_view bytes) const {
  // What does not settle is not on the tape, and takes more text to be there.
  const OpenTurn* turn = conversation_.open();
  if (options_.context != ContextPolicy::stop || !options_.judge_unsettled || turn == nullptr ||
      turn->role() != Role::assistant)
    return bytes;
  return conversation_.first_part(bytes, capacity());
}

Status HeadStream::fit_context() {
  const OpenTurn& turn = *conversation_.open();
  TurnRecord::Marks& marks = record_->marks;
  marks.is_stopped = turn.given().size() > turn.shown().size();
  const bool is_response = turn.role() == Role::assistant;
  if (is_response)
    Q3G_TRY(check_room(std::min(conversation_.content_begin(), conversation_.ids().size()), Role::user));
  const std::size_t n = conversation_.ids().size(), room = capacity_for(turn.role());
  if (n <= room || options_.context != ContextPolicy::stop || !is_response) return check_room(n, turn.role());
  // What does not fit is not judged, and neither is what comes behind it.
  marks.is_stopped = true;
  if (turn.input() == OpenTurn::Input::text) {
    const std::size_t at = std::max(room, conversation_.content_begin());
    const std::size_t index =
        turn.n_dropped() + (at - conversation_.run_begin()) - turn.text().dropped_tokens();
    marks.judged_end_byte = static_cast<std::int64_t>(turn.host_range(turn.text().ranges()[index]).begin);
  }
  conversation_.cut_tape(room, log_);
  return {};
}

Result<HeadStream::Feed> HeadStream::plan_change(std::size_t keep) {
  TurnRecord& record = writable();
  log_.keep_value(record.marks);
  Q3G_TRY(fit_context());
  const OpenTurn& turn = *conversation_.open();
  Feed feed;
  feed.session = this;
  feed.role = turn.role() == Role::user ? HeadRole::query : HeadRole::response;
  const std::size_t content = conversation_.content_begin();
  feed.judge_end = conversation_.ids().size();
  // What was never judged, of a turn that was restored and is open again, is judged now.
  std::size_t n_kept = std::min(std::max(keep, content) - content, record.tokens.size());
  std::size_t begin = content + n_kept;
  if (record.n_slid == 0) {
    const std::size_t n_lead = n_lead_tokens(), lead = content - n_lead;
    const std::size_t n_same = std::min(std::max(keep, lead) - lead, record.lead.size());
    if (n_same < n_lead || record.lead.size() != n_lead) {
      begin = lead + n_same;
      n_kept = 0;
      log_.keep_tail(record.lead, n_same);
      record.lead.resize(n_same);
    }
  }
  log_.keep_tail(record.tokens, n_kept);
  record.tokens.resize(n_kept);
  feed.first = record.n_tokens();
  feed.judge_next = turn.role() == Role::system ? feed.judge_end : std::min(begin, feed.judge_end);
  feed.read_end = feed.judge_next < feed.judge_end ? feed.judge_end : 0;
  feed.keep = std::min(keep, feed.judge_next);
  forget_cache(feed.keep);
  return feed;
}

HeadStream::Feed HeadStream::plan_unread(std::string_view bytes) {
  // Nothing is looked at: the text that is kept is bounded, too.
  TurnRecord& record = writable();
  log_.keep_value(record.marks);
  record.marks.unread_bytes += static_cast<std::int64_t>(bytes.size());
  Feed feed;
  feed.session = this;
  feed.first = record.n_tokens();
  feed.keep = conversation_.ids().size();
  return feed;
}

Result<HeadStream::Feed> HeadStream::plan_text(std::string_view bytes) {
  return planned([&]() -> Result<Feed> {
    Q3G_ASSIGN(const OpenTurn* turn, conversation_.need_open());
    std::string pushed(record_->lists ? bytes : std::string_view());
    Feed feed;
    if (record_->marks.is_stopped && turn->input() == OpenTurn::Input::text) {
      feed = plan_unread(bytes);
    } else {
      Q3G_TRY(check_text(bytes));
      const std::string_view read = readable(bytes);
      Q3G_ASSIGN(const std::size_t keep, conversation_.push_text(read, log_));
      Q3G_ASSIGN(feed, plan_change(keep));
      record_->marks.unread_bytes += static_cast<std::int64_t>(bytes.size() - read.size());
    }
    feed.pushed = std::move(pushed);
    return feed;
  });
}

Result<HeadStream::Feed> HeadStream::plan_tokens(std::span<const TokenId> ids) {
  return planned([&]() -> Result<Feed> {
    Q3G_TRY(check_ids(ids));
    Q3G_ASSIGN(const OpenTurn* turn, conversation_.need_open());
    Q3G_ASSIGN(const TokenId model_end,
               take_model_end(*guard_->tokenizer(), turn->role(), options_.allow_control_ids, ids));
    std::size_t n_fit = ids.size();
    if (turn->role() == Role::assistant && options_.context == ContextPolicy::stop) {
      const std::size_t n = conversation_.ids().size(), room = capacity_for(Role::assistant);
      n_fit = record_->marks.is_stopped ? 0 : std::min(n_fit, room - std::min(room, n));
    }
    Q3G_ASSIGN(const std::size_t keep, conversation_.push_ids(ids, n_fit, log_));
    if (model_end >= 0) conversation_.set_model_end(model_end, log_);
    std::string pushed = spelled_for_lists(ids);
    Q3G_ASSIGN(Feed feed, plan_change(keep));
    feed.pushed = std::move(pushed);
    return feed;
  });
}

Result<HeadStream::Feed> HeadStream::plan_rewind(const StreamMark& place) {
  const OpenTurn& turn = *conversation_.open();
  if (turn.input() == OpenTurn::Input::tokens) {
    // The token with which the model ended the turn is the last unit.
    const bool keeps_end = turn.model_end() >= 0 && place.n_units == mark().n_units;
    Q3G_ASSIGN(const std::size_t keep,
               conversation_.rewind_to_id(place.n_units - (keeps_end ? 1 : 0), keeps_end, log_));
    return plan_change(keep);
  }
  const std::int64_t n_read = turn.n_bytes();
  const bool is_unread = place.n_units > n_read && place.n_units <= n_read + record_->marks.unread_bytes;
  Q3G_ASSIGN(const std::size_t keep, conversation_.rewind_to_byte(is_unread ? n_read : place.n_units, log_));
  Q3G_ASSIGN(Feed feed, plan_change(keep));
  record_->marks.unread_bytes = is_unread ? place.n_units - n_read : 0;
  return feed;
}

Result<HeadStream::Feed> HeadStream::plan_end() {
  return planned([&]() -> Result<Feed> {
    Q3G_ASSIGN(const OpenTurn* turn, conversation_.need_open());
    const bool is_unread = record_->marks.is_stopped && turn->input() == OpenTurn::Input::text;
    Feed feed;
    if (is_unread) {
      feed = plan_unread({});
    } else {
      Q3G_ASSIGN(const std::size_t keep, conversation_.finish(log_));
      Q3G_ASSIGN(feed, plan_change(keep));
    }
    feed.end = Feed::End::due;
    if (feed.judge_next == feed.judge_end) Q3G_TRY(close(feed));
    return feed;
  });
}

Result<HeadStream::Feed> HeadStream::plan_conversation(std::span<const Message> messages) {
  return planned([&]() -> Result<Feed> {
    Q3G_TRY(append_turns(messages.first(messages.size() - 1)));
    const Message& last = messages.back();
    Q3G_TRY(open_turn(last.role));
    Q3G_TRY(check_text(last.content));
    Q3G_TRY(conversation_.push_text(last.content, log_));
    Q3G_ASSIGN(const std::size_t keep, conversation_.finish(log_));
    Feed feed;
    feed.session = this;
    feed.role = last.role == Role::user ? HeadRole::query : HeadRole::response;
    feed.end = Feed::End::due;
    // Its final form has all of its text, as a rule; what that leaves out is judged as it was written.
    if (last.role == Role::assistant && split_answer(last.content).loses_text) {
      Q3G_ASSIGN(feed, plan_change(keep));
      feed.end = Feed::End::due;
      return feed;
    }
    Q3G_TRY(close(feed));
    // What does not fit in that form stays as it was written, and would not be judged.
    if (last.role == Role::assistant && !feed.form.is_rendered())
      Q3G_TRY(check_room(kTooManyTokens, last.role));
    return feed;
  });
}

Status HeadStream::close(Feed& feed) {
  append_verdicts(feed);
  const TurnRecord& record = writable();  // its own from here on: the decision is to be noted in it
  const std::size_t live_begin = conversation_.content_begin() - record.lead.size();
  Q3G_ASSIGN(ClosedForm form, conversation_.close(record.marks.is_stopped, capacity(), log_));
  log_.keep_tail(records_, records_.size());
  records_.push_back(record_);
  set_record(nullptr);
  const ClosedTurn& turn = *conversation_.turns().back().turn;
  feed.form = FinalForm(std::move(form), turn, *records_.back(), live_begin, options_.thinking);
  feed.end = Feed::End::running;
  feed.judge_next = feed.form.first();
  feed.judge_end = feed.form.end();
  if (turn.role == Role::user) Q3G_TRY(check_room(feed.judge_end, turn.role));
  feed.read_end = feed.judge_next < feed.judge_end ? feed.judge_end : 0;
  const std::size_t keep = std::min(feed.form.keep(), feed.form.first());
  feed.keep = std::min(feed.keep, keep);
  forget_cache(keep);
  return {};
}

void HeadStream::forget_cache(std::size_t n) noexcept {
  if (n < cache_.n_tokens()) cache_.truncate(n);
  if (!next_cache_) return;
  if (n < slide_from_) {
    next_cache_.reset();
    return;
  }
  const std::size_t n_next = slide_head_ + (n - slide_from_);
  if (n_next < next_cache_->n_tokens()) next_cache_->truncate(n_next);
}

TurnToken HeadStream::judged_token(const TokenVerdict& verdict, std::size_t index) const {
  const OpenTurn& turn = *conversation_.open();
  TurnToken token;
  token.verdict = verdict;
  const TurnToken& before = record_->last();
  TokenVerdict& out = token.verdict;
  out.id = conversation_.ids()[conversation_.content_begin() + (index - record_->n_slid)];
  if (turn.input() == OpenTurn::Input::text) {
    const std::size_t i = turn.n_prefix_tokens() + index;
    const ByteRange range = turn.host_range(turn.text().ranges()[i - turn.text().dropped_tokens()]);
    out.byte_begin = static_cast<std::int64_t>(range.begin);
    out.byte_end = static_cast<std::int64_t>(range.end);
    out.is_settled = i < turn.text().n_settled();
  } else {
    out.byte_begin = before.verdict.byte_end;
    out.byte_end = turn.given_ends()[index - record_->n_slid];
    out.is_settled = true;
  }
  if (turn.role() != Role::assistant) return token;
  const auto bytes = guard_->tokenizer()->token_bytes(out.id);
  token.thinking = think_.next(before.thinking, out.id, bytes.value_or(std::string_view()));
  // The block with its tags, and the line breaks behind it.
  const bool is_block = token.thinking == ThinkState::inside || token.thinking == ThinkState::ended;
  if (options_.thinking == Thinking::skip) out.counts = !is_block;
  token.state = before.state;
  token.state.push(options_.policy.rules(), turn.role(), TurnRecord::index(index), out);
  return token;
}

void HeadStream::append_verdicts(Feed& feed) {
  if (feed.n_committed == feed.verdicts.size()) return;
  TurnRecord& record = writable();
  const std::size_t n_lead = record.n_slid == 0 ? n_lead_tokens() : 0;
  for (; feed.n_committed < feed.verdicts.size(); ++feed.n_committed) {
    const TokenVerdict& verdict = feed.verdicts[feed.n_committed];
    if (record.lead.size() < n_lead) {
      TurnToken token;
      token.verdict = verdict;
      token.verdict.id = conversation_.ids()[conversation_.content_begin() - n_lead + record.lead.size()];
      token.verdict.is_settled = true;
      token.state = record.last().state;
      const auto index = TurnRecord::kFirstIndex - static_cast<std::int32_t>(n_lead - record.lead.size());
      token.state.push(options_.policy.rules(), Role::assistant, index, token.verdict);
      record.lead.push_back(token);
      ++feed.n_lead;
      continue;
    }
    TurnToken token = judged_token(verdict, record.n_tokens());
    if (token.thinking == ThinkState::inside && record.last().thinking == ThinkState::may_begin)
      record.marks.thinking_begin_byte = token.verdict.byte_begin;
    feed.verdicts[feed.n_committed] = token.verdict;
    record.tokens.push_back(token);
  }
}

std::size_t HeadStream::n_lead_tokens() const noexcept {
  const OpenTurn& turn = *conversation_.open();
  if (options_.thinking != Thinking::judge || turn.role() != Role::assistant) return 0;
  const std::size_t n = conversation_.markup()->opening(turn.role(), turn.has_think_block()).n_judged;
  return n == 0 ? 0 : n + turn.n_prefix_tokens();
}

std::size_t HeadStream::n_settled_tokens() const noexcept {
  const OpenTurn& turn = *conversation_.open();
  if (turn.input() == OpenTurn::Input::tokens) return record_->n_tokens();
  return std::max(turn.text().n_settled(), turn.n_prefix_tokens()) - turn.n_prefix_tokens();
}

std::optional<TokenVerdict> HeadStream::stripped() const {
  const std::size_t n = n_stripped_bytes();
  const TurnRecord* record = last_record();
  if (n == 0 || record == nullptr) return std::nullopt;
  TokenVerdict out;
  out.id = guard_->tokenizer()->find_bytes("\n").value_or(-1);
  out.counts = false;
  const OpenTurn* open = conversation_.open();
  // The markup's own line break stands in their place.
  out.position = position();
  if (!record->tokens.empty()) {
    out.position = record->tokens.front().verdict.position - static_cast<std::int32_t>(record->n_slid);
  } else if (open != nullptr) {
    out.position = static_cast<std::int32_t>(conversation_.content_begin() + conversation_.n_gone());
  }
  --out.position;
  out.is_settled = open == nullptr || n_settled_tokens() > 0 || open->text().is_finished();
  out.byte_end = static_cast<std::int64_t>(n);
  return out;
}

StreamUpdate HeadStream::take_update(Feed& feed) {
  const auto front = stripped();
  StreamUpdate update;
  update.first = feed.first == 0 ? 0 : feed.first + n_front();
  if (feed.first == 0 && front) update.tokens.push_back(*front);
  update.tokens.insert(update.tokens.end(), feed.verdicts.begin() + static_cast<std::ptrdiff_t>(feed.n_lead),
                       feed.verdicts.end());
  const TurnRecord& record = *last_record();
  if (record.marks.is_stopped) update.stopped_at_byte = record.marks.judged_end_byte;
  return update;
}

StreamUpdate HeadStream::commit(Feed& feed) {
  Rollback undone([&] { abandon(feed); });
  append_verdicts(feed);
  TurnRecord& record = writable();
  TurnRecord::Marks& marks = record.marks;
  if (marks.is_stopped && conversation_.open()->input() == OpenTurn::Input::tokens)
    marks.judged_end_byte = record.last().verdict.byte_end;
  StreamUpdate update = take_update(feed);
  const std::size_t n_settled = n_settled_tokens();
  // A rewind can unsettle what was settled.
  const std::size_t from = std::max(std::min(n_settled, marks.n_settled), record.n_slid) - record.n_slid;
  const std::size_t to = std::max({n_settled, marks.n_settled, record.n_slid}) - record.n_slid;
  for (std::size_t i = from; i < std::min(to, record.tokens.size()); ++i)
    record.tokens[i].verdict.is_settled = record.n_slid + i < n_settled;
  marks.n_settled = n_settled;
  const auto front = stripped();
  update.n_settled = std::min(n_settled, record.n_tokens());
  update.n_settled = front && !front->is_settled ? 0 : update.n_settled + n_front();
  follow_lists(feed.pushed, update);
  undone.keep();
  log_.commit();
  return update;
}

TurnVerdict HeadStream::commit_end(Feed& feed, StreamUpdate& update, FinalForm::Judged* judged) {
  Rollback undone([&] { abandon(feed); });
  TurnVerdict out;
  out.role = conversation_.turns().back().turn->role;
  TurnRecord& record = *records_.back();
  for (TurnToken& token : record.tokens) token.verdict.is_settled = true;
  record.marks.n_settled = record.n_tokens();
  if (out.role == Role::assistant) {
    const std::int64_t n_bytes = conversation_.turns().back().turn->n_bytes + record.marks.unread_bytes;
    record.decision =
        feed.form.decide(options_.policy, conversation_, record, unjudged(record, n_bytes), judged);
    add_list_hit(record, true, record.decision);
  } else {
    const ClosedTurn& turn = *conversation_.turns().back().turn;
    if (out.role == Role::user) {
      out.prompt = end_prompt(feed, turn, record);
      if (judged != nullptr) judged->final_form.push_back(*out.prompt);
    }
  }
  update = take_update(feed);
  add_list_hit(record, true, update.tokens);
  update.n_settled = n_verdicts();
  out.decision = record.decision;
  undone.keep();
  log_.commit();
  return out;
}

TokenVerdict HeadStream::end_prompt(const Feed& feed, const ClosedTurn& turn, TurnRecord& record) {
  TokenVerdict verdict = feed.form.verdicts().back();
  verdict.id = conversation_.ids()[feed.form.im_end()];
  verdict.byte_begin = verdict.byte_end = turn.n_bytes;
  verdict.is_settled = true;
  // Its verdict is that of its end; the decision says what that is not about.
  const auto n_incomplete = static_cast<std::int64_t>(turn.n_incomplete_bytes);
  record.decision =
      decide_prompt(options_.policy, verdict, {n_incomplete > 0, turn.n_bytes - n_incomplete, turn.n_bytes});
  add_list_hit(record, true, record.decision);
  add_list_hit(record, true, {&verdict, 1});
  return verdict;
}

void HeadStream::abandon(Feed& feed) noexcept {
  if (feed.has_slid) {
    is_lost_ = true;
    return;
  }
  log_.rollback();
  forget_cache(feed.keep);
}

Result<StreamUpdate> HeadStream::run(Result<Feed> planned) {
  if (!planned.ok()) return std::move(planned).error();
  Feed feed = *std::move(planned);
  run_feeds(*guard_, {&feed, 1});
  if (feed.status.ok()) return commit(feed);
  abandon(feed);
  return std::move(feed.status).error();
}

void HeadStream::reset() noexcept {
  RecordedSession::reset();
  cache_.truncate(0);
  next_cache_.reset();
  is_lost_ = false;
}

std::unique_ptr<StreamSession::Impl> HeadStream::fork() const {
  return std::unique_ptr<StreamSession::Impl>(new HeadStream(*this));
}

}  // namespace qwen3guard::detail
