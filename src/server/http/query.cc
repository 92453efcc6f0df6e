// SPDX-License-Identifier: Apache-2.0
#include "server/http/query.hpp"

#include <algorithm>
#include <charconv>

namespace qwen3guard::server {
namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    const std::size_t equals = parameter.find('=');
    if (decoded(parameter.substr(0, equals)) != name) continue;
    return equals == std::string_view::npos ? "" : decoded(parameter.substr(equals + 1));
  }
  return std::nullopt;
}

}  // namespace qwen3guard::server
