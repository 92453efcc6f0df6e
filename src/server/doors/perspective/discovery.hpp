// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_DISCOVERY_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_DISCOVERY_HPP

#include <string>
#include <string_view>

namespace qwen3guard::server {

/// The description of the interface from which Google's clients for Python and JavaScript make their
/// functions, in the format of its discovery service. root_url: where this server is reached, with a slash at
/// its end; it must not need escapes in JSON.
[[nodiscard]] std::string discovery_document(std::string_view root_url);

/// True for a host with or without a port, as in the header Host.
[[nodiscard]] bool is_host_and_port(std::string_view host) noexcept;

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_DISCOVERY_HPP
