// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_REPLIES_HPP
#define QWEN3GUARD_SRC_SERVER_REPLIES_HPP

#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"
#include "server/http/exchange.hpp"

/// Replies, and errors in the shape of OpenAI's API, which all doors share that have none of their own.
namespace qwen3guard::server {

/// JSON with a status.
[[nodiscard]] Response json_response(int status, std::string body);
/// {"error": {"message", "type", "param", "code"}}; the type follows from the status.
[[nodiscard]] std::string error_body(const ApiError& error);
[[nodiscard]] Response error_response(const ApiError& error);
/// Replies with the error as the path that was asked for spells it, and with more headers.
void refuse(Exchange& exchange, const ApiError& error, const Headers& headers = {});
/// The library's error as an answer: what the text was to blame for is 400; all else is the server's.
[[nodiscard]] ApiError api_error(const Error& error);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_REPLIES_HPP
