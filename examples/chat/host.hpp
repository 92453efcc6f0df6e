// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_CHAT_HOST_HPP
#define QWEN3GUARD_EXAMPLES_CHAT_HOST_HPP

#include <cstddef>
#include <optional>
#include <qwen3guard/qwen3guard.hpp>
#include <span>
#include <string>

namespace chat {

/// The model that answers. An answer comes in pieces, each a token's text or so; pieces can be taken back,
/// and what follows then is another try.
class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;

  /// Begins the answer to the last message, the user's.
  virtual qwen3guard::Status begin(std::span<const qwen3guard::Message> messages) = 0;
  /// The next piece, possibly empty; nothing at the end of the answer.
  virtual qwen3guard::Result<std::optional<std::string>> next() = 0;
  /// Keeps the first n pieces.
  virtual qwen3guard::Status rewind(std::size_t n) = 0;
};

}  // namespace chat

#endif  // QWEN3GUARD_EXAMPLES_CHAT_HOST_HPP
