// SPDX-License-Identifier: Apache-2.0
#include "server/http/request_id.hpp"

#include "server/digest.hpp"

namespace qwen3guard::server {

std::string request_id_of(std::string_view given) {
  constexpr std::size_t kMaxBytes = 128, kRandomBytes = 12;
  constexpr std::string_view kFit = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
  const bool is_fit =
      !given.empty() && given.size() <= kMaxBytes && given.find_first_not_of(kFit) == std::string_view::npos;
  return is_fit ? std::string(given) : "req-" + random_hex(kRandomBytes);
}

}  // namespace qwen3guard::server
