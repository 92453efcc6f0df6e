// SPDX-License-Identifier: Apache-2.0
#include "server/replies.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "wire/json_out.hpp"

namespace qwen3guard::server {
namespace {

const char* type_of(int status) noexcept {
  switch (status) {
    case 401:
    case 403:
      return "authentication_error";
    case 429:
      return "rate_limit_error";
    case 502:
      return "upstream_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

void put_text_or_null(wire::JsonOut& json, const std::string& text) {
  if (text.empty()) {
    json.null();
  } else {
    json.string(text);
  }
}

}  // namespace

Response json_response(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body)};
}

std::string error_body(const ApiError& error) {
  wire::JsonOut json;
  json.begin_object().key("error").begin_object();
  json.key("message").string(error.message);
  json.key("type").string(type_of(error.status));
  put_text_or_null(json.key("param"), error.param);
  put_text_or_null(json.key("code"), error.code);
  json.end_object().end_object();
  return json.text();
}

Response error_response(const ApiError& error) { return json_response(error.status, error_body(error)); }

void refuse(Exchange& exchange, const ApiError& error, const Headers& headers) {
  Response response = (exchange.spell_error == nullptr ? error_response : exchange.spell_error)(error);
  response.headers.insert(response.headers.end(), headers.begin(), headers.end());
  // Whoever is told that there are too many is told when to come back.
  if (error.retry_after_s > 0 || error.status == 429) {
    const auto seconds = static_cast<int>(std::clamp(std::ceil(error.retry_after_s), 1.0, 3600.0));
    response.headers.push_back({"retry-after", std::to_string(seconds)});
  }
  exchange.reply(std::move(response));
}

ApiError api_error(const Error& error) {
  const std::string code = to_string(error.code);
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::invalid_utf8:
    case ErrorCode::token_out_of_range:
      return {400, error.detail, "", code};
    case ErrorCode::context_full:
      return {400, error.detail, "", "context_length_exceeded"};
    case ErrorCode::cancelled:
      return {504, "not judged: " + error.detail, "", "not_judged"};
    case ErrorCode::budget_exceeded:
      return {429, "there is no memory for more streams at the moment", "", code};
    default:
      return {500, "not judged: " + error.detail, "", code};
  }
}

}  // namespace qwen3guard::server
