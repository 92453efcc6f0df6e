// SPDX-License-Identifier: Apache-2.0
#include "guard/session/head_stream.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/chat_template.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"
#include "util/common_prefix.hpp"

namespace qwen3guard::detail {
HeadStream::HeadStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                       std::int32_t capacity_tokens)
    : guard_(std::move(guard)),
      options_(options),
      transcript_(guard_->tokenizer() ? &*guard_->tokenizer() : nullptr, options),
      cache_(guard_->model().new_cache(capacity_tokens)) {}

Status HeadStream::check_usable() const {
  if (!is_lost_) return {};
  return Error{ErrorCode::invalid_argument,
               "stream: a call failed while the context slid, and the session is lost; reset() starts anew"};
}

Status HeadStream::check_ids(std::span<const TokenId> ids) const {
  const std::int32_t vocab_size = guard_->model().config().vocab_size;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocab_size) continue;
    return Error{ErrorCode::token_out_of_range, "stream: ids[" + std::to_string(i) + "] is " +
                                                    std::to_string(ids[i]) + "; expected 0 to " +
                                                    std::to_string(vocab_size - 1)};
  }
  return {};
}

Status HeadStream::check_room(std::size_t n_tokens, bool is_response) const {
  const auto capacity = static_cast<std::size_t>(cache_.capacity_tokens());
  const bool slides = options_.context == ContextPolicy::slide;
  if (is_response && slides) return {};
  const std::size_t reserve = slides ? 2 * kMinWindowTokens : 0;
  if (n_tokens + reserve <= capacity) return {};
  const std::string n_needed = n_tokens == kTooManyTokens ? "more than " + std::to_string(capacity - reserve)
                                                          : std::to_string(n_tokens);
  std::string detail =
      "stream: the conversation needs " + n_needed + " tokens; room for " + std::to_string(capacity);
  if (slides) detail += ", " + std::to_string(reserve) + " of them for the response's window";
  return Error{ErrorCode::context_full, std::move(detail)};
}

Status HeadStream::check_text(std::string_view bytes) const {
  if (!transcript_.is_open()) return {};
  const auto capacity = static_cast<std::size_t>(cache_.capacity_tokens());
  const bool is_response = transcript_.last()->role == Role::assistant;
  if (is_response && options_.context != ContextPolicy::error) return {};
  return transcript_.exceeds(bytes, capacity) ? check_room(kTooManyTokens, is_response) : Status();
}

std::string_view HeadStream::readable(std::string_view bytes) const {
  // What does not settle is not on the tape, and takes more text to be there.
  if (options_.context != ContextPolicy::stop || !options_.judge_unsettled || !transcript_.is_open() ||
      transcript_.last()->role != Role::assistant)
    return bytes;
  // The tokens at the end of what is read can still change.
  constexpr std::size_t kMoreTokens = 64, kMoreBytes = 4096;
  const std::size_t n_tape = static_cast<std::size_t>(cache_.capacity_tokens()) + kMoreTokens;
  if (!transcript_.exceeds(bytes, n_tape)) return bytes;
  std::size_t least = 0, most = 16 * kMoreBytes;
  while (most < bytes.size() && !transcript_.exceeds(bytes.substr(0, most), n_tape)) {
    least = most;
    most *= 2;
  }
  most = std::min(most, bytes.size());
  while (most - least > kMoreBytes) {
    const std::size_t middle = least + (most - least) / 2;
    (transcript_.exceeds(bytes.substr(0, middle), n_tape) ? most : least) = middle;
  }
  return whole_characters(bytes.substr(0, most));
}

