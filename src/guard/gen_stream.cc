// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/gen_stream.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "qwen3guard/detail/guard/chat_template.hpp"
#include "qwen3guard/detail/guard/common_prefix.hpp"
#include "qwen3guard/detail/guard/gen_context.hpp"
#include "qwen3guard/detail/guard/gen_decode.hpp"
#include "qwen3guard/detail/guard/gen_prompt.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// The text up to a token can end inside a character, which the next token completes.
std::string_view whole_characters(std::string_view text) noexcept {
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, text.size()); ++n) {
    const Utf8Step step = utf8_step(text, text.size() - n);
    if (step.truncated) return text.substr(0, text.size() - n);
  }
  return text;
}

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
    : guard_(std::move(guard)), options_(options), cache_(guard_->model().new_cache(capacity_tokens)) {}

std::vector<Message> GenStream::conversation(std::string_view text) const {
  std::vector<Message> messages;
  for (std::size_t i = skip_turns_; i + 1 < turns_.size(); ++i)
    messages.push_back({turns_[i].role, replace_invalid_utf8(turns_[i].bytes())});
  messages.push_back({turns_.back().role, replace_invalid_utf8(text)});
  return messages;
}

Result<Verdict> GenStream::write_within_context(std::size_t n_bytes) {
  const auto start = std::chrono::steady_clock::now();
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  const Turn& turn = turns_.back();
  const std::string_view text =
      whole_characters(turn.bytes().substr(0, n_bytes)).substr(std::min(turn.skip_bytes, n_bytes));
  Q3G_ASSIGN(
      const std::vector<TokenId> ids,
      encode_gen_prompt(*tokenizer, conversation(text), static_cast<std::size_t>(cache_.capacity_tokens())));
  const std::size_t n_needed = ids.size() + static_cast<std::size_t>(kMaxVerdictTokens);
  if (n_needed > static_cast<std::size_t>(cache_.capacity_tokens())) {
    return Error{ErrorCode::context_full, "stream: a verdict on this conversation needs " +
                                              std::to_string(n_needed) + " tokens; the context has " +
                                              std::to_string(cache_.capacity_tokens())};
  }
  auto scratch = guard_->pool().borrow(guard_->model(), 0, options_.cancel.get());
  std::size_t n_kept = std::min(common_prefix(ids, fed_), ids.size() - 1);
  cache_.truncate(static_cast<std::int32_t>(n_kept));
  fed_.resize(n_kept);
  if (n_kept == 0) {
    Q3G_ASSIGN(const PrefixState::Filled filled,
               guard_->prefix(turn.role).fill(guard_->model(), *tokenizer, turn.role, ids, cache_,
                                              scratch->workspace));
    n_kept = static_cast<std::size_t>(filled.n_tokens);
  }
  GenContext context(guard_->model(), *tokenizer, cache_, &scratch->workspace);
  auto decoded = decode_constrained(context, std::span(ids).subspan(n_kept), Subject::response);
  // What the next verdict shares with this one: all but the prompt's end, whose first token may have taken
  // the last of the text along.
  std::vector<TokenId> end;
  Q3G_TRY(append_text(*tokenizer, kGenPromptAssistant.after, end));
  Q3G_TRY(append_markup(*tokenizer, kGenPromptTail, end));
  const std::size_t n_shared = std::min(ids.size() - std::min(ids.size(), end.size() + 1),
                                        static_cast<std::size_t>(cache_.n_tokens()));
  cache_.truncate(static_cast<std::int32_t>(n_shared));
  fed_.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n_shared));
  if (!decoded.ok()) return std::move(decoded).error();
  Verdict verdict = to_verdict(*std::move(decoded), ids.size(), static_cast<std::int32_t>(n_kept));
  verdict.latency_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  ActionPolicy action;
  action.mode = options_.policy.mode;
  verdict.action = decide_action(action, verdict.severity, verdict.probabilities);
  return verdict;
}

