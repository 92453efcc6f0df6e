// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_GOOGLE_ERROR_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_GOOGLE_ERROR_HPP

#include "server/http/api_error.hpp"

namespace qwen3guard::server {

/// Codes of ApiError that Perspective's clients know as the error's type. @{
inline constexpr const char* kCommentEmpty = "COMMENT_EMPTY";
inline constexpr const char* kCommentTooLong = "COMMENT_TOO_LONG";
inline constexpr const char* kNoRequestedAttributes = "NO_REQUESTED_ATTRIBUTES";  /// @}

/// {"error": {"code", "message", "status", "details"}}, as Google's APIs spell errors.
[[nodiscard]] Response google_error(const ApiError& error);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_GOOGLE_ERROR_HPP
