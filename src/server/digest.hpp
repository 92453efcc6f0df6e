// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DIGEST_HPP
#define QWEN3GUARD_SRC_SERVER_DIGEST_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace qwen3guard::server {

/// SHA-256 (FIPS 180-4) of bytes that come in pieces. Throws std::runtime_error when the library that
/// computes it refuses.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  /// 64 hexadecimal digits. Ends it.
  [[nodiscard]] std::string hex();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes);
/// True when they are equal; takes the same time wherever they differ.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b) noexcept;
/// So many random bytes as hexadecimal digits, for names that nobody should guess.
[[nodiscard]] std::string random_hex(std::size_t n_bytes);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DIGEST_HPP
