// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_RULING_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_RULING_HPP

#include <span>
#include <tuple>

#include "qwen3guard/policy.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// A ruling that says nothing yet but whose it is. Throws std::bad_alloc.
[[nodiscard]] inline Ruling empty_ruling(const Policy& policy) {
  Ruling out;
  out.policy_name = policy.name();
  out.policy_version = policy.version();
  return out;
}

/// The ruling on what the model said: decide() without lists. Errors: as decide(). Throws std::bad_alloc.
[[nodiscard]] Result<Ruling> rule_on_verdict(const Policy& policy, const Verdict& verdict);

/// How much an action holds back. `none`, which is no leave, is above allow.
[[nodiscard]] constexpr int strictness(Action action) noexcept {
  return action == Action::allow ? 0 : action == Action::none ? 1 : action == Action::flag ? 2 : 3;
}

/// The place of a ruling on one window of a message, when it is about all of that.
inline void place_in_window(Ruling& ruling, const VerdictWindow& window, Role role) noexcept {
  if (role != Role::user && ruling.byte_begin < ruling.byte_end) return;
  ruling.byte_begin = window.byte_begin;
  ruling.byte_end = window.byte_end;
}

/// Of the rulings on all parts of a message the strictest; of equally strict ones that which says more than
/// that nothing was found, then that of the highest score, then the first. It depends on nothing but them, so
/// that decide() chooses as classify() does. Precondition: there is one.
[[nodiscard]] inline const Ruling& strictest_ruling(std::span<const Ruling> rulings) noexcept {
  const auto key = [](const Ruling& ruling) {
    return std::tuple(strictness(ruling.action), ruling.rule != Rule::safe, ruling.score);
  };
  const Ruling* out = &rulings.front();
  for (const Ruling& ruling : rulings) {
    if (key(ruling) > key(*out)) out = &ruling;
  }
  return *out;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_RULING_HPP
