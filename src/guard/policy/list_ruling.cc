// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/list_ruling.hpp"

#include "guard/policy/policy_impl.hpp"
#include "guard/policy/ruling.hpp"

namespace qwen3guard::detail {

const PhraseMatcher* denied_phrases(const Policy& policy) noexcept {
  const Policy::Impl* impl = policy.impl();
  return impl != nullptr && impl->phrases.has_deny_phrases() ? &impl->phrases : nullptr;
}

Ruling rule_on_hit(const Policy& policy, const ScannedHit& hit) {
  Ruling out = empty_ruling(policy);
  out.action = Action::block;
  out.rule = Rule::deny_list;
  out.phrase = hit.hit.phrase;
  out.byte_begin = hit.hit.byte_begin;
  out.byte_end = hit.hit.byte_end;
  out.is_settled = hit.is_settled;
  return out;
}

std::optional<Ruling> rule_by_lists(const Policy& policy, std::string_view text) {
  const PhraseMatcher* phrases = denied_phrases(policy);
  if (phrases == nullptr) return std::nullopt;
  const auto hit = phrases->find(text);
  if (!hit) return std::nullopt;
  return rule_on_hit(policy, {*hit, true});
}

void add_hit(const Policy& policy, const ScannedHit& hit, std::optional<std::int32_t> position,
             Decision& decision) {
  decision.action = Action::block;
  const Ruling& ruling = decision.ruling;
  const bool has_place = ruling.byte_begin < ruling.byte_end;
  if (ruling.action == Action::block && has_place && ruling.byte_begin <= hit.hit.byte_begin) return;
  decision.ruling = rule_on_hit(policy, hit);
  decision.ruling.position = position;
}

}  // namespace qwen3guard::detail
