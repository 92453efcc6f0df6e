// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/temperature.hpp"

#include <cmath>
#include <random>
#include <vector>

#include "evaluation/calibration/folds.hpp"
#include "q3g_catch.hpp"
#include "random_examples.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

namespace {

/// Rows that are harmful as often as a score says, and that score sharpened by `factor`.
std::vector<ProbabilityRow> overconfident_rows(std::uint64_t seed, int n, double factor) {
  std::mt19937_64 random(seed);
  std::vector<ProbabilityRow> out;
  for (int i = 0; i < n; ++i) {
    const double logit = 2.0 * static_cast<double>(q3g_test::random_normal(random));
    const double truth = 1 / (1 + std::exp(-logit)), shown = 1 / (1 + std::exp(-logit * factor));
    const bool is_positive = (static_cast<double>(q3g_test::random_uniform(random)) + 1) / 2 < truth;
    out.push_back({{static_cast<float>(1 - shown), 0, static_cast<float>(shown)}, is_positive});
  }
  return out;
}

std::vector<std::int32_t> folds_for(const std::vector<ProbabilityRow>& rows) {
  std::vector<FoldRow> out;
  for (const ProbabilityRow& row : rows) out.push_back({"", Severity::safe, row.is_positive});
  return make_folds(out, 5, 1);
}

}  // namespace

TEST_CASE("Temperature: finds by how much a model is too sure, or not sure enough") {
  const std::uint64_t seed = 12;
  INFO("seed " << seed);
  for (const double factor : {3.0, 1.0, 0.5}) {
    const auto rows = overconfident_rows(seed, 6000, factor);
    for (const Mode mode : {Mode::strict, Mode::loose}) {
      const auto fitted = static_cast<double>(fit_temperature(rows, mode));
      CHECK(fitted == Approx(factor).epsilon(0.1));
      // No other is better.
      for (const double other : {fitted * 0.97, fitted * 1.03, 0.05, 20.0})
        CHECK(negative_log_likelihood(rows, mode, fitted) <=
              negative_log_likelihood(rows, mode, other) + 1e-9);
    }
  }
}

TEST_CASE("Temperature: one where fitting helps nothing on held-out rows") {
  const auto sure = overconfident_rows(5, 2000, 3);
  const TemperatureChoice choice = choose_temperature(sure, folds_for(sure), Mode::strict);
  CHECK(choice.temperature == fit_temperature(sure, Mode::strict));
  CHECK(choice.held_out < choice.held_out_at_1);
  CHECK(choose_temperature(sure, {}, Mode::strict).temperature == 1);
  // Of few rows something is learned that does not hold.
  int n_kept = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto few = overconfident_rows(seed, 40, 1);
    const TemperatureChoice tried = choose_temperature(few, folds_for(few), Mode::strict);
    CHECK((tried.temperature == 1) == (tried.held_out >= tried.held_out_at_1));
    n_kept += tried.temperature == 1 ? 1 : 0;
  }
  CHECK(n_kept > 5);
}

TEST_CASE("Temperature: strict adds up what is Controversial, and passes over rows without probabilities") {
  const std::vector<ProbabilityRow> rows = {{{0.5F, 0.25F, 0.25F}, true}, {{}, true}};
  CHECK(negative_log_likelihood(rows, Mode::strict, 1) == Approx(std::log(2.0)));
  CHECK(negative_log_likelihood(rows, Mode::loose, 1) == Approx(std::log(4.0)));
  CHECK(negative_log_likelihood({}, Mode::loose, 1) == 0);
  // Certain and wrong is bad, but not without bound.
  const std::vector<ProbabilityRow> wrong = {{{0, 0, 1}, false}};
  CHECK(negative_log_likelihood(wrong, Mode::loose, 1) == Approx(std::log(1e7)).epsilon(0.01));
}
