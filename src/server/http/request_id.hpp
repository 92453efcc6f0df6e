// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_REQUEST_ID_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_REQUEST_ID_HPP

#include <string>
#include <string_view>

namespace qwen3guard::server {

inline constexpr const char* kRequestIdHeader = "x-request-id";

/// A client's own name for its request, where it is fit to be one (letters, digits and "-_.:", at most 128);
/// else one of ours.
[[nodiscard]] std::string request_id_of(std::string_view given);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_REQUEST_ID_HPP
