// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

q3g_status q3g_policy_load(const char* path, size_t path_bytes, q3g_policy** out, q3g_error* err) noexcept {
  return call(err, "q3g_policy_load", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const std::string_view file, path_of(path, path_bytes, "path"));
    Q3G_ASSIGN(Policy policy, Policy::load(file));
    *out = make_handle<q3g_policy>(std::move(policy));
    return {};
  });
}

q3g_status q3g_policy_parse(const char* json, size_t json_bytes, q3g_policy** out, q3g_error* err) noexcept {
  return call(err, "q3g_policy_parse", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const std::string_view text, text_of(json, json_bytes, "json"));
    Q3G_ASSIGN(Policy policy, Policy::parse(text));
    *out = make_handle<q3g_policy>(std::move(policy));
    return {};
  });
}

q3g_status q3g_policy_preset(const char* name, size_t name_bytes, q3g_policy** out, q3g_error* err) noexcept {
  return call(err, "q3g_policy_preset", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const std::string_view text, text_of(name, name_bytes, "name"));
    Q3G_ASSIGN(Policy policy, Policy::preset(text));
    *out = make_handle<q3g_policy>(std::move(policy));
    return {};
  });
}

const char* q3g_policy_preset_name(size_t index) noexcept {
  const auto names = Policy::presets();
  return index < names.size() ? names[index].data() : nullptr;
}

q3g_status q3g_policy_to_json(const q3g_policy* policy, char* text, size_t capacity, size_t* n_bytes,
                              q3g_error* err) noexcept {
  return call(err, "q3g_policy_to_json", [&]() -> Status {
    Q3G_ASSIGN(const Policy rules, policy_of(policy));
    const std::string json = rules.to_json();
    return write_buffer(json.data(), json.size(), text, capacity, n_bytes);
  });
}

q3g_status q3g_policy_describe(const q3g_policy* policy, char* text, size_t capacity, size_t* n_bytes,
                               q3g_error* err) noexcept {
  return call(err, "q3g_policy_describe", [&]() -> Status {
    Q3G_ASSIGN(const Policy rules, policy_of(policy));
    const std::string words = rules.describe();
    return write_buffer(words.data(), words.size(), text, capacity, n_bytes);
  });
}

void q3g_policy_free(q3g_policy* policy) noexcept { free_handle(policy); }

q3g_status q3g_policy_unjudged_action(const q3g_policy* policy, int32_t* action, q3g_error* err) noexcept {
  return call(err, "q3g_policy_unjudged_action", [&]() -> Status {
    if (action == nullptr) return bad_argument("action is NULL");
    Q3G_ASSIGN(const Policy rules, policy_of(policy));
    *action = static_cast<std::int32_t>(rule_unjudged(rules).action);
    return {};
  });
}

q3g_status q3g_policy_decide_verdict(const q3g_policy* policy, q3g_verdict* verdict, const char* text,
                                     size_t text_bytes, q3g_error* err) noexcept {
  return call(err, "q3g_policy_decide_verdict", [&]() -> Status {
    Q3G_ASSIGN(const Policy rules, policy_of(policy));
    Q3G_ASSIGN(const auto place, need(verdict, "verdict"));
    Q3G_ASSIGN(const auto in, read_struct(verdict, "verdict", q3g_verdict{}));
    Q3G_ASSIGN(const Verdict stored, from_c(in));
    Q3G_ASSIGN(const std::string_view message, text_of(text, text_bytes, "text"));
    Q3G_ASSIGN(const Ruling ruling, decide(rules, stored, message));
    write_rule(place, ruling);
    return {};
  });
}

q3g_status q3g_policy_decide(const q3g_policy* policy, int32_t role, q3g_token_verdict* tokens,
                             size_t n_tokens, int32_t has_ended, q3g_decision* out, q3g_error* err) noexcept {
  return call(err, "q3g_policy_decide", [&]() -> Status {
    Q3G_ASSIGN(const Policy rules, policy_of(policy));
    Q3G_ASSIGN(const Role who, enum_of<Role>(role, 4, "role"));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const bool is_over, bool_of(has_ended, "has_ended"));
    Q3G_ASSIGN(const auto all, Elements<q3g_token_verdict>::of(tokens, n_tokens, "tokens"));
    std::vector<TokenVerdict> verdicts;
    for (std::size_t i = 0; i < n_tokens; ++i) {
      Q3G_ASSIGN(const q3g_token_verdict in, all.read(i));
      Q3G_ASSIGN(verdicts.emplace_back(), from_c(in));
    }
    place.write(to_c(decide(rules, who, verdicts, is_over)));
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
