// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_LOCAL_HOST_HPP
#define QWEN3GUARD_SRC_SERVER_LOCAL_HOST_HPP

#include <string>
#include <string_view>
#include <vector>

namespace qwen3guard::server {

/// True for a "Host" that no name server can lead elsewhere: an address, "localhost" and what ends in it, or
/// one of `allowed`, with or without a port. A page of a foreign site whose name was made to lead to this
/// machine sends that name (DNS rebinding).
[[nodiscard]] bool is_trusted_host(std::string_view host, const std::vector<std::string>& allowed);

/// True for an "Origin" that is the server's own page by the name that it was asked by, or `allowed` ("*":
/// any one; empty: none). Browsers send it with what a page of another site has them ask, without asking
/// first where the body is plain text.
[[nodiscard]] bool is_trusted_origin(std::string_view origin, std::string_view host,
                                     std::string_view allowed);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_LOCAL_HOST_HPP
