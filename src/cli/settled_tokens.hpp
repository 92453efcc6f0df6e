// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_SETTLED_TOKENS_HPP
#define QWEN3GUARD_SRC_CLI_SETTLED_TOKENS_HPP

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// Shows a turn's tokens as soon as no text that follows can change them. Throws Exception, and what `show`
/// throws.
class SettledTokens {
 public:
  /// show: a token's verdict, and the characters that it completes (may be none).
  using Show = std::function<void(const TokenVerdict&, std::string text)>;

  SettledTokens(const Tokenizer& tokenizer, Show show) : decoder_(tokenizer), show_(std::move(show)) {}

  void follow(const StreamUpdate& update);
  /// The turn is over; these are all of its tokens.
  void finish(std::vector<TokenVerdict> tokens);

 private:
  void show_next(bool is_last);

  StreamingDecoder decoder_;
  Show show_;
  std::vector<TokenVerdict> tokens_;
  std::size_t n_shown_ = 0;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_SETTLED_TOKENS_HPP
