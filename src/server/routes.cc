// SPDX-License-Identifier: Apache-2.0
#include "server/routes.hpp"

#include <optional>

namespace qwen3guard::server {
namespace {

/// What stands for "{id}"; nothing when the path is another one.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
  constexpr std::string_view kId = "{id}";
  const std::size_t at = pattern.find(kId);
  if (at == std::string_view::npos) return pattern == path ? std::optional<std::string>("") : std::nullopt;
  const std::string_view behind = pattern.substr(at + kId.size());
  if (path.size() <= at + behind.size() || !path.starts_with(pattern.substr(0, at)) ||
      !path.ends_with(behind))
    return std::nullopt;
  const std::string_view id = path.substr(at, path.size() - at - behind.size());
  if (id.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(id);
}

}  // namespace

Routes::Found Routes::find(std::string_view method, std::string_view path) const {
  Found found;
  for (const Spelling& spelling : spellings_) {
    if (path.starts_with(spelling.prefix)) found.spell_error = spelling.spell;
  }
  for (const Route& route : routes_) {
    auto id = match(route.pattern, path);
    if (!id) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      found.route = &route;
      found.id = std::move(*id);
      return found;
    }
    found.allowed += (found.allowed.empty() ? "" : ", ") + route.method;
  }
  return found;
}

}  // namespace qwen3guard::server
