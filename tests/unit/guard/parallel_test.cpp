// SPDX-License-Identifier: Apache-2.0
// Whatever runs the loops, and however many threads: the same bytes.
#include <atomic>

#include "parallel_digest.hpp"
#include "q3g_catch.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

using namespace qwen3guard;
using q3g_test::digest;
using q3g_test::long_text;

TEST_CASE("parallel: the same bytes for any number of threads", "[threads]") {
  GuardOptions options;
  options.n_threads = 1;
  const std::string alone = digest(options);
  for (const int n_threads : {0, 2, 5}) {
    CAPTURE(n_threads);
    options.n_threads = n_threads;
    CHECK(digest(options) == alone);
  }
}

#ifdef _OPENMP
TEST_CASE("parallel: a guard on the threads of a host that uses OpenMP", "[threads]") {
  const Guard guard = Guard::load_embedded("nano-gen").value();
  const std::string text = long_text();
  const float expected = guard.classify_prompt(text).value().probabilities.safe;
  const int n_levels = omp_get_max_active_levels();
  for (const int levels : {1, 2}) {
    omp_set_max_active_levels(levels);
    std::atomic<int> n_bad{0};
#pragma omp parallel for num_threads(3) schedule(dynamic, 1)
    for (int i = 0; i < 12; ++i) {
      const auto verdict = guard.classify_prompt(text);
      if (!verdict.ok() || verdict->probabilities.safe != expected) ++n_bad;
    }
    CHECK(n_bad == 0);
  }
  omp_set_max_active_levels(n_levels);
}
#endif

TEST_CASE("parallel: what the model says of its threads", "[threads]") {
  GuardOptions options;
  options.n_threads = 2;
  const int n_threads = Guard::load_embedded("nano-gen", options).value().info().n_threads;
#ifdef Q3G_PARALLEL_NONE
  CHECK(n_threads == 1);
#elif defined(Q3G_PARALLEL_OPENMP)
  CHECK(n_threads == (omp_get_max_threads() < 2 ? omp_get_max_threads() : 2));
#else
  CHECK(n_threads == 2);
#endif
}
