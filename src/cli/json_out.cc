// SPDX-License-Identifier: Apache-2.0
#include "json_out.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace qwen3guard::cli {

void JsonOut::separate() {
  if (need_comma_) text_ += ',';
  need_comma_ = true;
}

JsonOut& JsonOut::open(char c) {
  separate();
  text_ += c;
  need_comma_ = false;
  return *this;
}

JsonOut& JsonOut::close(char c) {
  text_ += c;
  need_comma_ = true;
  return *this;
}

JsonOut& JsonOut::value(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

JsonOut& JsonOut::key(std::string_view name) {
  string(name);
  text_ += ':';
  need_comma_ = false;
  return *this;
}

JsonOut& JsonOut::string(std::string_view value) {
  separate();
  text_ += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        text_ += "\\\"";
        break;
      case '\\':
        text_ += "\\\\";
        break;
      case '\n':
        text_ += "\\n";
        break;
      case '\r':
        text_ += "\\r";
        break;
      case '\t':
        text_ += "\\t";
        break;
      default:
        if (byte < 0x20 || byte == 0x7F) {
          std::array<char, 8> escape{};
          std::snprintf(escape.data(), escape.size(), "\\u%04x", byte);
          text_ += escape.data();
        } else {
          text_ += c;
        }
    }
  }
  text_ += '"';
  return *this;
}

JsonOut& JsonOut::integer(std::int64_t v) { return value(std::to_string(v)); }

JsonOut& JsonOut::number(float v) {
  if (!std::isfinite(v)) return null();
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), v).ptr;
  return value({buffer.data(), static_cast<std::size_t>(end - buffer.data())});
}

JsonOut& JsonOut::rounded(double v) {
  std::array<char, 64> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%.3f", v);
  return value({buffer.data(), static_cast<std::size_t>(n)});
}

JsonOut& JsonOut::boolean(bool v) { return value(v ? "true" : "false"); }
JsonOut& JsonOut::null() { return value("null"); }
JsonOut& JsonOut::raw(std::string_view json) { return value(json); }

}  // namespace qwen3guard::cli
