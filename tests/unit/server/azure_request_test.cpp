// SPDX-License-Identifier: Apache-2.0
#include "server/doors/azure/azure_request.hpp"

#include <string>

#include "q3g_catch.hpp"
#include "server/doors/request_json.hpp"
#include "wire/line_error.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

AzureRequest read(const std::string& json, const Policy& policy = {}) {
  return read_azure_request(wire::JsonValue::parse(json), policy);
}

/// The place that a refusal names; "" when there is none.
std::string place_of(const std::string& json, const Policy& policy = {}) {
  try {
    (void)read(json, policy);
  } catch (const BadRequestError& e) {
    return e.param;
  } catch (const wire::LineError& e) {
    return std::string(e.what()).substr(0, std::string(e.what()).find(':'));
  }
  return "";
}

}  // namespace

TEST_CASE("Azure's request: what may be left out", "[server]") {
  for (
      const char* json :
      {R"({"text": "x"})",
       R"({"text": "x", "categories": null, "blocklistNames": null, "haltOnBlocklistHit": null, "outputType": null})",
       R"({"text": "x", "categories": [], "blocklistNames": [], "haltOnBlocklistHit": true})",
       R"({"text": "x", "outputType": "FourSeverityLevels"})"}) {
    CAPTURE(json);
    const AzureRequest request = read(json);
    CHECK(request.text == "x");
    CHECK(request.asked == AskedCategories{true, true, true, true});
    CHECK_FALSE(request.has_eight_levels);
  }
  const AzureRequest some = read(
      R"({"text": "", "categories": ["Violence", "Hate", "Hate"], "outputType": "EightSeverityLevels"})");
  CHECK(some.text.empty());
  CHECK(some.asked == AskedCategories{true, false, false, true});
  CHECK(some.has_eight_levels);
}

TEST_CASE("Azure's request: what is refused, and where", "[server]") {
  CHECK(place_of("{}") == "text");
  CHECK(place_of(R"({"text": null})") == "text");
  CHECK(place_of(R"({"text": ["x"]})") == "text");
  CHECK(place_of(R"({"text": "\ud800"})") == "text");
  CHECK(place_of(R"({"text": "x", "categories": "Hate"})") == "categories");
  CHECK(place_of(R"({"text": "x", "categories": ["Hate", "hate"]})") == "categories[1]");
  CHECK(place_of(R"({"text": "x", "categories": ["Hate", 1]})") == "categories[1]");
  CHECK(place_of(R"({"text": "x", "blocklistNames": "mine"})") == "blocklistNames");
  CHECK(place_of(R"({"text": "x", "blocklistNames": ["mine"]})") == "blocklistNames[0]");
  CHECK(place_of(R"({"text": "x", "blocklistNames": ["default"]})") == "blocklistNames[0]");
  CHECK(place_of(R"({"text": "x", "blocklistNames": [null]})") == "blocklistNames[0]");
  CHECK(place_of(R"({"text": "x", "haltOnBlocklistHit": "true"})") == "haltOnBlocklistHit");
  CHECK(place_of(R"({"text": "x", "outputType": "SixSeverityLevels"})") == "outputType");
  CHECK(place_of(R"({"text": "x", "outputType": 8})") == "outputType");
  for (const char* name : {"image", "breakByBlocklists", "policy", "Text"})
    CHECK(place_of(std::string(R"({"text": "x", ")") + name + R"(": null})") == name);
}

TEST_CASE("Azure's request: ten thousand code points, whatever their bytes", "[server]") {
  for (const std::string character : {"a", "\u00e9", "\u4f60", "\U0001f600"}) {
    std::string text;
    for (std::size_t i = 0; i < kAzureMaxTextCodePoints; ++i) text += character;
    CHECK(read(R"({"text": ")" + text + R"("})").text == text);
    text += character;
    CHECK(place_of(R"({"text": ")" + text + R"("})") == "text");
  }
}

TEST_CASE("Azure's request: the policy's deny list goes by the policy's name", "[server]") {
  PolicySpec spec;
  spec.name = "mine";
  spec.lists.deny = {"forbidden fruit"};
  const auto policy = Policy::make(spec);
  if (!policy.ok()) return;  // a build without RE2
  CHECK(place_of(R"({"text": "x", "blocklistNames": ["mine", "mine"]})", *policy).empty());
  CHECK(place_of(R"({"text": "x", "blocklistNames": ["mine", "other"]})", *policy) == "blocklistNames[1]");
  CHECK(place_of(R"({"text": "x", "blocklistNames": ["Mine"]})", *policy) == "blocklistNames[0]");
}