Status HeadStream::fit_context(Feed& feed) {
  const auto capacity = static_cast<std::size_t>(cache_.capacity_tokens());
  Turn& turn = *transcript_.last();
  const bool is_response = turn.role == Role::assistant;
  if (is_response) Q3G_TRY(check_room(turn.text_begin, false));
  const std::size_t n = transcript_.ids().size();
  if (n <= capacity || options_.context != ContextPolicy::stop || !is_response)
    return check_room(n, is_response);
  // What does not fit is not judged, and neither is what comes behind it.
  turn.is_stopped = true;
  if (turn.input == Turn::Input::text) {
    const std::size_t index = turn.n_slid + (capacity - turn.text_begin) - turn.text->dropped_tokens();
    turn.judged_end_byte = static_cast<std::int64_t>(turn.text->ranges()[index].begin);
  }
  transcript_.cut_tape(capacity);
  feed.judge_end = std::min(feed.judge_end, capacity);
  feed.judge_next = std::min(feed.judge_next, capacity);
  return {};
}

Result<HeadStream::Feed> HeadStream::plan_change(std::size_t keep) {
  Turn& turn = *transcript_.last();
  Feed feed;
  feed.session = this;
  feed.keep = keep;
  feed.was_stopped = turn.is_stopped;
  feed.old_judged_end_byte = turn.judged_end_byte;
  feed.old_unread_bytes = turn.unread_bytes;
  feed.model_end = turn.model_end;
  feed.role = turn.role == Role::user ? HeadRole::query : HeadRole::response;
  const std::size_t n_header = turn.n_header_tokens();
  // What was never judged, of a turn that was restored and is open again, is judged now.
  const std::size_t n_kept = std::min(std::max(keep, turn.text_begin) - turn.text_begin, turn.tokens.size());
  feed.judge_end = transcript_.ids().size();
  feed.judge_next = turn.role == Role::system ? feed.judge_end : turn.text_begin + std::max(n_kept, n_header);
  feed.judge_next = std::min(feed.judge_next, feed.judge_end);
  turn.is_stopped = turn.given_ends.size() > turn.given.size();
  Status status = fit_context(feed);
  if (!status.ok()) {
    turn.is_stopped = feed.was_stopped;
    transcript_.undo();
    return std::move(status).error();
  }
  feed.read_end = feed.judge_next < feed.judge_end ? feed.judge_end : 0;
  feed.first = turn.n_slid + std::max(n_kept, n_header) - n_header;
  feed.n_kept_tokens = n_kept;
  try {
    feed.old_tokens.assign(turn.tokens.begin() + static_cast<std::ptrdiff_t>(feed.n_kept_tokens),
                           turn.tokens.end());
  } catch (...) {
    turn.is_stopped = feed.was_stopped;
    turn.judged_end_byte = feed.old_judged_end_byte;
    transcript_.undo();
    throw;
  }
  turn.tokens.resize(feed.n_kept_tokens);
  feed.keep = std::min(keep, feed.judge_next);
  forget_cache(feed.keep);
  return feed;
}

Result<HeadStream::Feed> HeadStream::plan_text(std::string_view bytes) {
  Q3G_TRY(check_usable());
  if (Turn* turn = transcript_.last();
      turn != nullptr && turn->is_open && turn->is_stopped && turn->input == Turn::Input::text) {
    // Nothing is looked at: the text that is kept is bounded, too.
    Feed feed;
    feed.session = this;
    feed.first = turn->n_verdicts();
    feed.was_stopped = true;
    feed.old_judged_end_byte = turn->judged_end_byte;
    feed.old_unread_bytes = turn->unread_bytes;
    Q3G_ASSIGN(feed.keep, transcript_.push_text(""));
    feed.keep = std::min(feed.keep, static_cast<std::size_t>(cache_.capacity_tokens()));
    transcript_.cut_tape(static_cast<std::size_t>(cache_.capacity_tokens()));
    turn->unread_bytes += static_cast<std::int64_t>(bytes.size());
    feed.n_kept_tokens = turn->tokens.size();
    return feed;
  }
  Q3G_TRY(check_text(bytes));
  const std::string_view read = readable(bytes);
  Q3G_ASSIGN(const std::size_t keep, transcript_.push_text(read));
  Q3G_ASSIGN(Feed feed, plan_change(keep));
  transcript_.last()->unread_bytes += static_cast<std::int64_t>(bytes.size() - read.size());
  return feed;
}

