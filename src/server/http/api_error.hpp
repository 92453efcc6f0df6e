// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_API_ERROR_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_API_ERROR_HPP

#include <string>

#include "server/http/message.hpp"

namespace qwen3guard::server {

/// What goes wrong, as a client sees it. A plain value.
struct ApiError {
  int status = 500;
  std::string message;
  std::string param;  ///< the place in the request; empty: none
  std::string code;   ///< for programs; empty: none
  /// When it is worth trying again; 0: nothing is said, but of 429, where it is a second.
  double retry_after_s = 0;
};

/// How a door spells its errors: the reply, without the header for retry_after_s.
using SpellError = Response (*)(const ApiError& error);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_API_ERROR_HPP
