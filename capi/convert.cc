// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"

#include <algorithm>

#include "util/utf8.hpp"

namespace qwen3guard::capi {
namespace {

/// The three fields that several structs have.
template <class Struct>
void set_probabilities(Struct& out, const SeverityProbabilities& in) noexcept {
  out.p_safe = in.safe;
  out.p_controversial = in.controversial;
  out.p_unsafe = in.unsafe;
}

template <class Struct>
SeverityProbabilities to_probabilities(const Struct& in) noexcept {
  return {in.p_safe, in.p_controversial, in.p_unsafe};
}

template <std::size_t n>
void set_text(char (&out)[n], std::string_view text) noexcept {
  const std::size_t n_bytes = std::min(text.size(), n - 1);  // policies have no longer names
  std::copy_n(text.data(), n_bytes, out);
  out[n_bytes] = '\0';
}

/// The fields of a ruling that verdicts and decisions have; each has a place of its own for the action.
template <class Struct>
void set_rule(Struct& out, const Ruling& in) noexcept {
  out.rule = static_cast<std::int32_t>(in.rule);
  out.rule_category = in.category ? static_cast<std::int32_t>(*in.category) : -1;
  out.rule_phrase = in.phrase;
  out.rule_position = in.position.value_or(-1);
  out.rule_is_settled = in.is_settled ? 1 : 0;
  out.rule_score = in.score;
  out.rule_byte_begin = in.byte_begin;
  out.rule_byte_end = in.byte_end;
  set_text(out.policy_name, in.policy_name);
  set_text(out.policy_version, in.policy_version);
}

/// The text of a field that ends with NUL, or fills it: UTF-8, as it is written into sentences.
template <std::size_t n>
Result<std::string> text_in(const char (&field)[n], const std::string& name) {
  const std::string_view text(field, static_cast<std::size_t>(std::find(field, field + n, '\0') - field));
  if (const auto at = detail::find_invalid_utf8(text))
    return failure(Q3G_E_INVALID_UTF8, name, ": ill-formed UTF-8 at byte ", *at);
  return std::string(text);
}

/// name: of the struct, for errors.
template <class Struct>
Result<Ruling> rule_of(const Struct& in, std::int32_t action, const std::string& name) {
  Ruling out;
  Q3G_ASSIGN(out.action, enum_of<Action>(action, 4, (name + ".action").c_str()));
  Q3G_ASSIGN(out.rule, enum_of<Rule>(in.rule, 8, (name + ".rule").c_str()));
  if (in.rule_category != -1) {
    Q3G_ASSIGN(out.category,
               enum_of<Category>(in.rule_category, kCategoryCount, (name + ".rule_category").c_str()));
  }
  out.phrase = in.rule_phrase;
  if (in.rule_position >= 0) out.position = in.rule_position;
  Q3G_ASSIGN(out.is_settled, bool_of(in.rule_is_settled, (name + ".rule_is_settled").c_str()));
  out.score = in.rule_score;
  out.byte_begin = in.rule_byte_begin;
  out.byte_end = in.rule_byte_end;
  Q3G_ASSIGN(out.policy_name, text_in(in.policy_name, name + ".policy_name"));
  Q3G_ASSIGN(out.policy_version, text_in(in.policy_version, name + ".policy_version"));
  return out;
}

/// What a decision's own fields say about the token where it fell.
Result<TokenVerdict> token_of(const q3g_decision& in) {
  TokenVerdict out;
  Q3G_ASSIGN(out.severity,
             enum_of<Severity>(in.token_severity, kSeverityCount + 1, "decision.token_severity"));
  out.probabilities = to_probabilities(in);
  Q3G_ASSIGN(out.category, enum_of<Category>(in.category, kCategoryCount, "decision.category"));
  std::copy(std::begin(in.category_probabilities), std::end(in.category_probabilities),
            out.category_probabilities.begin());
  out.position = in.position;
  out.id = in.token_id;
  Q3G_ASSIGN(out.source, enum_of<VerdictSource>(in.source, 4, "decision.source"));
  Q3G_ASSIGN(out.is_settled, bool_of(in.is_settled, "decision.is_settled"));
  out.byte_begin = in.byte_begin;
  out.byte_end = in.byte_end;
  return out;
}

}  // namespace

q3g_token_verdict to_c(const TokenVerdict& in) noexcept {
  q3g_token_verdict out{};
  out.severity = static_cast<std::int32_t>(in.severity);
  set_probabilities(out, in.probabilities);
  out.category = static_cast<std::int32_t>(in.category);
  std::copy(in.category_probabilities.begin(), in.category_probabilities.end(), out.category_probabilities);
  out.position = in.position;
  out.id = in.id;
  out.source = static_cast<std::int32_t>(in.source);
  out.action = static_cast<std::int32_t>(in.action);
  out.counts = in.counts ? 1 : 0;
  out.is_settled = in.is_settled ? 1 : 0;
  out.byte_begin = in.byte_begin;
  out.byte_end = in.byte_end;
  return out;
}

Result<TokenVerdict> from_c(const q3g_token_verdict& in) {
  TokenVerdict out;
  Q3G_TRY(need_zero(static_cast<std::uint32_t>(in.reserved), "token"));
  Q3G_ASSIGN(out.severity, enum_of<Severity>(in.severity, kSeverityCount + 1, "token.severity"));
  out.probabilities = to_probabilities(in);
  Q3G_ASSIGN(out.category, enum_of<Category>(in.category, kCategoryCount, "token.category"));
  std::copy(std::begin(in.category_probabilities), std::end(in.category_probabilities),
            out.category_probabilities.begin());
  out.position = in.position;
  out.id = in.id;
  Q3G_ASSIGN(out.source, enum_of<VerdictSource>(in.source, 4, "token.source"));
  Q3G_ASSIGN(out.action, enum_of<Action>(in.action, 4, "token.action"));
  Q3G_ASSIGN(out.counts, bool_of(in.counts, "token.counts"));
  Q3G_ASSIGN(out.is_settled, bool_of(in.is_settled, "token.is_settled"));
  out.byte_begin = in.byte_begin;
  out.byte_end = in.byte_end;
  return out;
}

q3g_decision to_c(const Decision& in) noexcept {
  q3g_decision out{};
  out.severity = static_cast<std::int32_t>(in.severity);
  out.position = in.position.value_or(-1);
  out.reason = static_cast<std::int32_t>(in.reason);
  out.n_run_tokens = in.n_run_tokens;
  out.action = static_cast<std::int32_t>(in.action);
  out.ruling_action = static_cast<std::int32_t>(in.ruling.action);
  set_rule(out, in.ruling);
  out.is_complete = in.is_complete ? 1 : 0;
  out.run_byte_begin = in.run_byte_begin;
  out.unjudged_begin = in.unjudged_begin;
  out.unjudged_end = in.unjudged_end;
  out.is_settled = in.is_settled ? 1 : 0;
  out.token_id = -1;
  if (!in.token) return out;
  out.has_token = 1;
  out.byte_begin = in.token->byte_begin;
  out.byte_end = in.token->byte_end;
  out.token_severity = static_cast<std::int32_t>(in.token->severity);
  out.category = static_cast<std::int32_t>(in.token->category);
  out.token_id = in.token->id;
  out.source = static_cast<std::int32_t>(in.token->source);
  set_probabilities(out, in.token->probabilities);
  std::copy(in.token->category_probabilities.begin(), in.token->category_probabilities.end(),
            out.category_probabilities);
  return out;
}

Result<Decision> from_c(const q3g_decision& in) {
  Decision out;
  Q3G_TRY(need_zero(static_cast<std::uint32_t>(in.reserved), "decision"));
  Q3G_ASSIGN(out.severity, enum_of<Severity>(in.severity, kSeverityCount + 1, "decision.severity"));
  if (in.position >= 0) out.position = in.position;
  Q3G_ASSIGN(out.reason, enum_of<DecisionReason>(in.reason, 5, "decision.reason"));
  out.n_run_tokens = in.n_run_tokens;
  Q3G_ASSIGN(out.action, enum_of<Action>(in.action, 4, "decision.action"));
  Q3G_ASSIGN(out.ruling, rule_of(in, in.ruling_action, "decision"));
  Q3G_ASSIGN(out.is_complete, bool_of(in.is_complete, "decision.is_complete"));
  out.run_byte_begin = in.run_byte_begin;
  out.unjudged_begin = in.unjudged_begin;
  out.unjudged_end = in.unjudged_end;
  Q3G_ASSIGN(out.is_settled, bool_of(in.is_settled, "decision.is_settled"));
  Q3G_ASSIGN(const bool has_token, bool_of(in.has_token, "decision.has_token"));
  if (has_token) {
    Q3G_ASSIGN(out.token, token_of(in));
  }
  return out;
}

q3g_update to_c(const StreamUpdate& in) noexcept {
  q3g_update out{};
  out.first = in.first;
  out.n_tokens = in.tokens.size();
  out.n_settled = in.n_settled;
  out.stopped_at_byte = in.stopped_at_byte.value_or(-1);
  return out;
}

q3g_turn to_c(const TurnVerdict& in) noexcept {
  q3g_turn out{};
  out.role = static_cast<std::int32_t>(in.role);
  out.has_prompt = in.prompt ? 1 : 0;
  out.has_written = in.written ? 1 : 0;
  return out;
}

namespace {

/// `value` with the fields that are the caller's as they are in the caller's struct.
void write_keeping_text(const Out<q3g_verdict>& out, q3g_verdict value) noexcept {
  q3g_verdict old{};
  std::memcpy(&old, out.at(), sizeof old);
  value.text = old.text;
  value.text_capacity = old.text_capacity;
  out.write(value);
}

}  // namespace

void write_verdict(const Out<q3g_verdict>& out, const Verdict& in) noexcept {
  if (!out.is_wanted()) return;
  q3g_verdict value{};
  value.role = static_cast<std::int32_t>(in.role);
  value.severity = static_cast<std::int32_t>(in.severity);
  value.action = static_cast<std::int32_t>(in.ruling.action);
  set_rule(value, in.ruling);
  if (in.window) {
    value.n_windows = in.window->n_windows;
    value.window_index = in.window->index;
    value.window_byte_begin = in.window->byte_begin;
    value.window_byte_end = in.window->byte_end;
  }
  value.is_of_folded_copy = in.is_of_folded_copy ? 1 : 0;
  set_probabilities(value, in.probabilities);
  value.position = in.position.value_or(-1);
  for (const CategoryScore& score : in.categories) {
    const std::int32_t i = value.n_categories;
    if (i == Q3G_CATEGORY_COUNT) break;
    value.categories[i] = static_cast<std::int32_t>(score.category);
    value.category_probabilities[i] = score.probability;
    ++value.n_categories;
  }
  if (in.refusal) {
    value.has_refusal = 1;
    value.refusal = in.refusal->value ? 1 : 0;
    value.refusal_probability = in.refusal->probability;
  }
  value.prompt_tokens = in.tokens.prompt;
  value.cached_tokens = in.tokens.cached;
  value.generated_tokens = in.tokens.generated;
  value.latency_ms = in.latency_ms;
  value.text_bytes = in.text.size();
  value.n_dropped_messages = static_cast<std::int32_t>(in.dropped_messages.size());
  std::copy_n(in.dropped_messages.begin(),
              std::min<std::size_t>(in.dropped_messages.size(), Q3G_DROPPED_MESSAGES_SHOWN),
              value.dropped_messages);
  write_keeping_text(out, value);
  q3g_verdict written{};
  std::memcpy(&written, out.at(), sizeof written);
  if (written.text != nullptr && in.text.size() <= written.text_capacity)
    std::copy(in.text.begin(), in.text.end(), written.text);
}

Result<Verdict> from_c(const q3g_verdict& in) {
  Verdict out;
  Q3G_ASSIGN(out.role, enum_of<Role>(in.role, 4, "verdict.role"));
  Q3G_ASSIGN(out.severity, enum_of<Severity>(in.severity, kSeverityCount + 1, "verdict.severity"));
  out.probabilities = to_probabilities(in);
  if (in.position >= 0) out.position = in.position;
  if (in.n_categories < 0 || in.n_categories > Q3G_CATEGORY_COUNT)
    return bad_argument("verdict.n_categories is ", in.n_categories, "; expected 0 to ", Q3G_CATEGORY_COUNT);
  for (std::int32_t i = 0; i < in.n_categories; ++i) {
    Q3G_ASSIGN(const auto category,
               enum_of<Category>(in.categories[i], kCategoryCount, "verdict.categories"));
    out.categories.push_back({category, in.category_probabilities[i]});
  }
  if (in.n_windows > 0)
    out.window = VerdictWindow{in.window_index, in.n_windows, in.window_byte_begin, in.window_byte_end};
  Q3G_ASSIGN(out.ruling, rule_of(in, in.action, "verdict"));
  return out;
}

void write_rule(const Out<q3g_verdict>& out, const Ruling& ruling) noexcept {
  q3g_verdict value{};
  std::memcpy(&value, out.at(), sizeof value);
  value.action = static_cast<std::int32_t>(ruling.action);
  set_rule(value, ruling);
  out.write(value);
}

void write_no_verdict(const Out<q3g_verdict>& out, q3g_status status, const Ruling& ruling) noexcept {
  q3g_verdict value{};
  value.status = status;
  value.position = -1;
  value.action = static_cast<std::int32_t>(ruling.action);
  set_rule(value, ruling);
  write_keeping_text(out, value);
}

void TokenBuffer::write(const std::vector<TokenVerdict>& verdicts) const noexcept {
  for (std::size_t i = 0; i < std::min(verdicts.size(), elements_.size()); ++i)
    elements_.write(i, to_c(verdicts[i]));
}

}  // namespace qwen3guard::capi
