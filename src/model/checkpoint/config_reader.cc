// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/config_reader.hpp"

#include <cmath>

#include "qwen3guard/quote.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {

std::string json_text(simdjson::dom::element value) {
  constexpr std::size_t kMaxShownBytes = 60;
  return printable(simdjson::minify(value), kMaxShownBytes);
}

std::optional<simdjson::dom::element> ConfigReader::find(std::string_view key) const {
  std::optional<simdjson::dom::element> found;
  for (const auto& [name, value] : object_) {
    if (name == key) found = value;
  }
  if (found && found->is_null()) found.reset();
  return found;
}

Result<std::optional<std::size_t>> ConfigReader::optional_size(std::string_view key, std::size_t max) const {
  const auto value = find(key);
  if (!value) return std::optional<std::size_t>();
  std::uint64_t n = 0;
  if (value->get(n) != simdjson::SUCCESS || n < 1 || n > max)
    return error(key, "is ", json_text(*value), ", expected an integer in [1, ", max, "]");
  return std::optional<std::size_t>(n);
}

Result<std::size_t> ConfigReader::size(std::string_view key, std::size_t max) const {
  Q3G_ASSIGN(const auto n, optional_size(key, max));
  if (!n) return error(key, "is missing");
  return *n;
}

Result<double> ConfigReader::number(std::string_view key, double above, double below) const {
  const auto value = find(key);
  if (!value) return error(key, "is missing");
  double number = 0;
  if (value->get(number) != simdjson::SUCCESS || !std::isfinite(number) || number <= above ||
      number >= below) {
    return error(key, "is ", json_text(*value), ", expected a number between ", above, " and ", below);
  }
  return number;
}

Result<bool> ConfigReader::boolean(std::string_view key, bool if_absent) const {
  const auto value = find(key);
  if (!value) return if_absent;
  bool flag = false;
  if (value->get(flag) != simdjson::SUCCESS)
    return error(key, "is ", json_text(*value), ", expected true or false");
  return flag;
}

Result<std::optional<std::string>> ConfigReader::string(std::string_view key) const {
  const auto value = find(key);
  if (!value) return std::optional<std::string>();
  std::string_view text;
  if (value->get(text) != simdjson::SUCCESS)
    return error(key, "is ", json_text(*value), ", expected a string");
  return std::optional<std::string>(text);
}

Result<std::optional<simdjson::dom::object>> ConfigReader::object(std::string_view key) const {
  const auto value = find(key);
  if (!value) return std::optional<simdjson::dom::object>();
  simdjson::dom::object object;
  if (value->get(object) != simdjson::SUCCESS)
    return error(key, "is ", json_text(*value), ", expected an object");
  return std::optional<simdjson::dom::object>(object);
}

}  // namespace qwen3guard::detail
