// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_STREAM_POLICY_HPP
#define QWEN3GUARD_DETAIL_GUARD_STREAM_POLICY_HPP

#include <cstdint>
#include <optional>

#include "qwen3guard/options.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// The debounce of a stream, apart from any model: a severity counts once it was held for
/// `consecutive_tokens` tokens in a row; Unsafe wins over Controversial even when it comes later. A plain
/// value; O(1) per token. Source: arXiv:2510.14276, section 4.4; the published streaming evaluation.
class StreamPolicy {
 public:
  StreamPolicy(Mode mode, std::int32_t consecutive_tokens)
      : mode_(mode), consecutive_tokens_(consecutive_tokens) {}

  /// Takes the next token's verdict and sets its `flagged`.
  void push(TokenVerdict& token) {
    run_length_ = token.severity == run_severity_ ? run_length_ + 1 : 1;
    run_severity_ = token.severity;
    const bool held = run_length_ >= consecutive_tokens_;
    if (held && token.severity == Severity::unsafe && !unsafe_) unsafe_ = token;
    if (held && token.severity == Severity::controversial && !controversial_) controversial_ = token;
    token.flagged = unsafe_.has_value() || (mode_ == Mode::strict && controversial_.has_value());
    if (unsafe_ && unsafe_->position == token.position) unsafe_ = token;
    if (controversial_ && controversial_->position == token.position) controversial_ = token;
  }

  [[nodiscard]] Decision decision() const {
    const std::optional<TokenVerdict>& token = unsafe_ ? unsafe_ : controversial_;
    if (!token) return {};
    return {token->severity, token->position, token};
  }

 private:
  Mode mode_;
  std::int32_t consecutive_tokens_;
  Severity run_severity_ = Severity::safe;
  std::int32_t run_length_ = 0;
  std::optional<TokenVerdict> unsafe_;         // where Unsafe was first held long enough
  std::optional<TokenVerdict> controversial_;  // the same for Controversial
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_GUARD_STREAM_POLICY_HPP
