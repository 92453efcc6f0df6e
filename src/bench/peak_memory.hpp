// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_BENCH_PEAK_MEMORY_HPP
#define QWEN3GUARD_SRC_BENCH_PEAK_MEMORY_HPP

#include <cstdint>

namespace qwen3guard::bench {

/// The most memory that this process has had resident so far, in bytes; pages of mapped files that were
/// touched count. 0 when the system does not tell.
[[nodiscard]] std::int64_t peak_resident_bytes() noexcept;

}  // namespace qwen3guard::bench

#endif  // QWEN3GUARD_SRC_BENCH_PEAK_MEMORY_HPP
