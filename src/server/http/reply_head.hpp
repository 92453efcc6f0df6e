// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_REPLY_HEAD_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_REPLY_HEAD_HPP

#include <cstddef>
#include <optional>
#include <string>

#include "server/http/message.hpp"

namespace qwen3guard::server {

/// How a reply's body is delimited.
struct BodyForm {
  std::optional<std::size_t> length;  ///< known before
  bool is_chunked = false;            ///< else the connection's end is the body's
  bool keeps_alive = false;
};

/// Status line and headers, with the empty line behind them. Line breaks in values become spaces.
[[nodiscard]] std::string reply_head(int status, const Headers& headers, const BodyForm& form);
/// One chunk of a chunked body; not for an empty piece, which would end it.
[[nodiscard]] std::string chunk(std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_REPLY_HEAD_HPP
