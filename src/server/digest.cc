// SPDX-License-Identifier: Apache-2.0
#include "server/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>
#include <vector>

namespace qwen3guard::server {
namespace {

std::string to_hex(const unsigned char* bytes, std::size_t n) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

void check(int result) {
  if (result != 1) throw std::runtime_error("OpenSSL refuses to compute a digest");
}

}  // namespace

class Sha256::Impl {
 public:
  Impl() : context(EVP_MD_CTX_new()) { check(EVP_DigestInit_ex(context, EVP_sha256(), nullptr)); }
  ~Impl() { EVP_MD_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  EVP_MD_CTX* context;
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::~Sha256() = default;

void Sha256::update(std::string_view bytes) {
  check(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()));
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int n = 0;
  check(EVP_DigestFinal_ex(impl_->context, digest.data(), &n));
  return to_hex(digest.data(), n);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.hex();
}

bool equal_secrets(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_hex(std::size_t n_bytes) {
  std::vector<unsigned char> bytes(n_bytes);
  check(RAND_bytes(bytes.data(), static_cast<int>(n_bytes)));
  return to_hex(bytes.data(), n_bytes);
}

}  // namespace qwen3guard::server
