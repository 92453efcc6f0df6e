// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_FINAL_FORM_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_FINAL_FORM_HPP

#include <cstddef>
#include <span>
#include <vector>

#include "guard/conversation/conversation.hpp"
#include "guard/policy/stream_policy.hpp"
#include "guard/session/turn_record.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// A turn that is over in its final form: which tokens of the tape are judged in it, and what they come to.
/// What is judged is what the published evaluation judges (eval_stream.py of the repository
/// QwenLM/Qwen3Guard): the response's tokens and the <|im_end|> and line break that close it. A plain value.
class FinalForm {
 public:
  /// What a decision came of, whole: decide() rules on it again.
  struct Judged {
    std::vector<TokenVerdict> as_written;  ///< empty when it was judged in this form alone
    std::vector<TokenVerdict> final_form;
    UnjudgedText missing;
  };

  /// <|im_end|> and a line break.
  static constexpr std::size_t kClosingTokens = 2;

  FinalForm() = default;
  /// record: of the turn as it was written; its tokens, those of the markup in front included, stood on the
  /// tape from live_begin on.
  FinalForm(ClosedForm form, const ClosedTurn& turn, const TurnRecord& record, std::size_t live_begin,
            Thinking thinking);

  /// The tokens of the tape that are to be judged now: [first, end). Those before them that count were judged
  /// as the text was written, and stand where they stood.
  [[nodiscard]] std::size_t first() const noexcept { return first_; }
  [[nodiscard]] std::size_t end() const noexcept { return end_; }
  /// The first index of the tape that the end of the turn changed.
  [[nodiscard]] std::size_t keep() const noexcept { return form_.keep; }
  /// It is the template's form; else the text as it was written goes on to its end.
  [[nodiscard]] bool is_rendered() const noexcept { return is_rendered_; }
  /// Of the turn's <|im_end|>.
  [[nodiscard]] std::size_t im_end() const noexcept { return form_.end; }
  void add(const TokenVerdict& verdict) { verdicts_.push_back(verdict); }
  [[nodiscard]] std::span<const TokenVerdict> verdicts() const noexcept { return verdicts_; }

  /// What a response came to: the worse of what was found in this form and as it was written. missing: what
  /// of the text as it was written was not judged. judged: may be null; else set to what it came of. Throws
  /// std::bad_alloc.
  [[nodiscard]] Decision decide(const Policy& policy, const Conversation& conversation,
                                const TurnRecord& record, UnjudgedText missing, Judged* judged) const;

 private:
  /// The verdicts that count, each with its id, position and bytes.
  [[nodiscard]] std::vector<TokenVerdict> counted(const Conversation& conversation,
                                                  const TurnRecord& record) const;

  ClosedForm form_;
  bool is_rendered_ = false;  // the template's form, not the text as it was written
  bool has_answer_ = true;
  std::size_t live_begin_ = 0, judged_begin_ = 0, first_ = 0, end_ = 0;
  std::vector<TokenVerdict> verdicts_;  // from first_ on
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_FINAL_FORM_HPP
