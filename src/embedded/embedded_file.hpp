// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_FILE_HPP
#define QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_FILE_HPP

#include <cstddef>
#include <span>

namespace qwen3guard::detail {

/// One file of a model that is compiled in.
struct EmbeddedFile {
  const char* name = nullptr;  ///< nullptr: there is none
  std::span<const std::byte> bytes;
};

/// The index-th file of a model; none behind the last.
using EmbeddedFileAt = EmbeddedFile (*)(std::size_t index) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_FILE_HPP
