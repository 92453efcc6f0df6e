// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_STREAMS_STREAMS_COMMON_HPP
#define QWEN3GUARD_BENCHMARKS_STREAMS_STREAMS_COMMON_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/qwen3guard.hpp"

namespace streams {

using Clock = std::chrono::steady_clock;

inline double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A name of a model in the library, or a path.
inline qwen3guard::Guard load(const std::string& name, std::int32_t kept_tokens = 768) {
  qwen3guard::GuardOptions options;
  options.kept_tokens = kept_tokens;
  const bool is_path = name.find('/') != std::string::npos || name.find('.') != std::string::npos;
  return (is_path ? qwen3guard::Guard::load(name, options) : qwen3guard::Guard::load_embedded(name, options))
      .value();
}

/// The value that p percent of `values` do not exceed.
inline double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p / 100 * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

/// English prose of any length.
inline std::string prose(std::size_t n_bytes) {
  constexpr std::string_view kText =
      "The ferry left at six, before the fog had lifted from the water, and nobody on deck said much until "
      "the "
      "lighthouse came into view. A woman in a green coat counted the gulls aloud; her son wrote the numbers "
      "down. When the engine slowed, the cook came up with tea and asked whether anyone had seen his cat. ";
  std::string out;
  while (out.size() < n_bytes) out += kText;
  out.resize(n_bytes);
  return out;
}

/// The first n tokens of the prose.
inline std::vector<qwen3guard::TokenId> prose_ids(const qwen3guard::Tokenizer& tokenizer, std::size_t n) {
  std::vector<qwen3guard::TokenId> ids = tokenizer.encode(prose(8 * n + 64)).value();
  ids.resize(n);
  return ids;
}

}  // namespace streams

#endif  // QWEN3GUARD_BENCHMARKS_STREAMS_STREAMS_COMMON_HPP
