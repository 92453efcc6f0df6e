// SPDX-License-Identifier: Apache-2.0
#include "server/admission.hpp"

#include <stdexcept>

#include "qwen3guard/quote.hpp"
#include "server/http/query.hpp"
#include "server/local_host.hpp"

namespace qwen3guard::server {

Admission::Admission(Loop& loop, const ServerOptions& options, const Keys& keys)
    : options_(options), keys_(keys) {
  if (keys.are_wanted() || options.allow_remote_without_keys || is_loopback(loop, options.listener)) return;
  throw std::runtime_error(printable(options.listener.host) +
                           " can be reached from other machines, and there are no keys: give a file of keys "
                           "(--keys), or say that everybody may use it (--allow-remote-without-keys)");
}

std::optional<ApiError> Admission::distrust(const Request& request) const {
  if (keys_.are_wanted()) return std::nullopt;
  const std::string_view host = find(request.headers, "host");
  if (!options_.allow_remote_without_keys && !is_trusted_host(host, options_.allowed_hosts))
    return ApiError{403,
                    "without keys the server answers to addresses, localhost and the hosts that it was told, "
                    "not to the Host of this request",
                    "", "untrusted_page"};
  if (!is_trusted_origin(find(request.headers, "origin"), host, options_.cors_origin))
    return ApiError{403,
                    "without keys the server does not answer pages of other origins, but for the one that it "
                    "was told",
                    "", "untrusted_page"};
  return std::nullopt;
}

std::optional<std::string> Admission::key_name(const Request& request, const Routes::Route* route) const {
  const std::string_view key = key_in(request.headers);
  if (!key.empty() || route == nullptr || !route->has_key_in_query) return keys_.name_of(key);
  return keys_.name_of(query_value(request.query, "key").value_or(""));
}

}  // namespace qwen3guard::server
