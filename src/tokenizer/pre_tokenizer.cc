// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/pre_tokenizer.hpp"

#include <string>

#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {

Status PreTokenizer::add_pattern(std::string_view regex) {
  if (patterns_.size() == kMaxPatterns) {
    return error(ErrorCode::bad_tokenizer, "too many patterns; at most ", kMaxPatterns, " are expected");
  }
  if (regex == kQwenPattern) {
    steps_.emplace_back(std::nullopt);
  } else {
    Q3G_ASSIGN(auto pattern, Pattern::compile(regex));
    steps_.emplace_back(std::move(pattern));
  }
  patterns_.emplace_back(regex);
  return {};
}

}  // namespace qwen3guard::detail
