// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_POLICY_SPEC_HPP
#define QWEN3GUARD_POLICY_SPEC_HPP

/// @file
/// What a policy says, as plain values.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

/// What Controversial counts as when it comes to acting on it (arXiv:2510.14276, section 2): strict = unsafe,
/// loose = safe. A mode never changes a severity, nor which tokens make a run.
enum class Mode : std::int32_t { strict = 0, loose = 1 };

/// Which tokens in a row decide (the debounce). The published evaluation script and the report's text differ.
enum class RunRule : std::int32_t {
  /// `consecutive_tokens` tokens of one severity, as eval/eval_stream.py has it (repository
  /// QwenLM/Qwen3Guard): a Controversial token ends a run of Unsafe ones, so a text whose tokens alternate
  /// between the two is Safe.
  published = 0,
  /// `consecutive_tokens` tokens of which none is Safe, as arXiv:2510.14276 has it, section 4.4: a response
  /// is flagged as unsafe or controversial from token i on when i and its predecessor are each one of the
  /// two, with the category of token i. The report leaves open which of the two it is when they differ; here
  /// the decision is Unsafe as soon as one token of the run is, wherever it stands. It is never less severe
  /// than that of `published`, and never falls later.
  report = 1,
};

/// What a run of tokens too short to decide does when the turn ends in it.
enum class EndOfTurn : std::int32_t {
  ignore_open_run = 0,  ///< it does not count: the published rule
  count_open_run = 1,   ///< it decides: a turn cut off in the middle of something is not let off
};

/// What a stream does when a response reaches the end of the context. A prompt that does not fit is
/// context_full in any case.
enum class ContextPolicy : std::int32_t {
  error = 0,  ///< the push fails with context_full and nothing changes
  /// What fits is judged; from there on pushes succeed and judge nothing, and say so: VerdictSource::none on
  /// every token, Decision::is_complete false.
  stop = 1,
  /// Everything before the response stays, and of the response the most recent half of what is left. Verdicts
  /// behind a slide equal those of a fresh session that has seen just that. A token costs at most two rows of
  /// the same matrix products; memory at most doubles while the next window fills.
  slide = 2,
};

/// What classify() does with a message that does not fit the context.
enum class LongText : std::int32_t {
  error = 0,  ///< the call fails with context_full
  /// It is judged in overlapping windows, each with the conversation before it, and the worst verdict is kept
  /// (Verdict::window). What stands before it must fit.
  windows = 1,
};

/// What to do with messages that the published Gen template leaves out, so that no Gen checkpoint sees them:
/// an assistant's that comes first, a system's that does not, and a tool's. Stream checkpoints see all.
enum class DroppedMessages : std::int32_t {
  report = 0,  ///< Verdict::dropped_messages has their indices
  reject = 1,  ///< the call fails with invalid_argument and the first one's index
};

/// The action on what was not judged: a call that failed, a turn that ended with text unjudged. It is never
/// allowed.
enum class Unjudged : std::int32_t {
  no_action = 0,  ///< Action::none: the host decides
  block = 1,      ///< Action::block
};

/// What one category leads to. Without thresholds the severity decides. With one of them, the score does,
/// P(Unsafe) (strict mode: + P(Controversial)) at the policy's temperature: block at score >=
/// block_threshold, else flag at score >= flag_threshold, else allow; one that is not set never triggers.
/// Actions stay at their defaults then. A plain value.
struct CategoryRule {
  Action unsafe = Action::block;  ///< of Unsafe: allow (the category is off), flag or block
  /// Of Controversial; not stricter than `unsafe`. Empty: by the mode; strict: as `unsafe`; loose: one step
  /// milder, so that block becomes flag, and flag becomes allow.
  std::optional<Action> controversial;
  /// In [0, 1]; flag_threshold <= block_threshold. @{
  std::optional<float> flag_threshold, block_threshold;  /// @}

  friend bool operator==(const CategoryRule&, const CategoryRule&) = default;
};

