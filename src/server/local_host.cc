// SPDX-License-Identifier: Apache-2.0
#include "server/local_host.hpp"

#include <algorithm>

#include "server/http/message.hpp"

namespace qwen3guard::server {
namespace {

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

/// Browsers take nothing but an IPv4 address for a name whose last label is a number, and nothing in brackets
/// for a name.
bool is_address(std::string_view host) {
  if (host.starts_with('[')) return host.ends_with(']');
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !last.empty() && last.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

bool is_trusted_host(std::string_view host, const std::vector<std::string>& allowed) {
  const std::string_view name = without_port(host);
  constexpr std::string_view kLocal = "localhost", kBelow = ".localhost";
  if (name.empty() || is_address(name) || equal_names(name, kLocal)) return true;
  if (name.size() > kBelow.size() && equal_names(name.substr(name.size() - kBelow.size()), kBelow))
    return true;
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& one) { return equal_names(one, name); });
}

bool is_trusted_origin(std::string_view origin, std::string_view host, std::string_view allowed) {
  if (origin.empty() || allowed == "*" || (!allowed.empty() && origin == allowed)) return true;
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && equal_names(origin.substr(scheme + 3), host);
}

}  // namespace qwen3guard::server
