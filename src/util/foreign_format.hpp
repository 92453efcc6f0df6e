// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_FOREIGN_FORMAT_HPP
#define QWEN3GUARD_SRC_UTIL_FOREIGN_FORMAT_HPP

#include <cstddef>
#include <span>
#include <string_view>

namespace qwen3guard::detail {

/// What a file is that was given, or downloaded, in the place of a model's, and what to do: "a git-lfs
/// pointer and not the file itself; ...". Looks at the first bytes only; empty when they are none of the
/// known formats. Static storage. Pure.
[[nodiscard]] std::string_view foreign_format(std::span<const std::byte> bytes) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_FOREIGN_FORMAT_HPP
