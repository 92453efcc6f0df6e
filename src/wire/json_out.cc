// SPDX-License-Identifier: Apache-2.0
#include "wire/json_out.hpp"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "wire/escaped.hpp"

namespace qwen3guard::wire {
namespace {

template <class Float>
std::string shortest(Float v) {
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), v).ptr};
}

}  // namespace

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

JsonOut& JsonOut::begin_output(std::string_view type) {
  constexpr std::int64_t kSchemaVersion = 1;
  return begin_object().key("schema").integer(kSchemaVersion).key("type").string(type);
}

JsonOut& JsonOut::key(std::string_view name) {
  string(name);
  text_ += ':';
  need_comma_ = false;
  return *this;
}

JsonOut& JsonOut::string(std::string_view value) {
  separate();
  constexpr auto kAll = std::numeric_limits<std::size_t>::max();
  // quote() writes JSON's escapes, but for bytes that are not UTF-8.
  if (simdjson::validate_utf8(value.data(), value.size())) {
    text_ += quote(value, kAll);
  } else {
    text_ += quote(escaped(value), kAll);
  }
  return *this;
}

JsonOut& JsonOut::integer(std::int64_t v) { return value(std::to_string(v)); }

JsonOut& JsonOut::number(float v) { return std::isfinite(v) ? value(shortest(v)) : null(); }
JsonOut& JsonOut::number(double v) { return std::isfinite(v) ? value(shortest(v)) : null(); }

JsonOut& JsonOut::rounded(double v) {
  std::array<char, 64> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%.3f", v);
  return value({buffer.data(), static_cast<std::size_t>(n)});
}

JsonOut& JsonOut::boolean(bool v) { return value(v ? "true" : "false"); }
JsonOut& JsonOut::null() { return value("null"); }
JsonOut& JsonOut::raw(std::string_view json) { return value(json); }

}  // namespace qwen3guard::wire
