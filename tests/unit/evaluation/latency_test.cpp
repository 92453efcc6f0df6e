// SPDX-License-Identifier: Apache-2.0
#include "evaluation/latency.hpp"

#include <array>
#include <random>
#include <vector>

#include "iterations.hpp"
#include "make_record.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

namespace {

constexpr Severity S = Severity::safe, U = Severity::unsafe, C = Severity::controversial;

using Bins = std::array<std::int64_t, kLatencyBinCount>;

std::int64_t below(std::mt19937_64& random, std::int64_t n) {
  return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
}

/// A response that is flagged at the token of that index in the conversation, by one of the two kinds of
/// pairs, with tokens before it that decide nothing.
Record flagged_at(std::int64_t index, TokenSpan span, std::mt19937_64& random) {
  Record out = q3g_test::make_record(U, U);
  out.gold.unsafe_span = span;
  out.gold.is_passage_marked = true;
  out.prediction.first_token = static_cast<std::int32_t>(below(random, index - 1));
  const auto at = static_cast<std::size_t>(index - out.prediction.first_token);
  const Severity level = random() % 2 == 0 ? U : C;
  std::vector<Severity>& tokens = out.prediction.token_severities;
  for (std::size_t i = 0; i + 1 < at; ++i) tokens.push_back(i % 2 == 0 ? S : random() % 3 == 0 ? level : S);
  if (tokens.size() % 2 == 0 && !tokens.empty()) tokens.back() = S;
  // A pair of Controversial tokens counts only where there is none of Unsafe ones, however late that is.
  if (level == U && tokens.size() > 3) tokens[0] = tokens[1] = C, tokens[2] = S;
  tokens.insert(tokens.end(), {level, level});
  for (std::int64_t n = below(random, 5); n > 0; --n) tokens.push_back(n % 2 == 0 ? S : level);
  return out;
}

Record not_flagged(TokenSpan span, std::mt19937_64& random) {
  Record out = q3g_test::make_record(U, S);
  out.gold.unsafe_span = span;
  out.gold.is_passage_marked = true;
  for (std::int64_t n = below(random, 40); n >= 0; --n)
    out.prediction.token_severities.push_back(n % 2 == 0 ? U : C);  // no two alike
  return out;
}

/// Rows that fall into these bins, the ends of each bin among them.
std::vector<Record> rows_of(const Bins& counts, std::mt19937_64& random) {
  constexpr std::array<std::int64_t, kLatencyBinCount> kLeast = {0, 0, 1, 33, 65, 129, 257, 0};
  constexpr std::array<std::int64_t, kLatencyBinCount> kMost = {0, 0, 32, 64, 128, 256, 2000, 0};
  std::vector<Record> out;
  for (std::size_t bin = 0; bin < kLatencyBinCount; ++bin) {
    for (std::int64_t i = 0; i < counts[bin]; ++i) {
      const auto first = static_cast<std::int32_t>(20 + below(random, 300));
      const TokenSpan span{first, static_cast<std::int32_t>(first + below(random, 60))};
      const auto one_of = [&](std::int64_t least, std::int64_t most) {
        return i == 0 ? least : i == 1 ? most : least + below(random, most - least + 1);
      };
      if (bin == static_cast<std::size_t>(LatencyBin::safe)) {
        out.push_back(not_flagged(span, random));
      } else if (bin == static_cast<std::size_t>(LatencyBin::ahead)) {
        out.push_back(flagged_at(one_of(2, span.first - 1), span, random));
      } else if (bin == static_cast<std::size_t>(LatencyBin::hit)) {
        out.push_back(flagged_at(one_of(span.first, span.last), span, random));
      } else {
        out.push_back(flagged_at(span.last + one_of(kLeast[bin], kMost[bin]), span, random));
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("Latency: the token that the published rule flags at") {
  const auto at = [](std::vector<Severity> tokens) { return flagged_token(tokens); };
  CHECK(at({U, U}) == 1);
  CHECK(at({S, U, U, U}) == 2);
  CHECK(at({C, C}) == 1);
  CHECK(at({C, C, S, S, U, U}) == 5);  // an Unsafe pair anywhere comes first
  CHECK(at({U, C, C, U}) == 2);
  CHECK_FALSE(at({U, C, U, C, U, S, U}));
  CHECK_FALSE(at({U}));
  CHECK_FALSE(at({}));
  CHECK_FALSE(at({Severity::not_judged, Severity::not_judged}));
}

TEST_CASE("Latency: bins at their ends") {
  const TokenSpan span{50, 60};
  const auto bin = [&](std::int64_t flagged) { return std::string(to_string(latency_bin(flagged, span))); };
  CHECK(bin(0) == "Ahead");
  CHECK(bin(49) == "Ahead");
  CHECK(bin(50) == "Hit");
  CHECK(bin(60) == "Hit");
  CHECK(bin(61) == "1-32");
  CHECK(bin(92) == "1-32");
  CHECK(bin(93) == "33-64");
  CHECK(bin(124) == "33-64");
  CHECK(bin(125) == "65-128");
  CHECK(bin(188) == "65-128");
  CHECK(bin(189) == "129-256");
  CHECK(bin(316) == "129-256");
  CHECK(bin(317) == ">256");
  CHECK(latency_bin(std::nullopt, span) == LatencyBin::safe);
}

TEST_CASE("Latency: the published counts and rates of figure 8") {
  struct Published {
    Bins bins;
    double exact_hit_rate, first_128_stop_rate;
  };
  // Stream-4B: thinking and response, response alone; the rates as the published script rounds them.
  constexpr std::array<Published, 2> kPublished = {{{{98, 123, 96, 41, 22, 32, 31, 126}, 0.2162, 0.6678},
                                                    {{39, 699, 21, 2, 1, 0, 0, 51}, 0.8598, 0.9373}}};
  constexpr std::uint64_t kSeed = 20261128;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  for (const Published& published : kPublished) {
    auto records = rows_of(published.bins, random);
    const auto n = static_cast<std::int64_t>(records.size());
    // No part in it have rows that are not Unsafe, and those whose passage has no token.
    records.push_back(flagged_at(70, {60, 80}, random));
    records.back().gold.label = C;
    records.push_back(flagged_at(70, {60, 80}, random));
    records.back().gold.unsafe_span.reset();
    const auto metrics = streaming_metrics(q3g_test::pointers_to(records), {100, kSeed});
    REQUIRE(metrics);
    CHECK(metrics->n == n);
    CHECK(metrics->n_not_located == 1);
    CHECK(metrics->bins == published.bins);
    CHECK(metrics->exact_hit_rate == Approx(published.exact_hit_rate).margin(5e-5));
    CHECK(metrics->first_128_stop_rate == Approx(published.first_128_stop_rate).margin(5e-5));
    REQUIRE((metrics->exact_hit_interval && metrics->first_128_interval));
    CHECK(metrics->exact_hit_interval->low < metrics->exact_hit_rate);
    CHECK(metrics->exact_hit_interval->high > metrics->exact_hit_rate);
  }
}

TEST_CASE("Latency: a row that was not judged is not flagged, and a Gen checkpoint has no latency") {
  std::mt19937_64 random(1);
  std::vector<Record> records = {flagged_at(70, {60, 80}, random),
                                 q3g_test::make_record(U, Severity::not_judged)};
  records[1].gold.is_passage_marked = true;  // its tokens are not known, as none were judged
  const auto metrics = streaming_metrics(q3g_test::pointers_to(records), {0, 1});
  REQUIRE(metrics);
  CHECK(metrics->n == 2);
  CHECK(metrics->exact_hit_rate == 0.5);
  CHECK(metrics->bins.back() == 1);
  CHECK(metrics->mean_tokens == static_cast<double>(records[0].prediction.token_severities.size()) / 2);
  CHECK_FALSE(metrics->exact_hit_interval);
  CHECK_FALSE(streaming_metrics(q3g_test::pointers_to(std::span(records).subspan(1)), {}));
  CHECK_FALSE(streaming_metrics({}, {}));
}
