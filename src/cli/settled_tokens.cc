// SPDX-License-Identifier: Apache-2.0
#include "settled_tokens.hpp"

namespace qwen3guard::cli {

void SettledTokens::follow(const StreamUpdate& update) {
  tokens_.resize(update.first);
  tokens_.insert(tokens_.end(), update.tokens.begin(), update.tokens.end());
  while (n_shown_ < update.n_settled) show_next(false);
}

void SettledTokens::finish(std::vector<TokenVerdict> tokens) {
  tokens_ = std::move(tokens);
  while (n_shown_ < tokens_.size()) show_next(n_shown_ + 1 == tokens_.size());
}

void SettledTokens::show_next(bool is_last) {
  const TokenVerdict& token = tokens_[n_shown_++];
  std::string text = decoder_.push(token.id).value();
  if (is_last) text += decoder_.finish();
  show_(token, std::move(text));
}

}  // namespace qwen3guard::cli
