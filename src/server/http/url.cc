// SPDX-License-Identifier: Apache-2.0
#include "server/http/url.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "qwen3guard/quote.hpp"

namespace qwen3guard::server {
namespace {

constexpr std::uint16_t kHttpPort = 80, kHttpsPort = 443;

[[noreturn]] void fail(std::string_view text, const char* why) {
  throw std::runtime_error("the URL " + quote(text) + ": " + why +
                           "; expected http://host[:port][/path] or https://host[:port][/path]");
}

std::uint16_t parse_port(std::string_view text, std::string_view url) {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed != std::errc() || end != text.data() + text.size() || port == 0) fail(url, "no such port");
  return port;
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_';
}

/// "host", "host:port", "[address]", "[address]:port".
void parse_authority(std::string_view authority, std::string_view url, Url& out) {
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) fail(url, "a '[' without its ']'");
    out.host = authority.substr(1, end - 1);
    if (out.host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos)
      fail(url, "no such address");
    const std::string_view rest = authority.substr(end + 1);
    has_port = rest.starts_with(':');
    if (has_port) port = rest.substr(1);
    if (!has_port && !rest.empty()) fail(url, "no ':' behind the address");
  } else {
    const std::size_t colon = authority.find(':');
    out.host = authority.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
    if (!std::all_of(out.host.begin(), out.host.end(), is_host_character)) fail(url, "no such host name");
  }
  if (out.host.empty()) fail(url, "no host");
  if (has_port) out.port = parse_port(port, url);
}

}  // namespace

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (is_tls ? kHttpsPort : kHttpPort)) out += ":" + std::to_string(port);
  return out;
}

Url parse_url(std::string_view text) {
  Url out;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    out.is_tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    fail(text, "no known scheme");
  }
  if (!std::all_of(rest.begin(), rest.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    fail(text, "a character that no URL has");
  if (rest.find_first_of("?#@\\") != std::string_view::npos) fail(text, "a user name, query or fragment");
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  out.port = out.is_tls ? kHttpsPort : kHttpPort;
  parse_authority(rest.substr(0, slash), text, out);
  out.prefix = rest.substr(slash);
  while (out.prefix.ends_with('/')) out.prefix.pop_back();
  return out;
}

}  // namespace qwen3guard::server
