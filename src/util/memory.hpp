// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_MEMORY_HPP
#define QWEN3GUARD_SRC_UTIL_MEMORY_HPP

#include <memory>
#include <memory_resource>

namespace qwen3guard::detail {

/// Where large blocks come from; null: operator new. Every block keeps it alive.
using Memory = std::shared_ptr<std::pmr::memory_resource>;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_MEMORY_HPP
