// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "server/doors/doors.hpp"

namespace qwen3guard::server {
namespace {

struct PageFile {
  std::string_view name, bytes;
};

constexpr PageFile kFiles[] = {
#include "page_files.inc"
};

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  return name.ends_with(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
}

Response page_response(const PageFile& file) {
  return {200,
          {{"content-type", std::string(type_of(file.name))},
           {"content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"},
           {"x-content-type-options", "nosniff"},
           {"referrer-policy", "no-referrer"},
           {"cache-control", "no-cache"}},
          std::string(file.bytes)};
}

}  // namespace

void add_page(Routes& routes) {
  for (const PageFile& file : kFiles) {
    const std::string path = file.name == "index.html" ? "/" : "/" + std::string(file.name);
    routes.add(
        {"page", "GET", path, true, [&file](const std::shared_ptr<Exchange>& exchange, const std::string&) {
           exchange->reply(page_response(file));
         }});
  }
  // Browsers ask for it by themselves.
  routes.add({"page", "GET", "/favicon.ico", true,
              [](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                exchange->reply({204, {}, ""});
              }});
}

}  // namespace qwen3guard::server