/// What holds for prompts, or for responses. A plain value.
struct RoleRules {
  std::array<CategoryRule, kCategoryCount> categories{};  ///< by Category
  /// Divides the logarithms of the probabilities before they are compared with thresholds (Guo et al. 2017,
  /// arXiv:1706.04599, section 4.2); in [0.01, 100]. Probabilities are reported as the model gave them.
  float temperature = 1.0F;

  friend bool operator==(const RoleRules&, const RoleRules&) = default;
};

/// From the verdicts of a response's tokens to one decision. A plain value.
struct Debounce {
  RunRule rule = RunRule::published;                   ///< which tokens make a run
  std::int32_t consecutive_tokens = 2;                 ///< tokens in a row that decide; at least 1
  EndOfTurn end_of_turn = EndOfTurn::ignore_open_run;  ///< of runs that the end cuts off
  /// Hysteresis: an action is taken back (Decision::action; TokenVerdict::action) after so many tokens in a
  /// row that lead to none, and, when `release_threshold` is set, whose score is below it. 0: it stays. The
  /// ruling stays in any case: it says what the turn held.
  std::int32_t release_tokens = 0;
  std::optional<float> release_threshold;  ///< in [0, 1]; with `release_tokens` only

  friend bool operator==(const Debounce&, const Debounce&) = default;
};

/// The numbers of a policy. A plain value; the default is that of the library.
struct PolicyRules {
  Mode mode = Mode::strict;                      ///< what Controversial counts as
  RoleRules prompt;                              ///< what holds for users' messages
  RoleRules response;                            ///< and for assistants'
  Debounce debounce;                             ///< streams, and responses of Stream checkpoints
  Unjudged unjudged = Unjudged::no_action;       ///< the action on what was not judged
  ContextPolicy context = ContextPolicy::error;  ///< streams
  LongText long_text = LongText::error;          ///< classify()
  std::int32_t window_overlap_tokens = 64;       ///< LongText::windows; at least 0
  DroppedMessages dropped_messages = DroppedMessages::report;  ///< Gen checkpoints

  friend bool operator==(const PolicyRules&, const PolicyRules&) = default;
};

/// How texts are folded before they are compared with phrases: each of these on its own. A plain value.
struct Folding {
  bool letter_case = true;   ///< Unicode's full case folding
  bool width = true;         ///< full-width and other compatibility forms (NFKC)
  bool confusables = false;  ///< characters that look alike, by Unicode's table (UTS #39)
  bool invisible = true;     ///< zero-width characters and bidi controls are left out
  bool spaced_out = false;   ///< "b o m b" is "bomb"
  bool leetspeak = false;    ///< "b0mb" is "bomb"

  friend bool operator==(const Folding&, const Folding&) = default;
};

/// Phrases that decide before the model does. A plain value.
struct PhraseLists {
  /// Whole words, compared after folding. A hit of `deny` blocks at once; in classify() no forward is run. In
  /// a stream the tokens are judged all the same, so that it can go on after a rewind.
  /// One of `allow` lifts the hits of `deny` that lie within it, and nothing else: never a model's verdict.
  /// UTF-8, not empty, at most 1,000 bytes each. @{
  std::vector<std::string> deny, allow;  /// @}
  Folding folding;                       ///< of the texts and of the phrases
  /// classify(): the model judges a folded copy, too, when it differs, and the worse verdict counts
  /// (Verdict::is_of_folded_copy). Streams refuse it.
  bool judge_folded_copy = false;

  friend bool operator==(const PhraseLists&, const PhraseLists&) = default;
};

/// Everything that a policy says. A plain value.
struct PolicySpec {
  std::string name = "default";  ///< 1 to 63 bytes of UTF-8 without control characters; rulings name it
  std::string version = "1";     ///< 1 to 31 bytes; the same
  PolicyRules rules;             ///< its numbers and choices
  PhraseLists lists;             ///< its phrases

  friend bool operator==(const PolicySpec&, const PolicySpec&) = default;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_POLICY_SPEC_HPP
