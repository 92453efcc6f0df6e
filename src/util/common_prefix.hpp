// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_COMMON_PREFIX_HPP
#define QWEN3GUARD_SRC_UTIL_COMMON_PREFIX_HPP

#include <algorithm>
#include <cstddef>
#include <span>

#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// How many tokens both begin with.
[[nodiscard]] inline std::size_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_COMMON_PREFIX_HPP