Result<Verdict> GenStream::write_verdict(std::size_t n_bytes) {
  for (;;) {
    Result<Verdict> verdict = write_within_context(n_bytes);
    if (verdict.ok() || verdict.error().code != ErrorCode::context_full ||
        options_.context != ContextPolicy::slide)
      return verdict;
    // The turns before the last prompt go first, then the older half of the response.
    Turn& turn = turns_.back();
    std::size_t prompt = turns_.size() - 1;
    while (prompt > 0 && turns_[prompt].role != Role::user) --prompt;
    if (skip_turns_ < prompt) {
      skip_turns_ = prompt;
      continue;
    }
    const std::size_t n_left = n_bytes - std::min(turn.skip_bytes, n_bytes);
    constexpr std::size_t kLeastBytes = 64;
    if (n_left < kLeastBytes) return verdict;
    turn.skip_bytes += n_left / 2;
    const std::string_view text = turn.bytes();
    while (turn.skip_bytes < text.size() &&
           (static_cast<unsigned char>(text[turn.skip_bytes]) & 0xC0) == 0x80)
      ++turn.skip_bytes;
  }
}

void GenStream::carry_from(Turn& turn, std::size_t first) {
  for (std::size_t i = first; i < turn.tokens.size(); ++i) {
    Token& token = turn.tokens[i];
    if (token.verdict.source != VerdictSource::written) {
      const bool is_unread = turn.is_stopped && i >= turn.n_judged;
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
    token.state = i > 0 ? turn.tokens[i - 1].state : PolicyState();
    token.state.push(options_.policy, static_cast<std::int32_t>(i), token.verdict);
  }
}

void GenStream::follow_text(Turn& turn, std::size_t first) {
  turn.tokens.resize(std::min(first, turn.tokens.size()));
  std::int32_t position = 0;
  for (const Turn& each : turns_)
    position += &each == &turn ? 0 : static_cast<std::int32_t>(each.tokens.size());
  const IncrementalEncoder& text = *turn.text;
  for (std::size_t i = turn.tokens.size(); i < text.n_tokens(); ++i) {
    Token token;
    token.verdict.id = text.ids()[i];
    token.verdict.byte_begin = static_cast<std::int64_t>(text.ranges()[i].begin);
    token.verdict.byte_end = static_cast<std::int64_t>(text.ranges()[i].end);
    token.verdict.position = position + static_cast<std::int32_t>(i);
    token.verdict.source = VerdictSource::carried;
    turn.tokens.push_back(token);
  }
  for (std::size_t i = 0; i < turn.tokens.size(); ++i)
    turn.tokens[i].verdict.is_settled = i < text.n_settled();
  carry_from(turn, first);
}

Status GenStream::judge_at(std::size_t index, std::size_t& first) {
  Turn& turn = turns_.back();
  Result<Verdict> verdict = write_verdict(static_cast<std::size_t>(turn.tokens[index].verdict.byte_end));
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
  const auto interval = static_cast<std::size_t>(options_.gen_interval_tokens);
  const std::size_t n_settled = turn.has_ids ? turn.tokens.size() : turn.text ? turn.text->n_settled() : 0;
  while (!turn.is_stopped && turn.n_judged + interval <= n_settled) {
    Q3G_TRY(judge_at(turn.n_judged + interval - 1, first));
    if (!turn.is_stopped) turn.n_judged += interval;
  }
  if (turn.is_stopped) carry_from(turn, std::min(first, turn.n_judged));
  return {};
}

StreamUpdate GenStream::update_from(std::size_t first) const {
  const Turn& turn = turns_.back();
  StreamUpdate update;
  update.first = first;
  for (std::size_t i = first; i < turn.tokens.size(); ++i) update.tokens.push_back(turn.tokens[i].verdict);
  update.n_settled = turn.has_ids ? turn.tokens.size() : turn.text ? turn.text->n_settled() : 0;
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
  return &turn;
}

/// Runs change(turn) -> Result<first token that changed> and judges what is due; on error the turn is as
/// before.
template <class Change>
Result<StreamUpdate> GenStream::change_turn(const Change& change) {
  const Turn before = turns_.back();
  const std::size_t skip_turns = skip_turns_;
  const auto restore = [&] {
    turns_.back() = before;
    skip_turns_ = skip_turns;
  };
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

Result<StreamUpdate> GenStream::push_text(std::string_view bytes) {
  Q3G_ASSIGN(Turn * open, need_open(false));
  static_cast<void>(open);
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  return change_turn([&](Turn& turn) -> Result<std::size_t> {
    if (!turn.text) turn.text.emplace(*tokenizer, options_.invalid_utf8);
    Q3G_TRY(turn.text->append(bytes));
    const std::size_t first = turn.text->n_unchanged();
    follow_text(turn, first);
    return first;
  });
}

Status GenStream::push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) {
  Q3G_ASSIGN(Turn * open, need_open(true));
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  if (out.size() < ids.size()) {
    return Error{ErrorCode::invalid_argument, "stream: room for " + std::to_string(out.size()) +
                                                  " verdicts, expected at least " +
                                                  std::to_string(ids.size())};
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (tokenizer->token_bytes(ids[i])) continue;
    return Error{ErrorCode::token_out_of_range,
                 "stream: ids[" + std::to_string(i) + "] is " + std::to_string(ids[i]) +
                     ", which is no token; expected 0 to " + std::to_string(tokenizer->vocab_size() - 1)};
  }
  const std::size_t n_before = open->tokens.size();
  const std::int32_t begin = position();
  Q3G_ASSIGN(const StreamUpdate update, change_turn([&](Turn& turn) -> Result<std::size_t> {
               turn.has_ids = true;
               for (std::size_t i = 0; i < ids.size(); ++i) {
                 Token token;
                 token.verdict.id = ids[i];
                 token.verdict.byte_begin = static_cast<std::int64_t>(turn.spelled.size());
                 turn.spelled += *tokenizer->token_bytes(ids[i]);
                 token.verdict.byte_end = static_cast<std::int64_t>(turn.spelled.size());
                 token.verdict.position = begin + static_cast<std::int32_t>(i);
                 token.verdict.source = VerdictSource::carried;
                 token.verdict.is_settled = true;
                 turn.tokens.push_back(token);
               }
               carry_from(turn, n_before);
               return n_before;
             }));
  static_cast<void>(update);
  for (std::size_t i = 0; i < ids.size(); ++i) out[i] = turns_.back().tokens[n_before + i].verdict;
  return {};
}

Result<TurnVerdict> GenStream::end_turn() {
  if (turns_.empty() || !turns_.back().is_open)
    return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  TurnVerdict out;
  out.role = turns_.back().role;
  Q3G_ASSIGN(const StreamUpdate update, change_turn([&](Turn& turn) -> Result<std::size_t> {
               std::size_t first = turn.tokens.size();
               if (turn.text) {
                 Q3G_TRY(turn.text->finish());
                 first = turn.text->n_unchanged();
                 follow_text(turn, first);
               }
               if (turn.role == Role::assistant && !turn.tokens.empty() && !turn.is_stopped) {
                 std::size_t changed = first;
                 Q3G_TRY(judge_due(changed));
                 // A rewind can leave a token with a verdict last, while `written` is about text that is
                 // gone.
                 if (turn.tokens.back().verdict.source != VerdictSource::written ||
                     turn.written_bytes != turn.bytes().size())
                   Q3G_TRY(judge_at(turn.tokens.size() - 1, changed));
                 first = changed;
               } else if (turn.role == Role::user) {
                 ClassifyOptions options;
                 options.policy.mode = options_.policy.mode;
                 options.cancel = options_.cancel;
                 Q3G_ASSIGN(turn.written, guard_->classify_gen(conversation(turn.bytes()), options));
                 turn.written_bytes = turn.bytes().size();
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
  static_cast<void>(update);
  Turn& turn = turns_.back();
  turn.is_open = false;
  turn.end_state = turn.tokens.empty() ? PolicyState() : turn.tokens.back().state;
  if (turn.role == Role::assistant)
    turn.end_state.end_turn(options_.policy, static_cast<std::int32_t>(turn.tokens.size()) - 1);
  if (!turn.is_stopped && turn.written_bytes == turn.bytes().size()) out.written = turn.written;
  out.decision = decision();
  return out;
}

}  // namespace qwen3guard::detail
