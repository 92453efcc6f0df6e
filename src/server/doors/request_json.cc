// SPDX-License-Identifier: Apache-2.0
#include "server/doors/request_json.hpp"

#include <charconv>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "qwen3guard/status.hpp"
#include "wire/line_error.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

using wire::JsonValue;

/// The place that a message begins with, as the shape has a member for it: "messages[0].content: a number
/// ..." or "no "messages" array ...".
std::string place_in(const std::string& message) {
  constexpr std::string_view kNo = "no \"";
  if (message.starts_with(kNo)) return message.substr(kNo.size(), message.find('"', kNo.size()) - kNo.size());
  const std::size_t colon = message.find(": ");
  const std::string place = message.substr(0, colon == std::string::npos ? 0 : colon);
  return place.find_first_of(" \"") == std::string::npos ? place : "";
}

[[noreturn]] void fail(const char* key, const JsonValue& value, const std::string& expected) {
  throw BadRequestError(std::string(key) + ": " + to_string(value.kind()) + "; expected " + expected, key);
}

std::optional<JsonValue> find_known(const JsonValue& object, const char* key) {
  auto value = object.find(key);
  if (value && value->kind() == JsonValue::Kind::null) return std::nullopt;
  return value;
}

}  // namespace

void answer_json(const std::shared_ptr<Exchange>& exchange,
                 const std::function<void(const JsonValue& body)>& answer) {
  const auto refuse_it = [&](const ApiError& error) { refuse(*exchange, error); };
  try {
    const std::string& text = exchange->request().body;
    if (const auto byte = wire::find_ill_formed(text))
      return refuse_it(
          {400, "the body is not UTF-8: ill-formed at byte " + std::to_string(*byte), "", "invalid_utf8"});
    const JsonValue body = JsonValue::parse(text);
    if (body.kind() != JsonValue::Kind::object)
      return refuse_it(
          {400, std::string("the body is ") + to_string(body.kind()) + "; expected an object", "", ""});
    answer(body);
  } catch (const BadRequestError& e) {
    refuse_it({e.status, e.what(), e.param, e.status == 404 ? "model_not_found" : ""});
  } catch (const wire::JsonError& e) {
    refuse_it({400, e.what(), "", "invalid_json"});
  } catch (const wire::LineError& e) {
    refuse_it({400, e.what(), place_in(e.what()), to_string(e.code)});
  } catch (const Exception& e) {
    refuse_it(api_error(Error{e.code(), e.what()}));
  }
}

void refuse_policy(const JsonValue& object) {
  if (find_known(object, "policy"))
    throw BadRequestError(
        "policy: cannot be chosen by a request; each route has the one that the server was started with",
        "policy");
}

std::optional<std::string> optional_text(const JsonValue& object, const char* key) {
  const auto value = find_known(object, key);
  if (!value) return std::nullopt;
  if (value->kind() != JsonValue::Kind::string) fail(key, *value, "a string");
  std::string text = value->text();
  if (const auto byte = wire::find_ill_formed(text))
    throw BadRequestError(std::string(key) + ": half of a surrogate pair at byte " + std::to_string(*byte),
                          key);
  return text;
}

std::vector<JsonValue> optional_array(const JsonValue& object, const char* key) {
  const auto value = find_known(object, key);
  if (!value) return {};
  if (value->kind() != JsonValue::Kind::array) fail(key, *value, "an array");
  return value->items();
}

bool optional_flag(const JsonValue& object, const char* key) {
  const auto value = find_known(object, key);
  if (!value) return false;
  if (value->kind() != JsonValue::Kind::boolean) fail(key, *value, "true or false");
  return value->raw() == "true";
}

std::optional<std::int64_t> optional_integer(const JsonValue& object, const char* key, std::int64_t min,
                                             std::int64_t max) {
  const auto value = find_known(object, key);
  if (!value) return std::nullopt;
  const std::string_view raw = value->raw();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  if (error != std::errc() || end != raw.data() + raw.size() || number < min || number > max)
    throw BadRequestError(std::string(key) + ": " + quote(raw, 40) + "; expected a whole number from " +
                              std::to_string(min) + " to " + std::to_string(max),
                          key);
  return number;
}

}  // namespace qwen3guard::server
