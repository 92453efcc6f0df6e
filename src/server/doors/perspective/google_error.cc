// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/google_error.hpp"

#include <string_view>

#include "server/replies.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::server {
namespace {

/// The name of google.rpc.Code that goes with an HTTP status.
const char* status_of(int status) noexcept {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 405:
    case 501:
      return "UNIMPLEMENTED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 503:
      return "UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
  }
}

/// Never one that says that a language is not supported: clients take that for a comment that is fine.
std::string_view type_of(std::string_view code) noexcept {
  for (const std::string_view known : {kCommentEmpty, kCommentTooLong, kNoRequestedAttributes}) {
    if (code == known) return known;
  }
  return code == "context_length_exceeded" ? kCommentTooLong : "INVALID_REQUEST";
}

void put_details(wire::JsonOut& json, const ApiError& error) {
  json.key("details").begin_array();
  if (error.status == 400) {
    json.begin_object();
    json.key("@type").string("type.googleapis.com/google.commentanalyzer.v1alpha1.Error");
    json.key("errorType").string(type_of(error.code));
    json.end_object();
  } else if (!error.code.empty()) {
    json.begin_object();
    json.key("@type").string("type.googleapis.com/google.rpc.ErrorInfo");
    json.key("reason").string(error.code);
    json.key("domain").string("qwen3guard");
    json.end_object();
  }
  if (!error.param.empty()) {
    json.begin_object();
    json.key("@type").string("type.googleapis.com/google.rpc.BadRequest");
    json.key("fieldViolations").begin_array().begin_object();
    json.key("field").string(error.param);
    json.end_object().end_array().end_object();
  }
  json.end_array();
}

}  // namespace

Response google_error(const ApiError& error) {
  wire::JsonOut json;
  json.begin_object().key("error").begin_object();
  json.key("code").integer(error.status);
  json.key("message").string(error.message);
  json.key("status").string(status_of(error.status));
  put_details(json, error);
  json.end_object().end_object();
  return json_response(error.status, json.text());
}

}  // namespace qwen3guard::server
