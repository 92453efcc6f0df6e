// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_CHECKSUM_HPP
#define QWEN3GUARD_SRC_UTIL_CHECKSUM_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace qwen3guard::detail {

/// XXH3, 64 bits, seed 0: finds damage, not malice. Several GB/s.
[[nodiscard]] std::uint64_t checksum(std::span<const std::byte> bytes) noexcept;

/// The same over bytes that come in pieces. Move-only. The constructor throws std::bad_alloc.
class RunningChecksum {
 public:
  RunningChecksum();
  RunningChecksum(RunningChecksum&&) noexcept;
  RunningChecksum& operator=(RunningChecksum&&) noexcept;
  ~RunningChecksum();
  void add(std::span<const std::byte> bytes) noexcept;
  /// Of all bytes so far.
  [[nodiscard]] std::uint64_t value() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 16 lower-case hexadecimal digits.
[[nodiscard]] std::string checksum_text(std::uint64_t sum);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_CHECKSUM_HPP