Result<HeadStream::Feed> HeadStream::plan_tokens(std::span<const TokenId> ids) {
  Q3G_TRY(check_usable());
  Q3G_TRY(check_ids(ids));
  const Turn* before = transcript_.last();
  TokenId model_end = -1;
  if (before != nullptr && guard_->tokenizer()) {
    Q3G_ASSIGN(model_end,
               take_model_end(*guard_->tokenizer(), before->role, options_.allow_control_ids, ids));
  }
  std::size_t n_fit = ids.size();
  if (before != nullptr && before->is_open && before->role == Role::assistant &&
      options_.context == ContextPolicy::stop) {
    const auto capacity = static_cast<std::size_t>(cache_.capacity_tokens());
    n_fit = std::min(n_fit, capacity - std::min(capacity, transcript_.ids().size()));
  }
  Q3G_ASSIGN(const std::size_t keep, transcript_.push_tokens(ids, n_fit));
  Q3G_ASSIGN(Feed feed, plan_change(keep));
  feed.model_end = model_end;
  return feed;
}

HeadStream::Feed HeadStream::plan_tape(std::vector<TokenId> ids, HeadRole role, std::size_t judge_begin,
                                       std::size_t judge_end) {
  Feed feed;
  feed.session = this;
  feed.role = role;
  feed.judge_next = judge_begin;
  feed.judge_end = judge_end;
  feed.read_end = judge_end;
  forget_cache(common_prefix(transcript_.ids(), ids));
  transcript_.set_tape(std::move(ids));
  return feed;
}

Result<HeadStream::Feed> HeadStream::plan_rewind(const StreamMark& place) {
  Turn& turn = *transcript_.last();
  if (turn.input == Turn::Input::tokens) {
    // The token with which the model ended the turn is the last unit.
    const bool keeps_end = turn.model_end >= 0 && place.n_units == mark().n_units;
    Q3G_ASSIGN(const std::size_t keep,
               transcript_.rewind_to_token(place.n_units - (keeps_end ? 1 : 0), keeps_end));
    Q3G_ASSIGN(Feed feed, plan_change(keep));
    feed.model_end = keeps_end ? turn.model_end : -1;
    return feed;
  }
  Q3G_ASSIGN(const std::size_t keep, transcript_.rewind_to_byte(place.n_units));
  Q3G_ASSIGN(Feed feed, plan_change(keep));
  const auto n_read = turn.input == Turn::Input::text
                          ? static_cast<std::int64_t>(turn.text->n_bytes() - turn.prefix_bytes)
                          : 0;
  turn.unread_bytes = std::max<std::int64_t>(0, place.n_units - n_read);
  return feed;
}

void HeadStream::forget_cache(std::size_t n) noexcept {
  if (n < static_cast<std::size_t>(cache_.n_tokens())) cache_.truncate(static_cast<std::int32_t>(n));
  if (!next_cache_) return;
  if (n < slide_from_) {
    next_cache_.reset();
    return;
  }
  const std::size_t n_next = slide_head_ + (n - slide_from_);
  if (n_next < static_cast<std::size_t>(next_cache_->n_tokens()))
    next_cache_->truncate(static_cast<std::int32_t>(n_next));
}

TurnToken HeadStream::judged_token(const TokenVerdict& verdict, const Turn& turn) const {
  TurnToken token;
  token.verdict = verdict;
  const TurnToken& before = turn.last();
  const std::size_t index = turn.n_slid + turn.tokens.size();
  TokenVerdict& out = token.verdict;
  out.id = transcript_.ids()[turn.text_begin + turn.tokens.size()];
  if (turn.input == Turn::Input::text) {
    const ByteRange range = turn.text->ranges()[index - turn.text->dropped_tokens()];
    out.byte_begin = static_cast<std::int64_t>(std::max(range.begin, turn.prefix_bytes) - turn.prefix_bytes);
    out.byte_end = static_cast<std::int64_t>(range.end - turn.prefix_bytes);
    out.is_settled = index < turn.text->n_settled();
  } else {
    out.byte_begin = before.verdict.byte_end;
    out.byte_end = turn.given_ends[turn.tokens.size()];
    out.is_settled = true;
  }
  if (turn.role != Role::assistant) return token;
  const auto bytes = guard_->tokenizer()->token_bytes(out.id);
  token.thinking = transcript_.think().next(before.thinking, out.id, bytes.value_or(std::string_view()));
  const bool is_inside = before.thinking == ThinkState::inside || token.thinking == ThinkState::inside;
  if (options_.thinking == Thinking::skip) out.counts = !is_inside;
  token.state = before.state;
  token.state.push(options_.policy, static_cast<std::int32_t>(index), out);
  return token;
}

