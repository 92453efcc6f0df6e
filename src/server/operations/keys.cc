// SPDX-License-Identifier: Apache-2.0
#include "server/operations/keys.hpp"

#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/digest.hpp"

namespace qwen3guard::server {
namespace {

/// A key that a person made up is none.
constexpr std::size_t kMinKeyBytes = 16;

}  // namespace

std::string_view key_in(const Headers& headers) noexcept {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view given = find(headers, "authorization");
  if (given.size() > kBearer.size() && equal_names(given.substr(0, kBearer.size()), kBearer))
    return given.substr(kBearer.size());
  for (const char* name : {"x-api-key", "api-key", "ocp-apim-subscription-key", "x-goog-api-key"}) {
    if (const std::string_view key = find(headers, name); !key.empty()) return key;
  }
  return "";
}

void Keys::reload() {
  if (path_.empty()) return;
  std::ifstream in(path_, std::ios::binary);
  if (!in) throw std::runtime_error("the file of keys " + printable(path_) + " cannot be read");
  std::vector<Key> keys;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t space = line.find(' ');
    const std::string key = space == std::string::npos ? "" : line.substr(space + 1);
    if (space == 0 || key.size() < kMinKeyBytes || key.find_first_of(" \t") != std::string::npos) {
      throw std::runtime_error(printable(path_) + ": line " + std::to_string(number) +
                               ": expected a name, a space, and a key of " + std::to_string(kMinKeyBytes) +
                               " or more characters without spaces");
    }
    keys.push_back({line.substr(0, space), sha256_hex(key)});
  }
  if (in.bad()) throw std::runtime_error("the file of keys " + printable(path_) + " cannot be read");
  if (keys.empty()) throw std::runtime_error(printable(path_) + ": no key in it");
  keys_ = std::move(keys);
}

std::optional<std::string> Keys::name_of(std::string_view key) const {
  if (!are_wanted()) return "";
  const std::string digest = sha256_hex(key);
  std::optional<std::string> name;
  for (const Key& known : keys_) {
    if (equal_secrets(known.digest, digest)) name = known.name;
  }
  return name;
}

}  // namespace qwen3guard::server
