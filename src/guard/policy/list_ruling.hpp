// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_LIST_RULING_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_LIST_RULING_HPP

#include <optional>
#include <string_view>

#include "guard/lists/phrase_scanner.hpp"
#include "qwen3guard/policy.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

/// What a policy's lists rule. The functions throw std::bad_alloc.
namespace qwen3guard::detail {

/// The policy's compiled lists; null when it denies no phrase.
[[nodiscard]] const PhraseMatcher* denied_phrases(const Policy& policy) noexcept;

/// The ruling on a hit.
[[nodiscard]] Ruling rule_on_hit(const Policy& policy, const ScannedHit& hit);

/// The ruling on a whole message; empty when no phrase that is denied stands in it.
[[nodiscard]] std::optional<Ruling> rule_by_lists(const Policy& policy, std::string_view text);

/// A hit in the text that a decision is about. The decision blocks; of two rulings that block, the one whose
/// text begins first stays: what to take back begins there. position: the token in which the hit ends.
void add_hit(const Policy& policy, const ScannedHit& hit, std::optional<std::int32_t> position,
             Decision& decision);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_LIST_RULING_HPP
