// SPDX-License-Identifier: Apache-2.0
// The verdicts of a session: when one is due, what it is about, and what stands between two of them.
#include "guard/session/gen_stream.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "guard/conversation/gen_prompt.hpp"
#include "guard/conversation/gen_template.hpp"
#include "guard/gen/classify_gen.hpp"
#include "guard/gen/gen_decode.hpp"
#include "guard/gen/prompt_prefix.hpp"
#include "guard/policy/ruling.hpp"
#include "util/common_prefix.hpp"
#include "util/error.hpp"
#include "util/exceptions.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

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

bool is_think_block(ThinkState state) noexcept {
  return state == ThinkState::inside || state == ThinkState::ended;
}

/// `verdict` in the place of `old`.
TokenVerdict in_place_of(const TokenVerdict& old, TokenVerdict verdict) {
  verdict.id = old.id;
  verdict.position = old.position;
  verdict.byte_begin = old.byte_begin;
  verdict.byte_end = old.byte_end;
  verdict.is_settled = old.is_settled;
  return verdict;
}

}  // namespace

std::vector<Message> GenStream::conversation(std::size_t n_skipped, std::string_view text) const {
  std::vector<Message> messages;
  for (const PlacedTurn& placed : conversation_.turns().subspan(n_skipped))
    messages.push_back({placed.turn->role, replace_invalid_utf8(placed.turn->whole_text())});
  messages.push_back({conversation_.open()->role(), replace_invalid_utf8(text)});
  return messages;
}

std::vector<std::int32_t> GenStream::dropped_turns(std::size_t n_skipped) const {
  std::vector<std::int32_t> out;
  const auto turns = conversation_.turns();
  for (std::size_t i = n_skipped; i <= turns.size(); ++i) {
    const Role role = i < turns.size() ? turns[i].turn->role : conversation_.open()->role();
    if (is_dropped_by_gen(role, i - n_skipped)) out.push_back(static_cast<std::int32_t>(i));
  }
  return out;
}

std::size_t GenStream::last_prompt() const noexcept {
  const auto turns = conversation_.turns();
  std::size_t prompt = turns.size();
  if (prompt == 0 || conversation_.open()->role() == Role::user) return prompt;
  --prompt;
  while (prompt > 0 && turns[prompt].turn->role != Role::user) --prompt;
  return prompt;
}

std::size_t GenStream::kept_begin() const noexcept {
  const OpenTurn& turn = *conversation_.open();
  return turn.input() == OpenTurn::Input::tokens ? static_cast<std::size_t>(turn.dropped_end())
                                                 : turn.text().dropped_bytes();
}

std::string_view GenStream::text_up_to(std::size_t n) const noexcept {
  return conversation_.open()->host_text().substr(0, n - std::min(n, kept_begin()));
}

std::size_t GenStream::n_whole_bytes() const noexcept {
  const OpenTurn& turn = *conversation_.open();
  const bool is_cut = turn.input() != OpenTurn::Input::tokens && turn.text().is_finished();
  return static_cast<std::size_t>(turn.n_bytes()) - (is_cut ? turn.n_incomplete_bytes() : 0);
}

