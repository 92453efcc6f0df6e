// SPDX-License-Identifier: Apache-2.0
#include "server/doors/azure/azure_error.hpp"

#include <string>

#include "server/replies.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::server {
namespace {

std::string code_of(const ApiError& error) {
  if (error.code == kMissingApiVersion || error.code == kUnsupportedApiVersion) return error.code;
  switch (error.status) {
    case 401:  // Azure's gateway uses the number as the code
      return "401";
    case 403:
      return "Forbidden";
    case 404:
      return "ResourceNotFound";
    case 405:
      return "MethodNotAllowed";
    case 429:
      return "TooManyRequests";
    case 501:
      return "NotImplemented";
    case 503:
    case 504:
      return "ServerBusy";
    default:
      return error.status < 500 ? "InvalidRequestBody" : "InternalError";
  }
}

}  // namespace

Response azure_error(const ApiError& error) {
  const std::string code = code_of(error);
  wire::JsonOut json;
  json.begin_object().key("error").begin_object();
  json.key("code").string(code);
  json.key("message").string(error.message);
  if (!error.param.empty()) json.key("target").string(error.param);
  json.key("details").begin_array().end_array();
  if (!error.code.empty() && error.code != code)
    json.key("innererror").begin_object().key("code").string(error.code).end_object();
  json.end_object().end_object();
  Response response = json_response(error.status, json.text());
  response.headers.push_back({"x-ms-error-code", code});
  return response;
}

}  // namespace qwen3guard::server
