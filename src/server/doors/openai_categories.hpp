// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_OPENAI_CATEGORIES_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_OPENAI_CATEGORIES_HPP

#include <array>
#include <string_view>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::server {

inline constexpr std::size_t kOpenAiCategoryCount = 13;

/// What one of the thirteen names of OpenAI's moderations is told. docs/server.md argues the mapping.
struct OpenAiCategory {
  std::string_view name;  ///< "self-harm/intent"
  bool is_found = false;
  /// Where our categories are coarser, a part has the score of the whole. 1 where nothing was judged.
  double score = 0;
};

/// A verdict in those words. is_flagged: what the policy made of it; without it nothing is found.
[[nodiscard]] std::array<OpenAiCategory, kOpenAiCategoryCount> to_openai(const Verdict& verdict,
                                                                         bool is_flagged);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_OPENAI_CATEGORIES_HPP