std::string_view GenStream::judged_text(std::size_t n_bytes, bool is_over) const {
  const TurnRecord::Written& written = record_->written;
  std::string_view text = text_up_to(n_bytes);
  // A token of the host's can end inside a character that the next one completes; a text's cannot.
  if (conversation_.open()->input() == OpenTurn::Input::tokens && !is_over) text = whole_characters(text);
  const std::size_t begin = written.window_begin() - std::min(written.window_begin(), kept_begin());
  text.remove_prefix(std::min(begin, text.size()));
  if (written.skip_bytes > written.answer_begin_byte || written.answer_begin_byte == 0) return text;
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

Result<std::size_t> GenStream::interval() {
  const auto wished = static_cast<std::size_t>(options_.gen_interval_tokens);
  if (options_.context != ContextPolicy::slide) return wished;
  TurnRecord::Written& written = record_->written;
  if (written.interval_tokens == 0) {
    // What slides out of the window was judged before: there are several verdicts in the room for a response.
    Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
    Q3G_ASSIGN(const std::vector<TokenId> ids,
               encode_gen_prompt(*tokenizer, conversation(std::max(written.skip_turns, last_prompt()), {}),
                                 capacity()));
    const std::size_t n_taken =
        std::min(capacity(), ids.size() + static_cast<std::size_t>(kMaxVerdictTokens));
    written.interval_tokens = std::clamp<std::size_t>((capacity() - n_taken) / 4, 1, wished);
  }
  return written.interval_tokens;
}

Result<Verdict> GenStream::write_within_context(std::string_view text) {
  const auto start = std::chrono::steady_clock::now();
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  const std::size_t n_skipped = record_->written.skip_turns;
  Q3G_ASSIGN(const std::vector<TokenId> ids,
             encode_gen_prompt(*tokenizer, conversation(n_skipped, text), capacity()));
  const std::size_t n_needed = ids.size() + static_cast<std::size_t>(kMaxVerdictTokens);
  if (n_needed > capacity()) {
    return error(ErrorCode::context_full, "stream: a verdict on this conversation needs ", n_needed,
                 " tokens; the context has ", capacity());
  }
  const CancelFlag* const cancel = options_.cancel.get();
  auto scratch = guard_->pool().borrow(guard_->model(), 0);
  std::size_t n_kept = std::min(common_prefix(ids, fed_), ids.size() - 1);
  cache_.truncate(n_kept);
  fed_.resize(n_kept);
  if (n_kept == 0) {
    Q3G_ASSIGN(
        const PrefixCache::Shared shared,
        share_prompt_prefix(*guard_, conversation_.open()->role(), ids, cache_, scratch->workspace, cancel));
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
  verdict.dropped_messages = dropped_turns(n_skipped);
  verdict.latency_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  verdict.role = conversation_.open()->role();
  Q3G_ASSIGN(verdict.ruling, rule_on_verdict(options_.policy, verdict));
  return verdict;
}

Result<Verdict> GenStream::write_verdict(std::size_t index, bool is_over) {
  const TurnRecord& record = *record_;
  TurnRecord::Written& written = record_->written;
  const auto n_bytes = static_cast<std::size_t>(record.token(index).verdict.byte_end);
  // The window slides over nothing that has no verdict yet. A rewind can have taken one back.
  const auto judged_end = static_cast<std::size_t>(record.judged_end(record.previous(index).state));
  written.skip_bytes = std::min(written.skip_bytes, judged_end);
  for (;;) {
    Result<Verdict> verdict = write_within_context(judged_text(n_bytes, is_over));
    if (verdict.ok() || verdict.error().code != ErrorCode::context_full ||
        options_.context != ContextPolicy::slide)
      return verdict;
    // The turns before the last prompt go first, then the older half of the response.
    if (written.skip_turns < last_prompt()) {
      written.skip_turns = last_prompt();
      continue;
    }
    const std::size_t begin = written.window_begin();
    std::size_t next = std::min(begin + (n_bytes - std::min(begin, n_bytes)) / 2, judged_end);
    if (next <= begin) return verdict;
    const std::string_view text = text_up_to(judged_end);
    const std::size_t kept = kept_begin();
    while (next < judged_end && (static_cast<unsigned char>(text[next - kept]) & 0xC0) == 0x80) ++next;
    written.skip_bytes = next;
  }
}

Result<TokenVerdict> GenStream::judge_prompt() {
  TurnRecord::Written& written = record_->written;
  ClassifyOptions options;
  options.cancel = options_.cancel;
  Q3G_ASSIGN(Verdict verdict,
             classify_gen(*guard_, conversation(written.skip_turns, text_up_to(n_whole_bytes())), options));
  verdict.dropped_messages = dropped_turns(written.skip_turns);
  verdict.role = conversation_.open()->role();
  Q3G_ASSIGN(verdict.ruling, rule_on_verdict(options_.policy, verdict));
  TokenVerdict prompt = token_verdict(verdict);
  prompt.byte_begin = prompt.byte_end = conversation_.open()->n_bytes();
  prompt.position = position();
  const auto n_whole = static_cast<std::int64_t>(n_whole_bytes());
  // Its verdict is that of its end; the decision says what that is not about.
  record_->decision =
      decide_prompt(options_.policy, prompt, {n_whole < prompt.byte_end, n_whole, prompt.byte_end});
  written.verdict = std::make_shared<const Verdict>(std::move(verdict));
  written.n_bytes = n_whole_bytes();
  return prompt;
}

std::size_t GenStream::n_open_tokens() const noexcept {
  const OpenTurn& turn = *conversation_.open();
  return turn.input() == OpenTurn::Input::tokens ? turn.n_dropped() + turn.shown().size()
                                                 : turn.text().n_tokens();
}

std::size_t GenStream::n_settled_tokens() const noexcept {
  const OpenTurn& turn = *conversation_.open();
  return turn.input() == OpenTurn::Input::tokens ? n_open_tokens() : turn.text().n_settled();
}

TurnToken GenStream::new_token(std::size_t index) const {
  const OpenTurn& turn = *conversation_.open();
  TurnToken token;
  TokenVerdict& out = token.verdict;
  if (turn.input() == OpenTurn::Input::tokens) {
    const std::size_t i = index - turn.n_dropped();
    out.id = turn.given()[i];
    out.byte_begin = i > 0 ? turn.given_ends()[i - 1] : turn.dropped_end();
    out.byte_end = turn.given_ends()[i];
  } else {
    const std::size_t i = index - turn.text().dropped_tokens();
    out.id = turn.text().ids()[i];
    out.byte_begin = static_cast<std::int64_t>(turn.text().ranges()[i].begin);
    out.byte_end = static_cast<std::int64_t>(turn.text().ranges()[i].end);
  }
  out.position = static_cast<std::int32_t>(record_->written.begin_position + index);
  out.is_settled = index < record_->marks.n_settled;
  return token;
}

std::size_t GenStream::n_same_tokens(std::size_t n) const noexcept {
  const TurnRecord& record = *record_;
  std::size_t i = record.n_slid;
  for (; i < n; ++i) {
    const TurnToken token = new_token(i);
    const TokenVerdict &is = token.verdict, &was = record.token(i).verdict;
    if (is.id != was.id || is.byte_begin != was.byte_begin || is.byte_end != was.byte_end) break;
  }
  return i;
}

void GenStream::follow(std::size_t first) {
  TurnRecord& record = *record_;
  const std::size_t n_settled = n_settled_tokens(), n_were = record.marks.n_settled;
  // Tokens in front of `first` that are settled now, or (a rewind) are no longer.
  std::size_t begin = first;
  if (n_settled != n_were) begin = std::min(first, std::max(std::min(n_settled, n_were), record.n_slid));
  log_.keep_tail(record.tokens, begin - record.n_slid);
  record.tokens.resize(first - record.n_slid);
  for (std::size_t i = begin; i < first; ++i) record.token(i).verdict.is_settled = i < n_settled;
  record.marks.n_settled = n_settled;
  record.written.n_tokens = n_open_tokens();
  for (std::size_t i = first; i < record.written.n_tokens; ++i) record.tokens.push_back(new_token(i));
}

void GenStream::carry(std::size_t begin, std::size_t end) {
  TurnRecord& record = *record_;
  const bool is_response = conversation_.open()->role() == Role::assistant;
  // What was found out about the tokens that are gone.
  if (record.previous(begin).thinking == ThinkState::may_begin) record.written.answer_begin_byte = 0;
  for (std::size_t i = begin; i < end; ++i) {
    TurnToken& token = record.token(i);
    const TurnToken& before = record.previous(i);
    const auto spelled = guard_->tokenizer()->token_bytes(token.verdict.id);
    token.thinking =
        is_response ? think_.next(before.thinking, token.verdict.id, spelled.value_or(std::string_view()))
                    : ThinkState::over;
    // The block with its tags, and the line breaks behind it.
    const bool is_thought = options_.thinking == Thinking::skip && is_think_block(token.thinking);
    if (is_thought && !is_think_block(before.thinking))
      record.marks.thinking_begin_byte = token.verdict.byte_begin;
    if (is_thought) record.written.answer_begin_byte = static_cast<std::size_t>(token.verdict.byte_end);
    if (token.verdict.source != VerdictSource::written) {
      // From where the verdict was due that did not fit.
      const bool is_unread =
          is_thought ||
          (record.marks.is_stopped &&
           i + 1 >= record.written.n_judged + static_cast<std::size_t>(options_.gen_interval_tokens));
      const bool has_verdict = !is_unread && before.verdict.source != VerdictSource::none;
      TokenVerdict carried = has_verdict ? before.verdict : TokenVerdict();
      // The verdict before found the text up to its own token Safe, not this one.
      if (carried.severity == Severity::safe) carried.severity = Severity::not_judged;
      carried.source = has_verdict ? VerdictSource::carried : VerdictSource::none;
      token.verdict = in_place_of(token.verdict, carried);
    }
    token.verdict.counts = !is_thought;
    token.state = before.state;
    token.state.push(options_.policy.rules(), conversation_.open()->role(), TurnRecord::index(i),
                     token.verdict);
  }
}

Status GenStream::judge_at(std::size_t index, bool is_over) {
  TurnRecord& record = *record_;
  TurnToken& token = record.token(index);
  Result<Verdict> verdict = write_verdict(index, is_over);
  if (!verdict.ok()) {
    if (verdict.error().code != ErrorCode::context_full || options_.context != ContextPolicy::stop)
      return std::move(verdict).error();
    stop(token.state);
    return {};
  }
  token.verdict = in_place_of(token.verdict, token_verdict(*verdict));
  record.written.n_bytes = static_cast<std::size_t>(token.verdict.byte_end);
  record.written.verdict = std::make_shared<const Verdict>(*std::move(verdict));
  carry(index, index + 1);
  return {};
}

Status GenStream::judge(std::size_t& first) {
  TurnRecord& record = *record_;
  std::size_t carried = first;
  // Tokens in front of `first` are about to change.
  const auto lower_to = [&](std::size_t index) {
    if (index < first) log_.keep_tail(record.tokens, index - record.n_slid);
    first = std::min(first, index);
  };
  if (conversation_.open()->role() == Role::assistant && record.n_tokens() > 0) {
    Q3G_ASSIGN(const std::size_t interval, this->interval());
    std::size_t& n_judged = record.written.n_judged;
    while (!record.marks.is_stopped && n_judged + interval <= record.marks.n_settled) {
      const std::size_t index = n_judged + interval - 1;
      if (carried <= index) carry(carried, index + 1);
      carried = std::max(carried, index + 1);
      if (record.token(index).verdict.counts) {
        lower_to(index);
        Q3G_TRY(judge_at(index, false));
        // Nothing behind it is known yet; nor is this one, when it was not judged.
        carried = index + (record.marks.is_stopped ? 0 : 1);
      }
      if (!record.marks.is_stopped) n_judged += interval;
    }
    if (!record.marks.is_stopped && is_endless(record.previous(carried))) {
      stop(record.previous(carried).state);
      carried = std::min(carried, n_judged + interval - 1);
      lower_to(carried);
    }
  }
  carry(carried, record.n_tokens());
  return {};
}

bool GenStream::is_endless(const TurnToken& last) const noexcept {
  if (options_.context != ContextPolicy::stop || record_->n_tokens() <= record_->marks.n_settled + capacity())
    return false;
  return options_.thinking != Thinking::skip || last.thinking != ThinkState::inside;
}

void GenStream::stop(const PolicyState& state) {
  record_->marks.is_stopped = true;
  record_->marks.judged_end_byte = judged_end(state, false);
}

std::int64_t GenStream::judged_end(const PolicyState& state, bool is_over) const {
  const std::int64_t end = record_->judged_end(state);
  if (is_over || conversation_.open()->input() != OpenTurn::Input::tokens) return end;
  // A verdict is not about a character that is not complete yet.
  return end - static_cast<std::int64_t>(incomplete_bytes(text_up_to(static_cast<std::size_t>(end))));
}

StreamUpdate GenStream::update_from(std::size_t first) const {
  StreamUpdate update;
  if (last_role() == Role::system) return update;
  const TurnRecord& record = *last_record();
  update.first = first;
  for (std::size_t i = first; i < record.n_tokens(); ++i) update.tokens.push_back(record.token(i).verdict);
  update.n_settled = std::min(record.marks.n_settled, record.n_tokens());
  if (record.marks.is_stopped) update.stopped_at_byte = record.marks.judged_end_byte;
  if (conversation_.open() == nullptr || last_role() != Role::assistant || record.marks.is_stopped)
    return update;
  // What is due, but waits for the next push; and the end of the turn brings a verdict on its last token.
  const std::size_t known = record.written.interval_tokens;
  const std::size_t interval = known > 0 ? known : static_cast<std::size_t>(options_.gen_interval_tokens);
  update.n_settled = std::min(update.n_settled, record.written.n_judged + interval - 1);
  const bool has_all = update.n_settled > 0 && update.n_settled == record.n_tokens();
  if (has_all && record.last().verdict.source != VerdictSource::written) --update.n_settled;
  return update;
}

std::size_t GenStream::n_behind_window() const noexcept {
  const TurnRecord& record = *record_;
  const auto& tokens = record.tokens;
  // Up to the last verdict in front of the window, which a rewind into the window does not take back.
  const auto skipped = static_cast<std::int64_t>(record.written.skip_bytes);
  const auto behind = std::partition_point(tokens.begin(), tokens.end(), [&](const TurnToken& token) {
    return token.verdict.byte_end <= skipped;
  });
  std::size_t n = record.n_slid;
  if (behind != tokens.begin()) {
    const std::int32_t judged_at = std::prev(behind)->state.judged_at;
    if (judged_at >= TurnRecord::index(n)) n = static_cast<std::size_t>(judged_at - TurnRecord::index(0)) + 1;
  }
  // Thinking that is skipped is never read again.
  const std::size_t n_settled = std::min(record.marks.n_settled, record.n_tokens());
  if (options_.thinking == Thinking::skip && n_settled > n + 2 * capacity()) {
    const std::size_t n_old = n_settled - capacity();
    if (record.token(n_old - 1).thinking == ThinkState::inside) n = n_old;
  }
  return n;
}

void GenStream::forget_before_window() noexcept {
  if (options_.context != ContextPolicy::slide || record_ == nullptr || record_->tokens.empty()) return;
  // What is kept for too long does no harm; the next call forgets it.
  static_cast<void>(if_memory_lasts([&] {
    const std::size_t n = n_behind_window();
    if (n > record_->n_slid) writable().slide(n - record_->n_slid);
    const std::size_t n_dropped = conversation_.open()->n_dropped();
    if (n > n_dropped) conversation_.slide(0, n - n_dropped);
  }));
}

Decision GenStream::decide(const PolicyState& state, bool is_over) const {
  const TurnRecord& record = *record_;
  const OpenTurn& turn = *conversation_.open();
  if (turn.role() != Role::assistant) {
    return is_over ? record.decision : undecided(options_.policy);
  }
  UnjudgedText unjudged;
  unjudged.end = turn_bytes();
  if (state.judged_at != PolicyState::kNone) {
    const std::int64_t judged_end = record.judged_end(state);
    unjudged.begin = this->judged_end(state, is_over && !record.marks.is_stopped);
    // Thinking that is skipped is left out by the host's wish, but not when no answer follows it.
    const auto answer_begin = static_cast<std::int64_t>(record.written.answer_begin_byte);
    if (answer_begin > 0 && judged_end >= record.marks.thinking_begin_byte) {
      unjudged.begin = record.last().thinking == ThinkState::inside ? record.marks.thinking_begin_byte
                                                                    : std::max(unjudged.begin, answer_begin);
    }
  }
  unjudged.is_any = record.marks.is_stopped || unjudged.begin < unjudged.end;
  return make_decision(options_.policy, turn.role(), state,
                       deciding_tokens(state, [&](std::int32_t index) { return record.verdict(index); }),
                       unjudged, is_over);
}

}  // namespace qwen3guard::detail
