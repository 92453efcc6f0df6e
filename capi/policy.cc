// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

q3g_status q3g_policy_check(const q3g_policy* policy, q3g_error* err) noexcept {
  return call(err, "q3g_policy_check", [&]() -> Status {
    const auto rule = read_policy(policy);
    return rule.ok() ? Status() : rule.error();
  });
}

q3g_status q3g_policy_counted_severity(const q3g_policy* policy, const q3g_token_verdict* token,
                                       int32_t* severity, q3g_error* err) noexcept {
  return call(err, "q3g_policy_counted_severity", [&]() -> Status {
    if (severity == nullptr) return bad_argument("severity is NULL");
    Q3G_ASSIGN(const DecisionPolicy rule, read_policy(policy));
    Q3G_ASSIGN(const auto in, read_struct(token, "token", q3g_token_verdict{}));
    Q3G_ASSIGN(const TokenVerdict verdict, from_c(in));
    *severity = static_cast<std::int32_t>(counted_severity(rule, verdict));
    return {};
  });
}

q3g_status q3g_policy_decide(const q3g_policy* policy, q3g_token_verdict* tokens, size_t n_tokens,
                             int32_t has_ended, q3g_decision* out, q3g_error* err) noexcept {
  return call(err, "q3g_policy_decide", [&]() -> Status {
    Q3G_ASSIGN(const DecisionPolicy rule, read_policy(policy));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const bool is_over, bool_of(has_ended, "has_ended"));
    Q3G_ASSIGN(const auto all, Elements<q3g_token_verdict>::of(tokens, n_tokens, "tokens"));
    std::vector<TokenVerdict> verdicts;
    for (std::size_t i = 0; i < n_tokens; ++i) {
      Q3G_ASSIGN(const q3g_token_verdict in, all.read(i));
      Q3G_ASSIGN(verdicts.emplace_back(), from_c(in));
    }
    place.write(to_c(decide(rule, verdicts, is_over)));
    for (std::size_t i = 0; i < n_tokens; ++i) all.write(i, to_c(verdicts[i]));
    return {};
  });
}

q3g_status q3g_decision_explain(const q3g_decision* decision, char* text, size_t capacity, size_t* n_bytes,
                                q3g_error* err) noexcept {
  return call(err, "q3g_decision_explain", [&]() -> Status {
    Q3G_ASSIGN(const auto in, read_struct(decision, "decision", q3g_decision{}));
    Q3G_ASSIGN(const Decision what, from_c(in));
    const std::string found = explain(what);
    return write_buffer(found.data(), found.size(), text, capacity, n_bytes);
  });
}
