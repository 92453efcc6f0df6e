// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_VERDICT_WORDS_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_VERDICT_WORDS_HPP

#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::server {

/// A verdict in the words of a Gen checkpoint: as it wrote them, or, of a Stream checkpoint, the same two
/// lines. That one says nothing of refusals, so the third line is not there.
[[nodiscard]] std::string words_of(const Verdict& verdict);

/// A token of those words, with how probable it was where the model had a choice; log(1) = 0 where the
/// grammar left none. A plain value.
struct WordToken {
  std::string text;
  double logprob = 0;
  struct Other {
    std::string text;
    double logprob = 0;
  };
  std::vector<Other> others;  ///< most probable first, the token itself among them
};

/// The words as tokens. A word of several tokens has its probability at the first.
[[nodiscard]] std::vector<WordToken> tokens_of(const Verdict& verdict, std::string_view words,
                                               const Tokenizer& tokenizer);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_VERDICT_WORDS_HPP
