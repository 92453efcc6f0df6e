// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/verdict_parser.hpp"

#include <string>

#include "q3g_catch.hpp"
#include "qwen3guard/quote.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

TEST_CASE("parser: well-formed verdicts", "[parser]") {
  const auto safe = parse_verdict("Safety: Safe\nCategories: None", Subject::prompt).value();
  CHECK(safe.severity == Severity::safe);
  CHECK(safe.categories.empty());
  CHECK_FALSE(safe.refusal.has_value());
  CHECK(safe.well_formed);

  const auto unsafe =
      parse_verdict("Safety: Unsafe\nCategories: Violent, Non-violent Illegal Acts\nRefusal: No",
                    Subject::response)
          .value();
  CHECK(unsafe.severity == Severity::unsafe);
  CHECK(unsafe.categories == std::vector<Category>{Category::violent, Category::non_violent_illegal_acts});
  CHECK(unsafe.refusal == false);
  CHECK(unsafe.well_formed);
}

TEST_CASE("parser: format and parse are inverse for every severity, category and refusal", "[parser]") {
  for (const Subject subject : {Subject::prompt, Subject::response}) {
    for (const Severity severity : {Severity::safe, Severity::controversial, Severity::unsafe}) {
      for (int first = 0; first < kCategoryCount; ++first) {
        for (int second = 0; second < kCategoryCount; ++second) {
          ParsedVerdict verdict;
          verdict.severity = severity;
          if (severity != Severity::safe) {
            verdict.categories.push_back(static_cast<Category>(first));
            if (second != first) verdict.categories.push_back(static_cast<Category>(second));
          }
          if (subject == Subject::response) verdict.refusal = second % 2 == 0;
          const std::string text = format_verdict(verdict);
          CAPTURE(text);
          const auto parsed = parse_verdict(text, subject).value();
          CHECK(parsed.severity == verdict.severity);
          CHECK(parsed.categories == verdict.categories);
          CHECK(parsed.refusal == verdict.refusal);
          const bool jailbreak = severity != Severity::safe && (first == 8 || second == 8);
          CHECK(parsed.well_formed == !(subject == Subject::response && jailbreak));
        }
      }
    }
  }
}

TEST_CASE("parser: odd texts are read as far as they go, and are not well-formed", "[parser]") {
  const auto parse = [](const char* text, Subject subject = Subject::prompt) {
    const auto out = parse_verdict(text, subject).value();
    CHECK_FALSE(out.well_formed);
    return out;
  };
  CHECK(parse("Safety: Unsafe").severity == Severity::unsafe);
  CHECK(parse("Safety: Unsafe\nCategories: None").categories.empty());
  CHECK(parse("Safety: Safe\nCategories: Violent").categories.empty());
  CHECK(parse("Sure!\nSafety: Controversial\nCategories: PII, PII, Cooking").categories.size() == 1);
  CHECK(parse("Safety:   Unsafe  \nCategories:Violent ,Jailbreak").categories.size() == 2);
  CHECK(parse("Safety: Safe\nCategories: None", Subject::response).refusal == std::nullopt);
  CHECK(parse("Safety: Safe\nCategories: None\nRefusal: Yes", Subject::prompt).refusal == true);
  CHECK(parse("Safety: Unsafe\nCategories: Jailbreak\nRefusal: No", Subject::response).categories.size() ==
        1);
}

TEST_CASE("parser: text without a severity is an error that shows it", "[parser]") {
  for (const char* text : {"", "Safe", "Safety:", "Safety: safe", "Safety: \nSafe", "Safety: Maybe"}) {
    CAPTURE(text);
    const auto result = parse_verdict(text, Subject::prompt);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::unparsable_output);
    CHECK(result.error().detail.find("got: " + quote(text)) != std::string::npos);
  }
}
