// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_ERROR_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_ERROR_HPP

#include "server/http/api_error.hpp"

namespace qwen3guard::server {

/// Azure's codes that an ApiError may carry; otherwise the status selects the code. @{
inline constexpr const char* kMissingApiVersion = "MissingApiVersionParameter";
inline constexpr const char* kUnsupportedApiVersion = "UnsupportedApiVersionValue";  /// @}

/// {"error": {"code", "message", "target", "details", "innererror": {"code"}}} and the header
/// x-ms-error-code. The code is one of Azure AI Content Safety's, the inner one is ours; target and
/// innererror are there where they say something.
[[nodiscard]] Response azure_error(const ApiError& error);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_AZURE_AZURE_ERROR_HPP
