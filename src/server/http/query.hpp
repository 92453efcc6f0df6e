// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_QUERY_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_QUERY_HPP

#include <optional>
#include <string>
#include <string_view>

namespace qwen3guard::server {

/// The value of the first parameter of this name in a query ("key=a%20b&alt=json"), decoded: "%20" and "+"
/// are spaces; an escape that is none stands as it was sent. "" for a parameter without "=". Nothing when the
/// name is not there.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_QUERY_HPP
