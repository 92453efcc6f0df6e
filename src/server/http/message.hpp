// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_MESSAGE_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_MESSAGE_HPP

#include <string>
#include <string_view>
#include <vector>

namespace qwen3guard::server {

struct Header {
  std::string name, value;
};
using Headers = std::vector<Header>;

/// Names of headers in any case.
[[nodiscard]] bool equal_names(std::string_view a, std::string_view b) noexcept;
/// A header's value by its name in any case; "" when there is none.
[[nodiscard]] std::string_view find(const Headers& headers, std::string_view name) noexcept;

/// A request whose body has come whole. A plain value.
struct Request {
  std::string method;  ///< as sent: "GET"
  std::string path;    ///< of the target, as sent, without a query: "/v1/moderations"
  std::string query;   ///< what stands behind its "?", as sent; keys may be in it: for no log
  Headers headers;
  std::string body;
};

/// A whole reply. Length, date and the like are added when it is sent.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_MESSAGE_HPP
