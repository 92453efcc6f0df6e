// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "server/doors/azure/azure_error.hpp"
#include "server/doors/azure/azure_request.hpp"
#include "server/doors/azure/azure_severities.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/request_json.hpp"
#include "server/doors/verdict_json.hpp"
#include "server/http/query.hpp"
#include "server/judging/ask.hpp"

namespace qwen3guard::server {
namespace {

/// The stable versions, whose `text:analyze` is the same.
constexpr std::array<std::string_view, 2> kApiVersions = {"2023-10-01", "2024-09-01"};

std::optional<ApiError> refuse_version(const Request& request) {
  const auto version = query_value(request.query, "api-version");
  constexpr const char* kExpected = "; expected 2023-10-01 or 2024-09-01";
  if (!version || version->empty())
    return ApiError{400, std::string("api-version: missing in the query") + kExpected, "api-version",
                    kMissingApiVersion};
  if (std::find(kApiVersions.begin(), kApiVersions.end(), *version) == kApiVersions.end())
    return ApiError{400, "api-version: " + quote(*version, 100) + kExpected, "api-version",
                    kUnsupportedApiVersion};
  return std::nullopt;
}

/// A hit of the policy's deny list: the policy's name is the list's, the phrase's index its id.
void put_blocklists_match(wire::JsonOut& json, const Result<Verdict>& answer, const Policy& policy) {
  json.key("blocklistsMatch").begin_array();
  if (answer.ok() && answer->ruling.rule == Rule::deny_list) {
    const std::vector<std::string> phrases = policy.spec().lists.deny;
    const auto number = static_cast<std::size_t>(answer->ruling.phrase);
    json.begin_object();
    json.key("blocklistName").string(answer->ruling.policy_name);
    json.key("blocklistItemId").string(std::to_string(answer->ruling.phrase));
    json.key("blocklistItemText").string(number < phrases.size() ? phrases[number] : "");
    json.end_object();
  }
  json.end_array();
}

std::string reply_json(const Result<Verdict>& answer, const AzureRequest& request, const Policy& policy) {
  wire::JsonOut json;
  json.begin_object();
  put_blocklists_match(json, answer, policy);
  const AzureSeverities severities = to_azure(answer.ok() ? *answer : Verdict(), request.asked);
  json.key("categoriesAnalysis").begin_array();
  for (std::size_t i = 0; i < severities.size(); ++i) {
    if (!request.asked[i]) continue;
    json.begin_object();
    json.key("category").string(to_string(static_cast<AzureCategory>(i)));
    json.key("severity").integer(request.has_eight_levels ? severities[i] : to_four_levels(severities[i]));
    json.end_object();
  }
  json.end_array();
  if (answer.ok()) {
    put_verdict(json, *answer);
  } else {
    put_unjudged(json, rule_unjudged(policy), answer.error());
  }
  json.end_object();
  return json.text();
}

void answer_analyze(Services& services, const std::shared_ptr<Exchange>& exchange,
                    const wire::JsonValue& body) {
  Question question;
  question.route = Route::azure;
  question.model = &services.models.first(ModelKind::gen);
  question.options = services.policies.options(Route::azure);
  AzureRequest request = read_azure_request(body, question.options->policy);
  question.conversations = {{{Role::user, std::move(request.text)}}};
  ask(services, exchange, std::move(question),
      [exchange, request = std::move(request),
       options = services.policies.options(Route::azure)](const Answers& answers) {
        const Result<Verdict>& answer = answers.front();
        if (!answer.ok() && !blocks_unjudged(options->policy))
          return refuse(*exchange, api_error(answer.error(), "text"));
        exchange->reply(json_response(200, reply_json(answer, request, options->policy)));
      });
}

/// Azure's other operations: the error names them, so that nobody looks for a wrong address.
struct NotOffered {
  const char* method;
  const char* path;
  const char* why;
};

const std::array<NotOffered, 10>& not_offered() {
  static constexpr const char* kImages = "images cannot be judged; text:analyze judges texts";
  static constexpr const char* kShield =
      "text:shieldPrompt is not offered: the model was not trained to find attacks in documents. "
      "text:analyze raises its severities for a jailbreak, too";
  static constexpr const char* kMaterial =
      "text:detectProtectedMaterial is not offered: the model has no texts to compare with. "
      "text:analyze raises its severities for a copyright violation, too";
  static constexpr const char* kLists =
      "block lists are not managed over HTTP: put the phrases into lists.deny of the policy file";
  static constexpr const char* kList = "/contentsafety/text/blocklists/{id}";
  static constexpr const char* kItems = "/contentsafety/text/blocklists/{id}/blocklistItems";
  static constexpr std::array<NotOffered, 10> kAll = {{
      {"POST", "/contentsafety/image:analyze", kImages},
      {"POST", "/contentsafety/imageWithText:analyze", kImages},
      {"POST", "/contentsafety/text:shieldPrompt", kShield},
      {"POST", "/contentsafety/text:detectProtectedMaterial", kMaterial},
      {"GET", "/contentsafety/text/blocklists", kLists},
      {"GET", kList, kLists},
      {"PATCH", kList, kLists},
      {"DELETE", kList, kLists},
      {"POST", kList, kLists},  // "{id}" is "NAME:addOrUpdateBlocklistItems"
      {"GET", kItems, kLists},
  }};
  return kAll;
}

}  // namespace

void add_azure_door(Routes& routes, Services& services) {
  routes.add_spelling("/contentsafety/", azure_error);
  routes.add({"azure", "POST", "/contentsafety/text:analyze", false,
              [&services](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                if (const auto error = refuse_version(exchange->request())) return refuse(*exchange, *error);
                answer_json(exchange,
                            [&](const wire::JsonValue& body) { answer_analyze(services, exchange, body); });
              }});
  for (const NotOffered& one : not_offered())
    routes.add({"azure", one.method, one.path, false,
                [why = one.why](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                  refuse(*exchange, {501, why, "", "not_offered"});
                }});
}

}  // namespace qwen3guard::server
