// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/attributes.hpp"

#include <random>
#include <string>

#include "../harmful_verdict.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

const Attribute& attribute(std::string_view name) {
  const Attribute* found = find_attribute(name);
  REQUIRE(found != nullptr);
  return *found;
}

/// In [0, 1).
float unit(std::mt19937& random) { return 0.5F * (q3g_test::random_uniform(random) + 1); }

std::vector<std::string> offered() {
  std::vector<std::string> names;
  const std::string all = offered_attributes();
  for (std::size_t at = 0; at != std::string::npos;) {
    const std::size_t end = all.find(", ", at);
    names.push_back(all.substr(at, end == std::string::npos ? end : end - at));
    at = end == std::string::npos ? end : end + 2;
  }
  return names;
}

Verdict random_verdict(std::mt19937& random) {
  const float safe = unit(random), controversial = (1 - safe) * unit(random);
  Verdict verdict = harmful_verdict({safe, controversial, 1 - safe - controversial}, {});
  for (int i = 0; i < kCategoryCount; ++i) {
    if (unit(random) < 0.3F) verdict.categories.push_back({static_cast<Category>(i), unit(random)});
  }
  return verdict;
}

}  // namespace

TEST_CASE("Perspective's attributes: offered, without a counterpart, or unknown, never two of these",
          "[server]") {
  for (const std::string& name : offered()) {
    CHECK(attribute(name).name == name);
    CHECK_FALSE(is_without_counterpart(name));
  }
  CHECK(offered().size() == 13);
  for (const char* name : {"PROFANITY", "OBSCENE", "FLIRTATION", "SPAM", "RESPECT_EXPERIMENTAL"}) {
    CHECK(is_without_counterpart(name));
    CHECK(find_attribute(name) == nullptr);
  }
  for (const char* name : {"", "toxicity", "TOXICITY ", "TOXICTY"}) {
    CHECK_FALSE(is_without_counterpart(name));
    CHECK(find_attribute(name) == nullptr);
  }
}

TEST_CASE("Perspective's attributes: the degree is that of harm, the kind that of the categories",
          "[server]") {
  const Verdict insult = harmful_verdict({0.1F, 0.6F, 0.3F}, {{Category::unethical_acts, 0.8F}});
  CHECK(score_of(attribute("INSULT"), insult) == Approx(0.9 * 0.8));
  CHECK(score_of(attribute("IDENTITY_ATTACK"), insult) == Approx(0.9 * 0.8));
  CHECK(score_of(attribute("ATTACK_ON_COMMENTER"), insult) == Approx(0.9 * 0.8));
  // What its most probable name leaves may be any other.
  CHECK(score_of(attribute("SEXUALLY_EXPLICIT"), insult) == Approx(0.9 * 0.2));
  // Of the rest, all may be among those that are toxic.
  CHECK(score_of(attribute("TOXICITY"), insult) == Approx(0.9));
  CHECK(score_of(attribute("SEVERE_TOXICITY"), insult) == Approx(0.3));
  CHECK(score_of(attribute("THREAT"), insult) == Approx(0.9));

  const Verdict fraud = harmful_verdict({0.1F, 0, 0.9F}, {{Category::non_violent_illegal_acts, 0.9F}});
  CHECK(score_of(attribute("TOXICITY"), fraud) == Approx(0.9 * 0.1));

  const Verdict both = harmful_verdict({0, 0, 1}, {{Category::pii, 0.9F}, {Category::violent, 0.7F}});
  CHECK(score_of(attribute("THREAT"), both) == Approx(0.7));
}

TEST_CASE("Perspective's attributes: what was not judged has the highest score", "[server]") {
  for (const std::string& name : offered()) {
    CHECK(score_of(attribute(name), Verdict()) == 1);
    CHECK(score_of(attribute(name), TokenVerdict()) == 1);
  }
}

TEST_CASE("Perspective's attributes: of a text in parts the worst part counts for each", "[server]") {
  const Verdict sexual = harmful_verdict({0, 0, 1}, {{Category::sexual_content, 1.0F}});
  const Verdict insult = harmful_verdict({0.5F, 0, 0.5F}, {{Category::unethical_acts, 1.0F}});
  Verdict whole = sexual;
  whole.windows = {insult, sexual};
  CHECK(score_of(attribute("SEXUALLY_EXPLICIT"), whole) == 1);
  CHECK(score_of(attribute("INSULT"), whole) == Approx(0.5));
}

TEST_CASE("Perspective's attributes: scores are in [0, 1], a wider attribute's not below a narrower one's",
          "[server]") {
  std::mt19937 random(19);
  for (int i = 0; i < 2000; ++i) {
    const Verdict verdict = random_verdict(random);
    for (const std::string& name : offered()) {
      const double score = score_of(attribute(name), verdict);
      CHECK((score >= 0 && score <= 1));
    }
    const auto score = [&](const char* name) { return score_of(attribute(name), verdict); };
    CHECK(score("TOXICITY") >= score("THREAT"));
    CHECK(score("THREAT") >= score("INSULT"));
    CHECK(score("TOXICITY") >= score("SEXUALLY_EXPLICIT"));
    CHECK(score("TOXICITY") >= score("SEVERE_TOXICITY"));
    CHECK(score("TOXICITY") == score("TOXICITY_EXPERIMENTAL"));
  }
}

TEST_CASE("Perspective's attributes: more harm is never a lower score", "[server]") {
  std::mt19937 random(20);
  for (int i = 0; i < 500; ++i) {
    const Verdict verdict = random_verdict(random);
    Verdict worse = verdict;
    const float moved = worse.probabilities.safe * unit(random);
    worse.probabilities.safe -= moved;
    worse.probabilities.unsafe += moved;
    for (const std::string& name : offered())
      CHECK(score_of(attribute(name), worse) >= score_of(attribute(name), verdict) - 1e-6);
  }
}

TEST_CASE("Perspective's attributes: a token's score is its harm times its categories' shares", "[server]") {
  TokenVerdict token;
  token.source = VerdictSource::heads;
  token.probabilities = {0.2F, 0.3F, 0.5F};
  token.category_probabilities[static_cast<std::size_t>(Category::violent)] = 0.25F;
  token.category_probabilities[static_cast<std::size_t>(Category::unethical_acts)] = 0.5F;
  token.category_probabilities[static_cast<std::size_t>(Category::pii)] = 0.25F;
  CHECK(score_of(attribute("INSULT"), token) == Approx(0.8 * 0.5));
  CHECK(score_of(attribute("THREAT"), token) == Approx(0.8 * 0.75));
  CHECK(score_of(attribute("SEVERE_TOXICITY"), token) == Approx(0.5 * 0.75));
}
