// SPDX-License-Identifier: Apache-2.0
#include "server/doors/azure/azure_request.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "server/doors/request_json.hpp"
#include "wire/fields_in.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

using Kind = wire::JsonValue::Kind;

constexpr std::array<std::string_view, 5> kMembers = {"text", "categories", "blocklistNames",
                                                      "haltOnBlocklistHit", "outputType"};

/// As Azure does. In a later version such a member may hold text that has to be judged.
void refuse_unknown_members(const wire::JsonValue& body) {
  for (const auto& member : body.members()) {
    if (std::find(kMembers.begin(), kMembers.end(), member.key) != kMembers.end()) continue;
    throw BadRequestError(quote(member.key, 100) +
                              R"(: not a member of this request; expected "text", "categories", )"
                              R"("blocklistNames", "haltOnBlocklistHit" or "outputType")",
                          printable(member.key, 100));
  }
}

/// The strings of an array; none when it is missing or null.
std::vector<std::string> read_names(const wire::JsonValue& body, const char* key) {
  std::vector<std::string> names;
  for (const wire::JsonValue& item : optional_array(body, key)) {
    const std::string place = wire::index(key, names.size());
    names.push_back(wire::read_text(item, place, InvalidUtf8::reject));
  }
  return names;
}

std::string read_azure_text(const wire::JsonValue& body) {
  auto text = optional_text(body, "text");
  if (!text) throw BadRequestError("text: missing; expected a string", "text");
  const std::size_t n_code_points = wire::count_code_points(*text);
  if (n_code_points > kAzureMaxTextCodePoints)
    throw BadRequestError("text: " + std::to_string(n_code_points) +
                              " Unicode code points; expected at most " +
                              std::to_string(kAzureMaxTextCodePoints),
                          "text");
  return std::move(*text);
}

/// No categories, or an empty array, means all.
AskedCategories read_asked(const wire::JsonValue& body) {
  const std::vector<std::string> names = read_names(body, "categories");
  AskedCategories asked{};
  if (names.empty()) asked.fill(true);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto category = parse_azure_category(names[i]);
    const std::string place = wire::index("categories", i);
    if (!category)
      throw BadRequestError(
          place + ": " + quote(names[i], 100) + R"(; expected "Hate", "SelfHarm", "Sexual" or "Violence")",
          place);
    asked[static_cast<std::size_t>(*category)] = true;
  }
  return asked;
}

/// A client that names a list relies on it: a list that does not exist is an error, not a list without a hit.
void check_blocklists(const wire::JsonValue& body, const Policy& policy) {
  const std::vector<std::string> names = read_names(body, "blocklistNames");
  const bool has_list = !names.empty() && !policy.spec().lists.deny.empty();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (has_list && names[i] == policy.name()) continue;
    const std::string place = wire::index("blocklistNames", i);
    throw BadRequestError(place + ": there is no block list " + quote(names[i], 100) + "; " +
                              (has_list ? "the one of this server is " + quote(std::string(policy.name()))
                                        : "the policy of this server has no deny list"),
                          place);
  }
}

bool read_has_eight_levels(const wire::JsonValue& body) {
  const auto type = optional_text(body, "outputType");
  if (!type || *type == "FourSeverityLevels") return false;
  if (*type == "EightSeverityLevels") return true;
  throw BadRequestError(
      "outputType: " + quote(*type, 100) + R"(; expected "FourSeverityLevels" or "EightSeverityLevels")",
      "outputType");
}

}  // namespace

AzureRequest read_azure_request(const wire::JsonValue& body, const Policy& policy) {
  refuse_unknown_members(body);
  AzureRequest request;
  request.text = read_azure_text(body);
  request.asked = read_asked(body);
  request.has_eight_levels = read_has_eight_levels(body);
  check_blocklists(body, policy);
  // Only checked: a phrase of the deny list decides without the model in any case.
  (void)optional_flag(body, "haltOnBlocklistHit");
  return request;
}

}  // namespace qwen3guard::server
