// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_OPERATIONS_KEYS_HPP
#define QWEN3GUARD_SRC_SERVER_OPERATIONS_KEYS_HPP

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.hpp"

namespace qwen3guard::server {

/// Who may ask. The file has a line for each: a name and a key with a space between them; blank lines and
/// those that begin with # are passed over. Only digests of the keys stay in memory.
class Keys {
 public:
  /// An empty path: everybody may ask. Throws std::runtime_error: the file, the line, and what was expected.
  explicit Keys(std::string path) : path_(std::move(path)) { reload(); }

  /// Throws as the constructor; then the old keys stay.
  void reload();
  [[nodiscard]] bool are_wanted() const noexcept { return !path_.empty(); }
  /// The key's name; nothing when there is no such key. Without a file: an empty name.
  [[nodiscard]] std::optional<std::string> name_of(std::string_view key) const;

 private:
  struct Key {
    std::string name, digest;
  };
  std::string path_;
  std::vector<Key> keys_;
};

/// The key that a client sent: "Authorization: Bearer ...", else "x-api-key", "api-key" or Azure's
/// "ocp-apim-subscription-key", "x-goog-api-key"; "" where there is none.
[[nodiscard]] std::string_view key_in(const Headers& headers) noexcept;

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_OPERATIONS_KEYS_HPP
