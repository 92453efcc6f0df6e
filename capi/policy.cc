// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

q3g_status q3g_policy_check(const q3g_policy* policy, q3g_error* err) noexcept {
  return call(err, "q3g_policy_check", [&] { (void)read_policy(policy); });
}

q3g_status q3g_policy_counted_severity(const q3g_policy* policy, const q3g_token_verdict* token,
                                       int32_t* severity, q3g_error* err) noexcept {
  return call(err, "q3g_policy_counted_severity", [&] {
    if (severity == nullptr) bad_argument("severity is NULL");
    const DecisionPolicy rule = read_policy(policy);
    const TokenVerdict verdict = from_c(read_struct(token, "token", q3g_token_verdict{}));
    *severity = static_cast<std::int32_t>(counted_severity(rule, verdict));
  });
}

q3g_status q3g_policy_decide(const q3g_policy* policy, q3g_token_verdict* tokens, size_t n_tokens,
                             int32_t has_ended, q3g_decision* out, q3g_error* err) noexcept {
  return call(err, "q3g_policy_decide", [&] {
    const DecisionPolicy rule = read_policy(policy);
    const auto place = need(out, "out");
    const bool is_over = bool_of(has_ended, "has_ended");
    const Elements<q3g_token_verdict> all(tokens, n_tokens, "tokens");
    std::vector<TokenVerdict> verdicts;
    for (std::size_t i = 0; i < n_tokens; ++i) verdicts.push_back(from_c(all.read(i)));
    place.write(to_c(decide(rule, verdicts, is_over)));
    for (std::size_t i = 0; i < n_tokens; ++i) all.write(i, to_c(verdicts[i]));
  });
}

q3g_status q3g_decision_explain(const q3g_decision* decision, char* text, size_t capacity, size_t* n_bytes,
                                q3g_error* err) noexcept {
  return call(err, "q3g_decision_explain", [&] {
    const std::string found = explain(from_c(read_struct(decision, "decision", q3g_decision{})));
    write_buffer(found.data(), found.size(), text, capacity, n_bytes);
  });
}
