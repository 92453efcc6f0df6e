// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "server/doors/doors.hpp"
#include "server/replies.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::server {
namespace {

Response status_response(bool is_well, const char* word) {
  wire::JsonOut json;
  json.begin_object().key("status").string(word).end_object();
  return json_response(is_well ? 200 : 503, json.text());
}

std::string policies_json(const Policies& policies) {
  wire::JsonOut json;
  json.begin_object().key("object").string("list").key("data").begin_array();
  for (int i = 0; i < kRouteCount; ++i) {
    const auto route = static_cast<Route>(i);
    const Policy& policy = policies.policy(route);
    json.begin_object();
    json.key("route").string(to_string(route));
    json.key("name").string(policy.name());
    json.key("version").string(policy.version());
    json.key("description").string(policy.describe());
    json.end_object();
  }
  json.end_array().end_object();
  return json.text();
}

}  // namespace

void add_operators_doors(Routes& routes, Services& services, std::function<Levels()> levels,
                         std::function<bool()> is_stopping) {
  using Asked = std::shared_ptr<Exchange>;
  routes.add({"health", "GET", "/health", true, [](const Asked& exchange, const std::string&) {
                exchange->reply(status_response(true, "ok"));
              }});
  routes.add({"health", "GET", "/ready", true,
              [is_stopping = std::move(is_stopping)](const Asked& exchange, const std::string&) {
                const bool is_over = is_stopping();
                exchange->reply(status_response(!is_over, is_over ? "stopping" : "ready"));
              }});
  routes.add({"metrics", "GET", "/metrics", false,
              [&services, levels = std::move(levels)](const Asked& exchange, const std::string&) {
                exchange->reply({200,
                                 {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                                 services.metrics.text(levels())});
              }});
  routes.add(
      {"policies", "GET", "/v1/policies", false, [&services](const Asked& exchange, const std::string&) {
         exchange->reply(json_response(200, policies_json(services.policies)));
       }});
}

}  // namespace qwen3guard::server
