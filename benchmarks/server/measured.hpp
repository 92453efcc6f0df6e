// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_MEASURED_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_MEASURED_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace load {

/// The value that p percent of `values` do not exceed; 0 when there is none.
inline double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  const double rank = std::ceil(p / 100 * static_cast<double>(values.size()));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Resident memory of a process in MiB; 0 when pid is 0, -1 when it is not there.
double resident_mib(int pid);

/// The value with so many decimals.
std::string fixed(double value, int decimals = 2);

/// Prints a row of a Markdown table.
void print_row(const std::vector<std::string>& cells);
/// Prints the table's head; all columns but the first `n_words` are numbers.
void print_head(const std::vector<std::string>& names, std::size_t n_words = 1);

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_MEASURED_HPP
