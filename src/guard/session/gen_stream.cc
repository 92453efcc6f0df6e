// SPDX-License-Identifier: Apache-2.0
#include "guard/session/gen_stream.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "guard/conversation/gen_prompt.hpp"
#include "guard/conversation/gen_template.hpp"
#include "guard/gen/classify_gen.hpp"
#include "guard/gen/gen_decode.hpp"
#include "guard/gen/prompt_prefix.hpp"
#include "qwen3guard/detail/util/error.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"
#include "util/common_prefix.hpp"

namespace qwen3guard::detail {
namespace {

TokenVerdict token_verdict(const Verdict& verdict) {
  TokenVerdict out;
  out.severity = verdict.severity;
  out.probabilities = verdict.probabilities;
  for (const CategoryScore& score : verdict.categories)
    out.category_probabilities[static_cast<std::size_t>(score.category)] = score.probability;
  if (!verdict.categories.empty()) out.category = verdict.categories.front().category;
  out.source = VerdictSource::written;
  out.is_settled = true;
  return out;
}

}  // namespace

GenStream::GenStream(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                     std::int32_t capacity_tokens)
    : guard_(std::move(guard)),
      options_(options),
      think_(guard_->tokenizer() ? &*guard_->tokenizer() : nullptr),
      cache_(guard_->model().new_cache(static_cast<std::size_t>(capacity_tokens))) {}

std::vector<Message> GenStream::conversation(std::size_t n_skipped, std::string_view text) const {
  std::vector<Message> messages;
  for (std::size_t i = n_skipped; i + 1 < turns_.size(); ++i)
    messages.push_back({turns_[i].role, replace_invalid_utf8(turns_[i].whole())});
  messages.push_back({turns_.back().role, replace_invalid_utf8(text)});
  return messages;
}

std::vector<std::int32_t> GenStream::dropped_turns(std::size_t n_skipped) const {
  std::vector<std::int32_t> out;
  for (std::size_t i = n_skipped; i < turns_.size(); ++i) {
    if (is_dropped_by_gen(turns_[i].role, i - n_skipped)) out.push_back(static_cast<std::int32_t>(i));
  }
  return out;
}

std::size_t GenStream::last_prompt() const noexcept {
  std::size_t prompt = turns_.size() - 1;
  while (prompt > 0 && turns_[prompt].role != Role::user) --prompt;
  return prompt;
}

std::string_view GenStream::judged_text(std::size_t n_bytes, bool is_over) const {
  const Turn& turn = turns_.back();
  std::string_view text = turn.bytes().substr(0, n_bytes);
  // A token of the host's can end inside a character that the next one completes; a text's cannot.
  if (turn.has_ids && !is_over) text = whole_characters(text);
  text.remove_prefix(std::min(turn.window_begin(), text.size()));
  if (turn.skip_bytes > turn.answer_begin_byte || turn.answer_begin_byte == 0) return text;
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

Result<std::size_t> GenStream::interval() {
  const auto wished = static_cast<std::size_t>(options_.gen_interval_tokens);
  Turn& turn = turns_.back();
  if (options_.context != ContextPolicy::slide) return wished;
  if (turn.interval_tokens == 0) {
    // What slides out of the window was judged before: there are several verdicts in the room for a response.
    const std::size_t capacity = cache_.capacity_tokens();
    Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
    Q3G_ASSIGN(
        const std::vector<TokenId> ids,
        encode_gen_prompt(*tokenizer, conversation(std::max(turn.skip_turns, last_prompt()), {}), capacity));
    const std::size_t n_taken = std::min(capacity, ids.size() + static_cast<std::size_t>(kMaxVerdictTokens));
    turn.interval_tokens = std::clamp<std::size_t>((capacity - n_taken) / 4, 1, wished);
  }
  return turn.interval_tokens;
}

Result<Verdict> GenStream::write_within_context(std::string_view text) {
  const auto start = std::chrono::steady_clock::now();
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  const Turn& turn = turns_.back();
  Q3G_ASSIGN(const std::vector<TokenId> ids,
             encode_gen_prompt(*tokenizer, conversation(turn.skip_turns, text), cache_.capacity_tokens()));
  const std::size_t n_needed = ids.size() + static_cast<std::size_t>(kMaxVerdictTokens);
  if (n_needed > cache_.capacity_tokens()) {
    return error(ErrorCode::context_full, "stream: a verdict on this conversation needs ", n_needed,
                 " tokens; the context has ", cache_.capacity_tokens());
  }
  const CancelFlag* const cancel = options_.cancel.get();
  auto scratch = guard_->pool().borrow(guard_->model(), 0);
  std::size_t n_kept = std::min(common_prefix(ids, fed_), ids.size() - 1);
  cache_.truncate(n_kept);
  fed_.resize(n_kept);
  if (n_kept == 0) {
    Q3G_ASSIGN(const PrefixCache::Shared shared,
               share_prompt_prefix(*guard_, turn.role, ids, cache_, scratch->workspace, cancel));
    n_kept = static_cast<std::size_t>(shared.n_tokens);
  }
  const GenCall call{guard_->model(), *tokenizer, cache_, scratch->workspace, cancel};
  auto decoded = decode_constrained(call, std::span(ids).subspan(n_kept), Subject::response);
  // What the next verdict shares with this one: all but the prompt's end, whose first token may have taken
  // the last of the text along.
  std::vector<TokenId> end;
  Q3G_TRY(append_text(*tokenizer, kGenPromptAssistant.after, end));
  Q3G_TRY(append_markup(*tokenizer, kGenPromptTail, end));
  const std::size_t n_shared = std::min(ids.size() - std::min(ids.size(), end.size() + 1), cache_.n_tokens());
  cache_.truncate(n_shared);
  fed_.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n_shared));
  if (!decoded.ok()) return std::move(decoded).error();
  Verdict verdict = *std::move(decoded);
  verdict.tokens.prompt = static_cast<std::int32_t>(ids.size());
  verdict.tokens.cached = static_cast<std::int32_t>(n_kept);
  verdict.dropped_messages = dropped_turns(turn.skip_turns);
  verdict.latency_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  ActionPolicy action;
  action.mode = options_.policy.mode;
  verdict.action = decide_action(action, verdict.severity, verdict.probabilities);
  return verdict;
}

