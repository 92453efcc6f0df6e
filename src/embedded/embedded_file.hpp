// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_FILE_HPP
#define QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_FILE_HPP

#include <cstddef>
#include <span>

namespace qwen3guard::detail {

/// One file of a model that is compiled in. Another model may have the same bytes.
struct EmbeddedFile {
  const char* model = nullptr;  ///< nullptr: there is none
  const char* name = nullptr;   ///< without a folder: "config.json", "nano.q3g"
  std::span<const std::byte> bytes;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_FILE_HPP
