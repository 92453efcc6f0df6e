// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_REPLIES_HPP
#define QWEN3GUARD_SRC_SERVER_REPLIES_HPP

#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"
#include "server/http/message.hpp"

/// Replies in the shape of OpenAI's API, which all doors share.
namespace qwen3guard::server {

/// What goes wrong, as a client sees it.
struct ApiError {
  int status = 500;
  std::string message;
  std::string param;  ///< the place in the request; empty: null
  std::string code;   ///< for programs; empty: null
};

/// JSON with a status.
[[nodiscard]] Response json_response(int status, std::string body);
/// {"error": {"message", "type", "param", "code"}}; the type follows from the status.
[[nodiscard]] std::string error_body(const ApiError& error);
[[nodiscard]] Response error_response(const ApiError& error);
/// With how long to wait before it is worth trying again.
[[nodiscard]] Response busy_response(const ApiError& error, double retry_after_s);
/// The library's error as an answer: what the text was to blame for is 400; all else is the server's.
[[nodiscard]] ApiError api_error(const Error& error);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_REPLIES_HPP
