// SPDX-License-Identifier: Apache-2.0
#include "util/checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace qwen3guard::detail {

// The state wants 64-byte alignment; operator new sees to it.
struct RunningChecksum::State {
  XXH3_state_t xxh;
};

std::uint64_t checksum(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

RunningChecksum::RunningChecksum() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->xxh); }
RunningChecksum::RunningChecksum(RunningChecksum&&) noexcept = default;
RunningChecksum& RunningChecksum::operator=(RunningChecksum&&) noexcept = default;
RunningChecksum::~RunningChecksum() = default;

void RunningChecksum::add(std::span<const std::byte> bytes) noexcept {
  XXH3_64bits_update(&state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t RunningChecksum::value() const noexcept { return XXH3_64bits_digest(&state_->xxh); }

std::string checksum_text(std::uint64_t sum) {
  std::string text(16, '0');
  for (std::size_t i = 0; i < text.size(); ++i) text[15 - i] = "0123456789abcdef"[(sum >> (4 * i)) & 15];
  return text;
}

}  // namespace qwen3guard::detail
