// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_URL_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_URL_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace qwen3guard::server {

/// Where a server is: http(s)://host[:port][/prefix]. A plain value.
struct Url {
  bool is_tls = false;
  std::string host;        ///< a name or an address, without brackets
  std::uint16_t port = 0;  ///< given, or the scheme's
  std::string prefix;      ///< "" or "/v1": begins with a slash and ends without one

  /// As the Host header wants it: with brackets for IPv6, and the port unless it is the scheme's.
  [[nodiscard]] std::string authority() const;
};

/// Throws std::runtime_error: what is wrong, and what was expected. Refused are user names, queries,
/// fragments and everything that is not printable ASCII.
[[nodiscard]] Url parse_url(std::string_view text);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_URL_HPP
