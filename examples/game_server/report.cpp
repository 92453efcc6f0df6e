// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace game_server {

double percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p / 100 * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

std::string percentiles(std::vector<double>& values) {
  char text[160];
  std::snprintf(text, sizeof text, "p50 %.2f  p90 %.2f  p99 %.2f  max %.2f ms", percentile(values, 50),
                percentile(values, 90), percentile(values, 99), percentile(values, 100));
  return text;
}

}  // namespace game_server
