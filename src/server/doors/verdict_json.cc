// SPDX-License-Identifier: Apache-2.0
#include "server/doors/verdict_json.hpp"

#include <utility>

#include "wire/verdict_out.hpp"

namespace qwen3guard::server {

void put_verdict(wire::JsonOut& json, const Verdict& verdict) {
  json.key("qwen3guard").begin_object();
  wire::put_verdict_fields(json, verdict);
  json.end_object();
}

void put_unjudged(wire::JsonOut& json, const Ruling& ruling, const Error& error) {
  json.key("qwen3guard").begin_object();
  wire::put_severity(json.key("severity"), Severity::not_judged);
  wire::put_ruling(json.key("ruling"), ruling);
  json.key("error").begin_object();
  json.key("code").string(to_string(error.code));
  json.key("message").string(error.detail);
  json.end_object().end_object();
}

bool blocks_unjudged(const Policy& policy) { return rule_unjudged(policy).action == Action::block; }

ApiError api_error(const Error& error, std::string param) {
  ApiError out = api_error(error);
  out.param = std::move(param);
  return out;
}

}  // namespace qwen3guard::server
