// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CALLS_VERDICT_PARTS_HPP
#define QWEN3GUARD_SRC_GUARD_CALLS_VERDICT_PARTS_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <tuple>

#include "guard/policy/ruling.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Whose verdict is kept of parts of a message that were judged apart: the index of the worst, by severity
/// (not judged is worse than Safe), then by action, then by P(Unsafe) + P(Controversial); of equal ones the
/// first. Precondition: there is one.
[[nodiscard]] inline std::size_t worst_verdict(std::span<const Verdict> parts) noexcept {
  const auto key = [&](std::size_t i) {
    const Verdict& v = parts[i];
    const int rank = v.severity == Severity::safe         ? 0
                     : v.severity == Severity::not_judged ? 1
                                                          : static_cast<int>(v.severity);
    return std::tuple(rank, strictness(v.ruling.action),
                      v.probabilities.unsafe + v.probabilities.controversial);
  };
  std::size_t worst = 0;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (key(i) > key(worst)) worst = i;
  }
  return worst;
}

/// What parts took together; the largest number where there is none for it.
inline void add_tokens(TokenUsage& sum, const TokenUsage& tokens) noexcept {
  const auto add = [](std::int32_t& a, std::int32_t b) {
    constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
    a = a > kMax - b ? kMax : a + b;
  };
  add(sum.prompt, tokens.prompt);
  add(sum.cached, tokens.cached);
  add(sum.generated, tokens.generated);
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CALLS_VERDICT_PARTS_HPP
