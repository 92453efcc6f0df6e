// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_VERDICT_HPP
#define QWEN3GUARD_VERDICT_HPP

/// @file
/// What is said of a text: severities, categories, verdicts, decisions.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qwen3guard {

/// Ordered by harm: a < b means b is worse. NOT the checkpoint's logit order (0 Safe, 1 Unsafe,
/// 2 Controversial); detail/model/labels.hpp has the only map.
enum class Severity : std::int32_t { safe = 0, controversial = 1, unsafe = 2 };
/// How many severities there are.
inline constexpr std::int32_t kSeverityCount = 3;

/// The policy's nine categories (arXiv:2510.14276, section 2), in the order of the Gen prompt.
/// Jailbreak exists for prompts only.
enum class Category : std::int32_t {
  violent = 0,                   ///< "Violent"
  non_violent_illegal_acts = 1,  ///< "Non-violent Illegal Acts"
  sexual_content = 2,            ///< "Sexual Content or Sexual Acts"
  pii = 3,                       ///< "PII": personal data
  suicide_self_harm = 4,         ///< "Suicide & Self-Harm"
  unethical_acts = 5,            ///< "Unethical Acts"
  politically_sensitive = 6,     ///< "Politically Sensitive Topics"
  copyright_violation = 7,       ///< "Copyright Violation"
  jailbreak = 8,                 ///< "Jailbreak"
};
/// How many categories there are.
inline constexpr std::int32_t kCategoryCount = 9;

/// What a host should do with the text.
enum class Action : std::int32_t { allow = 0, flag = 1, block = 2 };

/// "Safe", "Controversial", "Unsafe": the words of the verdict text. Static storage.
[[nodiscard]] const char* to_string(Severity severity) noexcept;
/// The category as the Gen prompt spells it, e.g. "Sexual Content or Sexual Acts", "PII". Static storage.
[[nodiscard]] const char* to_string(Category category) noexcept;
/// "allow", "flag", "block". Static storage.
[[nodiscard]] const char* to_string(Action action) noexcept;

/// The inverse of to_string(Severity): exact match.
[[nodiscard]] std::optional<Severity> parse_severity(std::string_view text) noexcept;
/// The inverse of to_string(Category); accepts the long spelling of PII found in some label maps too.
[[nodiscard]] std::optional<Category> parse_category(std::string_view text) noexcept;

/// Probabilities of the three severities; each in [0, 1], sum 1.
struct SeverityProbabilities {
  float safe = 0;           ///< P(Safe)
  float controversial = 0;  ///< P(Controversial)
  float unsafe = 0;         ///< P(Unsafe)

  /// The probability of a severity. @{
  [[nodiscard]] float operator[](Severity s) const noexcept {
    return s == Severity::safe ? safe : s == Severity::controversial ? controversial : unsafe;
  }
  [[nodiscard]] float& operator[](Severity s) noexcept {
    return s == Severity::safe ? safe : s == Severity::controversial ? controversial : unsafe;
  }
  /// @}
};

/// A category that the verdict names, with its probability in [0, 1] among the alternatives the model
/// had where it was named (see docs/architecture.md, "Probabilities").
struct CategoryScore {
  Category category = Category::violent;  ///< what it names
  float probability = 0;                  ///< in [0, 1]
};

/// Whether the judged response refuses the user's request.
struct Refusal {
  bool value = false;     ///< true: the response refuses
  float probability = 0;  ///< of `value`, in [0.5, 1]
};

/// Tokens a verdict took.
struct TokenUsage {
  std::int32_t prompt = 0;     ///< tokens of the rendered conversation
  std::int32_t cached = 0;     ///< of these, taken from a kept state instead of being computed
  std::int32_t generated = 0;  ///< tokens decoded after the prompt (0 for Stream checkpoints)
};

/// Judgement of the last message of a conversation. A plain value: owns everything, points to nothing.
struct Verdict {
  Severity severity = Severity::safe;     ///< what was decided
  SeverityProbabilities probabilities;    ///< of all three severities
  std::vector<CategoryScore> categories;  ///< most relevant first; empty when severity is safe
  std::optional<Refusal> refusal;         ///< Gen checkpoints judging a response; else empty
  Action action = Action::allow;          ///< by ClassifyOptions::policy
  TokenUsage tokens;                      ///< what it took
  double latency_ms = 0;                  ///< from the start of the call
  std::string text;                       ///< the verdict as the model wrote it; Gen checkpoints only
};

/// Where the verdict of a token comes from.
enum class VerdictSource : std::int32_t {
  /// Nothing: it was not judged (ContextPolicy::stop), or not yet (before a Gen checkpoint's first verdict).
  /// Not a Safe: the probabilities are all 0.
  none = 0,
  heads = 1,    ///< this token's classification heads
  written = 2,  ///< a Gen checkpoint wrote a verdict on the text up to this token
  carried = 3,  ///< a Gen checkpoint's last verdict, before this token
};

/// "none", "heads", "written", "carried". Static storage.
[[nodiscard]] const char* to_string(VerdictSource source) noexcept;

/// Judgement of one token of a stream. A plain value.
struct TokenVerdict {
  Severity severity = Severity::safe;     ///< the most probable one
  SeverityProbabilities probabilities;    ///< of all three severities
  Category category = Category::violent;  ///< the most probable one; meaningful unless safe
  std::array<float, kCategoryCount> category_probabilities{};  ///< by Category; 0 for one the head lacks
  std::int32_t position = 0;                    ///< 0-based token index in the whole rendered conversation
  bool flagged = false;                         ///< the policy's flag is up at this token
  VerdictSource source = VerdictSource::heads;  ///< where it comes from
  bool counts = true;                           ///< for the decision; false inside thinking that is skipped
  bool is_settled = true;                       ///< no text that follows can change the token
  std::int32_t id = -1;                         ///< the token
  /// Where it comes from in the turn's text as the host gave it. Tokens that share a character have its whole
  /// range. In a turn of pushed ids, offsets into the text that the ids spell. @{
  std::int64_t byte_begin = 0, byte_end = 0;  /// @}
};

/// What made a decision fall.
enum class DecisionReason : std::int32_t {
  none = 0,         ///< it is Safe
  run = 1,          ///< as many tokens in a row as the policy asks for
  end_of_turn = 2,  ///< the turn ended in a shorter run (EndOfTurn::count_open_run)
  written = 3,      ///< a Gen checkpoint's verdict
};

/// What a policy (decision_policy.hpp) made of a turn's tokens so far. A plain value.
struct Decision {
  Severity severity = Severity::safe;    ///< what the turn came to
  std::optional<std::int32_t> position;  ///< token (index in the conversation) where it fell; empty when safe
  std::optional<TokenVerdict> token;     ///< the verdict at that token: category, probabilities, byte range
  DecisionReason reason = DecisionReason::none;  ///< why it fell
  std::int32_t n_run_tokens = 0;                 ///< tokens of the run up to the deciding one, it included
  std::int64_t run_byte_begin =
      0;                    ///< where the run begins in the turn's text: what to take back starts here
  bool is_flagged = false;  ///< the policy's flag is up at the last token
  bool is_complete = true;  ///< false: part of the turn was not judged; Safe says nothing about it
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_VERDICT_HPP