Result<Verdict> GenStream::write_verdict(std::size_t index, bool is_over) {
  Turn& turn = turns_.back();
  const auto n_bytes = static_cast<std::size_t>(turn.tokens[index].verdict.byte_end);
  // The window slides over nothing that has no verdict yet. A rewind can have taken one back.
  const std::int32_t judged_at = index > 0 ? turn.tokens[index - 1].state.judged_at : PolicyState::kNone;
  const std::size_t judged_end =
      judged_at < 0
          ? 0
          : static_cast<std::size_t>(turn.tokens[static_cast<std::size_t>(judged_at)].verdict.byte_end);
  turn.skip_bytes = std::min(turn.skip_bytes, judged_end);
  for (;;) {
    Result<Verdict> verdict = write_within_context(judged_text(n_bytes, is_over));
    if (verdict.ok() || verdict.error().code != ErrorCode::context_full ||
        options_.context != ContextPolicy::slide)
      return verdict;
    // The turns before the last prompt go first, then the older half of the response.
    if (turn.skip_turns < last_prompt()) {
      turn.skip_turns = last_prompt();
      continue;
    }
    const std::size_t begin = turn.window_begin();
    std::size_t next = std::min(begin + (n_bytes - std::min(begin, n_bytes)) / 2, judged_end);
    const std::string_view text = turn.bytes();
    while (next < judged_end && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
    if (next <= begin) return verdict;
    turn.skip_bytes = next;
  }
}

void GenStream::carry_from(Turn& turn, std::size_t first) {
  // What was found out about the tokens that are gone.
  if (first == 0 || turn.tokens[first - 1].thinking == ThinkState::may_begin) turn.answer_begin_byte = 0;
  for (std::size_t i = first; i < turn.tokens.size(); ++i) {
    Token& token = turn.tokens[i];
    const ThinkState thinking = i > 0 ? turn.tokens[i - 1].thinking : ThinkState::may_begin;
    const auto spelled = guard_->tokenizer()->token_bytes(token.verdict.id);
    token.thinking = turn.role == Role::assistant
                         ? think_.next(thinking, token.verdict.id, spelled.value_or(std::string_view()))
                         : ThinkState::over;
    bool is_thought = false;
    if (options_.thinking == Thinking::skip) {
      is_thought = thinking == ThinkState::inside || token.thinking == ThinkState::inside;
      if (thinking != ThinkState::inside && is_thought) turn.thinking_begin_byte = token.verdict.byte_begin;
      if (is_thought) turn.answer_begin_byte = static_cast<std::size_t>(token.verdict.byte_end);
    }
    if (token.verdict.source != VerdictSource::written) {
      // From where the verdict was due that did not fit.
      const bool is_unread =
          is_thought || (turn.is_stopped &&
                         i + 1 >= turn.n_judged + static_cast<std::size_t>(options_.gen_interval_tokens));
      const TokenVerdict* before = i > 0 && !is_unread ? &turn.tokens[i - 1].verdict : nullptr;
      const bool has_verdict = before != nullptr && before->source != VerdictSource::none;
      TokenVerdict carried = has_verdict ? *before : TokenVerdict();
      // The verdict before found the text up to its own token Safe, not this one.
      if (carried.severity == Severity::safe) carried.severity = Severity::not_judged;
      carried.source = has_verdict ? VerdictSource::carried : VerdictSource::none;
      carried.id = token.verdict.id;
      carried.position = token.verdict.position;
      carried.byte_begin = token.verdict.byte_begin;
      carried.byte_end = token.verdict.byte_end;
      carried.is_settled = token.verdict.is_settled;
      token.verdict = carried;
    }
    token.verdict.counts = !is_thought;
    token.state = i > 0 ? turn.tokens[i - 1].state : PolicyState();
    token.state.push(options_.policy, static_cast<std::int32_t>(i), token.verdict);
  }
}

std::size_t GenStream::follow_text(Turn& turn, std::size_t first) {
  first = std::min(first, turn.tokens.size());
  turn.tokens.resize(first);
  std::int32_t position = 0;
  for (const Turn& each : turns_) position += &each == &turn ? 0 : static_cast<std::int32_t>(each.n_tokens());
  const IncrementalEncoder& text = *turn.text;
  for (std::size_t i = turn.tokens.size(); i < text.n_tokens(); ++i) {
    Token token;
    token.verdict.id = text.ids()[i];
    token.verdict.byte_begin = static_cast<std::int64_t>(text.ranges()[i].begin);
    token.verdict.byte_end = static_cast<std::int64_t>(text.ranges()[i].end);
    token.verdict.position = position + static_cast<std::int32_t>(i);
    turn.tokens.push_back(token);
  }
  for (std::size_t i = 0; i < turn.tokens.size(); ++i)
    turn.tokens[i].verdict.is_settled = i < text.n_settled();
  carry_from(turn, first);
  return first;
}

Status GenStream::judge_at(std::size_t index, bool is_over, std::size_t& first) {
  Turn& turn = turns_.back();
  Result<Verdict> verdict = write_verdict(index, is_over);
  if (!verdict.ok()) {
    if (verdict.error().code != ErrorCode::context_full || options_.context != ContextPolicy::stop)
      return std::move(verdict).error();
    turn.is_stopped = true;
    turn.judged_end_byte = 0;
    for (const Token& token : turn.tokens) {
      if (token.verdict.source == VerdictSource::written) turn.judged_end_byte = token.verdict.byte_end;
    }
    return {};
  }
  TokenVerdict written = token_verdict(*verdict);
  const TokenVerdict& old = turn.tokens[index].verdict;
  written.id = old.id;
  written.position = old.position;
  written.byte_begin = old.byte_begin;
  written.byte_end = old.byte_end;
  written.is_settled = old.is_settled;
  turn.tokens[index].verdict = written;
  turn.written = *std::move(verdict);
  turn.written_bytes = static_cast<std::size_t>(old.byte_end);
  carry_from(turn, index);
  first = std::min(first, index);
  return {};
}

Status GenStream::judge_due(std::size_t& first) {
  Turn& turn = turns_.back();
  if (turn.role != Role::assistant) return {};
  if (turn.n_settled() == 0) return {};
  Q3G_ASSIGN(const std::size_t interval, this->interval());
  while (!turn.is_stopped && turn.n_judged + interval <= turn.n_settled()) {
    const std::size_t index = turn.n_judged + interval - 1;
    if (turn.tokens[index].verdict.counts) Q3G_TRY(judge_at(index, false, first));
    if (!turn.is_stopped) turn.n_judged += interval;
  }
  if (turn.is_stopped) carry_from(turn, std::max(first, turn.n_judged));
  return {};
}

StreamUpdate GenStream::update_from(std::size_t first) const {
  const Turn& turn = turns_.back();
  StreamUpdate update;
  if (turn.role == Role::system) return update;
  update.first = first;
  for (std::size_t i = first; i < turn.tokens.size(); ++i) update.tokens.push_back(turn.tokens[i].verdict);
  update.n_settled = turn.n_settled();
  // The end of the turn brings a verdict on its last token.
  const bool has_all =
      turn.role == Role::assistant && update.n_settled > 0 && update.n_settled == turn.tokens.size();
  if (has_all && turn.is_open && !turn.is_stopped &&
      turn.tokens.back().verdict.source != VerdictSource::written)
    --update.n_settled;
  if (turn.is_stopped) update.stopped_at_byte = turn.judged_end_byte;
  return update;
}

Result<GenStream::Turn*> GenStream::need_open(bool has_ids) {
  if (turns_.empty() || !turns_.back().is_open) {
    return Error{ErrorCode::invalid_argument,
                 "stream: no turn is open; push_prompt() or begin_turn() comes first"};
  }
  Turn& turn = turns_.back();
  if ((has_ids && turn.text) || (!has_ids && turn.has_ids)) {
    return Error{ErrorCode::invalid_argument,
                 has_ids ? "stream: this turn is written as text; expected push_text()"
                         : "stream: this turn is written as tokens; expected "
                           "push_tokens()"};
  }
  if (turn.model_end >= 0) {
    return error(ErrorCode::invalid_argument, "stream: the model ended this turn with token ", turn.model_end,
                 "; expected end_turn()");
  }
  return &turn;
}

/// Runs change(turn) -> Result<first token that changed> and judges what is due; on error the turn is as
/// before.
template <class Change>
Result<StreamUpdate> GenStream::change_turn(const Change& change) {
  Turn before = turns_.back();
  const auto restore = [&] { turns_.back() = std::move(before); };
  try {
    Result<std::size_t> first = change(turns_.back());
    Status status = first.ok() ? judge_due(*first) : Status(first.error());
    if (status.ok()) return update_from(*first);
    restore();
    return std::move(status).error();
  } catch (...) {
    restore();
    throw;
  }
}

Status GenStream::check_text(const Turn& turn, std::string_view bytes, const Tokenizer& tokenizer) const {
  // The prompt is judged by classify(), which has the guard's context.
  const bool is_response = turn.role == Role::assistant;
  if (is_response && options_.context != ContextPolicy::error) return {};
  const std::size_t capacity =
      is_response ? cache_.capacity_tokens() : static_cast<std::size_t>(guard_->max_context_tokens());
  const bool is_too_long =
      turn.text ? turn.text->exceeds(bytes, capacity)
                : IncrementalEncoder(tokenizer, options_.invalid_utf8).exceeds(bytes, capacity);
  if (!is_too_long) return {};
  return error(ErrorCode::context_full, "stream: a verdict on this conversation needs more than ", capacity,
               " tokens; the context has ", capacity);
}

Result<StreamUpdate> GenStream::push_text(std::string_view bytes) {
  Q3G_ASSIGN(Turn * open, need_open(false));
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  Q3G_TRY(check_text(*open, bytes, *tokenizer));
  return change_turn([&](Turn& turn) -> Result<std::size_t> {
    if (!turn.text) turn.text.emplace(*tokenizer, options_.invalid_utf8);
    Q3G_TRY(turn.text->append(bytes));
    return follow_text(turn, turn.text->n_unchanged());
  });
}

Result<StreamUpdate> GenStream::push_tokens(std::span<const TokenId> ids) {
  Q3G_ASSIGN(Turn * open, need_open(true));
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (tokenizer->token_bytes(ids[i])) continue;
    return error(ErrorCode::token_out_of_range, "stream: ids[", i, "] is ", ids[i],
                 ", which is no token; expected 0 to ", tokenizer->vocab_size() - 1);
  }
  Q3G_ASSIGN(const TokenId model_end,
             take_model_end(*tokenizer, open->role, options_.allow_control_ids, ids));
  const std::size_t n_before = open->tokens.size();
  const std::int32_t begin = position();
  return change_turn([&](Turn& turn) -> Result<std::size_t> {
    turn.has_ids = true;
    turn.model_end = model_end;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Token token;
      token.verdict.id = ids[i];
      token.verdict.byte_begin = static_cast<std::int64_t>(turn.spelled.size());
      turn.spelled += *tokenizer->token_bytes(ids[i]);
      token.verdict.byte_end = static_cast<std::int64_t>(turn.spelled.size());
      token.verdict.position = begin + static_cast<std::int32_t>(i);
      token.verdict.is_settled = true;
      turn.tokens.push_back(token);
    }
    carry_from(turn, n_before);
    return n_before;
  });
}