void HeadStream::append_verdicts(Feed& feed) {
  Turn& turn = *transcript_.last();
  // What belongs to the role is there, too, so that positions agree; it was not judged.
  TurnToken header;
  header.verdict.source = VerdictSource::none;
  header.verdict.counts = false;
  if (turn.n_slid == 0 && !feed.verdicts.empty())
    turn.tokens.resize(std::max(turn.tokens.size(), turn.n_header_tokens()), header);
  for (; feed.n_committed < feed.verdicts.size(); ++feed.n_committed) {
    TurnToken token = judged_token(feed.verdicts[feed.n_committed], turn);
    if (token.thinking == ThinkState::inside && turn.last().thinking == ThinkState::may_begin)
      turn.thinking_begin_byte = token.verdict.byte_begin;
    turn.tokens.push_back(token);
    feed.verdicts[feed.n_committed] = turn.tokens.back().verdict;
  }
}

StreamUpdate HeadStream::commit(Feed& feed) {
  Turn& turn = *transcript_.last();
  try {
    append_verdicts(feed);
  } catch (...) {
    abandon(feed);
    throw;
  }
  turn.model_end = feed.model_end;
  StreamUpdate update;
  update.first = feed.first;
  update.tokens = std::move(feed.verdicts);
  const std::size_t n_header = turn.n_header_tokens();
  update.n_settled = update.first + update.tokens.size();
  if (turn.input == Turn::Input::text) {
    const std::size_t n_settled = turn.text->n_settled();
    // A rewind can unsettle what was settled.
    const std::size_t from = std::max(std::min(n_settled, turn.n_settled), turn.n_slid) - turn.n_slid;
    const std::size_t to = std::max({n_settled, turn.n_settled, turn.n_slid}) - turn.n_slid;
    for (std::size_t i = from; i < std::min(to, turn.tokens.size()); ++i)
      turn.tokens[i].verdict.is_settled = turn.n_slid + i < n_settled;
    turn.n_settled = n_settled;
    update.n_settled = std::min(update.n_settled, std::max(n_settled, n_header) - n_header);
  }
  if (turn.is_stopped) {
    if (turn.input == Turn::Input::tokens) turn.judged_end_byte = turn.last().verdict.byte_end;
    update.stopped_at_byte = turn.judged_end_byte;
  }
  return update;
}

void HeadStream::abandon(Feed& feed) noexcept {
  if (feed.has_slid) {
    is_lost_ = true;
    return;
  }
  Turn& turn = *transcript_.last();
  transcript_.undo();
  turn.is_stopped = feed.was_stopped;
  turn.judged_end_byte = feed.old_judged_end_byte;
  turn.unread_bytes = feed.old_unread_bytes;
  turn.tokens.resize(std::min(feed.n_kept_tokens, turn.tokens.size()));
  turn.tokens.insert(turn.tokens.end(), feed.old_tokens.begin(), feed.old_tokens.end());
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
  transcript_.clear();
  cache_.truncate(0);
  next_cache_.reset();
  is_lost_ = false;
}

std::unique_ptr<StreamSession::Impl> HeadStream::fork() const {
  return std::unique_ptr<StreamSession::Impl>(new HeadStream(*this));
}

}  // namespace qwen3guard::detail