Result<TurnVerdict> GenStream::end_turn(StreamUpdate& update) {
  if (turns_.empty() || !turns_.back().is_open)
    return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  TurnVerdict out;
  out.role = turns_.back().role;
  Q3G_ASSIGN(update, change_turn([&](Turn& turn) -> Result<std::size_t> {
               std::size_t first = turn.tokens.size();
               if (turn.text) {
                 Q3G_TRY(turn.text->finish());
                 first = follow_text(turn, turn.text->n_unchanged());
               }
               if (turn.role == Role::assistant && !turn.tokens.empty() && !turn.is_stopped) {
                 std::size_t changed = first;
                 Q3G_TRY(judge_due(changed));
                 // A rewind can leave a token with a verdict last, while `written` is about text that is
                 // gone. So can a verdict that waited for the end of a character which never came.
                 const TokenVerdict& last = turn.tokens.back().verdict;
                 const bool is_written = last.source == VerdictSource::written &&
                                         turn.written_bytes == turn.whole().size() &&
                                         (!turn.has_ids || incomplete_bytes(turn.spelled) == 0);
                 // Nothing that counts is left behind thinking that is skipped and has no answer.
                 if (!is_written && last.counts && !turn.is_stopped)
                   Q3G_TRY(judge_at(turn.tokens.size() - 1, true, changed));
                 first = changed;
               } else if (turn.role == Role::user) {
                 ClassifyOptions options;
                 options.policy.mode = options_.policy.mode;
                 options.cancel = options_.cancel;
                 Q3G_ASSIGN(turn.written,
                            classify_gen(*guard_, conversation(turn.skip_turns, turn.whole()), options));
                 turn.written_bytes = turn.whole().size();
                 turn.written->dropped_messages = dropped_turns(turn.skip_turns);
                 turn.written->action =
                     decide_action(options.policy, turn.written->severity, turn.written->probabilities);
                 TokenVerdict prompt = token_verdict(*turn.written);
                 prompt.byte_begin = prompt.byte_end = static_cast<std::int64_t>(turn.bytes().size());
                 prompt.position = position();
                 const Severity severity = counted_severity(options_.policy, prompt);
                 prompt.flagged = severity == Severity::unsafe || (options_.policy.mode == Mode::strict &&
                                                                   severity == Severity::controversial);
                 out.prompt = prompt;
               }
               return first;
             }));
  Turn& turn = turns_.back();
  turn.is_open = false;
  turn.end_state = turn.tokens.empty() ? PolicyState() : turn.tokens.back().state;
  if (turn.role == Role::assistant)
    turn.end_state.end_turn(options_.policy, static_cast<std::int32_t>(turn.tokens.size()) - 1);
  if (!turn.is_stopped && turn.written_bytes == turn.whole().size()) out.written = turn.written;
  out.decision = decision();
  return out;
}

}  // namespace qwen3guard::detail
