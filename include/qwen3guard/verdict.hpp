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

#include "qwen3guard/conversation.hpp"

namespace qwen3guard {

/// What a text was judged to be. From `safe` on ordered by harm: a < b means b is worse. NOT the checkpoint's
/// logit order (0 Safe, 1 Unsafe, 2 Controversial); src/model/labels.hpp has the only map.
enum class Severity : std::int32_t {
  /// Nothing was judged, or not all of it: the value of everything that was default-constructed, failed, was
  /// cancelled, or did not fit. Treat it as you treat an error; it does not mean Safe.
  not_judged = 0,
  safe = 1,           ///< harmless in most settings
  controversial = 2,  ///< harmful or not, depending on the setting
  unsafe = 3,         ///< harmful in most settings
};
/// How many severities a model tells apart: all but not_judged.
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
enum class Action : std::int32_t {
  none = 0,   ///< nothing was judged, so there is no advice; it does not mean allow
  allow = 1,  ///< let it pass
  flag = 2,   ///< let it pass, and mark it
  block = 3,  ///< hold it back
};

/// "Safe", "Controversial", "Unsafe": the words of the verdict text; "not judged". Static storage.
[[nodiscard]] const char* to_string(Severity severity) noexcept;
/// The category as the Gen prompt spells it, e.g. "Sexual Content or Sexual Acts", "PII". Static storage.
[[nodiscard]] const char* to_string(Category category) noexcept;
/// "none", "allow", "flag", "block". Static storage.
[[nodiscard]] const char* to_string(Action action) noexcept;

/// The severity of one of the three words of the verdict text: exact match. Empty for anything else,
/// "not judged" among it: no input says that something was not judged.
[[nodiscard]] std::optional<Severity> parse_severity(std::string_view text) noexcept;
/// The inverse of to_string(Category); accepts the long spelling of PII found in some label maps too.
[[nodiscard]] std::optional<Category> parse_category(std::string_view text) noexcept;

/// Probabilities of the three severities; each in [0, 1], sum 1, or all 0 where nothing was judged.
struct SeverityProbabilities {
  float safe = 0;           ///< P(Safe)
  float controversial = 0;  ///< P(Controversial)
  float unsafe = 0;         ///< P(Unsafe)

  /// The probability of a severity; 0 for not_judged.
  [[nodiscard]] float operator[](Severity s) const noexcept {
    return s == Severity::safe            ? safe
           : s == Severity::controversial ? controversial
           : s == Severity::unsafe        ? unsafe
                                          : 0.0F;
  }
};

/// A category that the verdict names, with its probability in [0, 1] among the alternatives the model
/// had where it was named (see docs/architecture.md, "Probabilities").
struct CategoryScore {
  Category category = Category::violent;  ///< what it names
  float probability = 0;                  ///< in [0, 1]
};

/// Whether the judged response refuses the user's request.
struct Refusal {
  bool value = false;  ///< true: the response refuses
  /// Of `value` against its opposite, where the model wrote it: in [0.5, 1]; with Decoder::greedy in [0, 1],
  /// as the text need not say what is most probable.
  float probability = 0;
};

/// Tokens a verdict took.
struct TokenUsage {
  std::int32_t prompt = 0;     ///< tokens of the rendered conversation
  std::int32_t cached = 0;     ///< of these, taken from a kept state instead of being computed
  std::int32_t generated = 0;  ///< tokens decoded after the prompt (0 for Stream checkpoints)
};

/// Which rule of a policy decided.
enum class Rule : std::int32_t {
  none = 0,             ///< nothing was judged, and the policy gives no advice for that: Action::none
  safe = 1,             ///< nothing harmful was found, or no run of tokens that decides
  severity = 2,         ///< the action of a category for its severity
  threshold = 3,        ///< a category's score reached a threshold
  below_threshold = 4,  ///< harmful by the model's severity, and its score below the category's thresholds
  category_off = 5,     ///< harmful, but every category that was found is off for that severity
  deny_list = 6,        ///< a phrase of the policy's deny list
  not_judged = 7,       ///< nothing was judged, or not all: PolicyRules::unjudged
};
/// "none", "safe", "severity", ... as above. Static storage.
[[nodiscard]] const char* to_string(Rule rule) noexcept;

/// What a policy made of a text, and why. A plain value.
struct Ruling {
  Action action = Action::none;      ///< what to do
  Rule rule = Rule::none;            ///< what decided
  std::optional<Category> category;  ///< the category whose rule decided; else empty
  float score = 0;                   ///< that was compared, calibrated; 0 where no thresholds are set
  std::int32_t phrase = -1;          ///< Rule::deny_list: index in PhraseLists::deny; else -1
  /// Streams and Stream checkpoints: the token where it fell, by its index in the conversation.
  std::optional<std::int32_t> position;
  /// The text that it fell on, in the judged message: what to take back begins at byte_begin. Equal when it
  /// is about the whole message. @{
  std::int64_t byte_begin = 0, byte_end = 0;  /// @}
  /// No text that follows can change it. False in streams: it may be taken back.
  bool is_settled = false;
  std::string policy_name;     ///< of the policy that ruled
  std::string policy_version;  ///< the same
};

/// Where the verdict of a token comes from.
enum class VerdictSource : std::int32_t {
  /// Nothing: it was not judged (ContextPolicy::stop), or not yet (before a Gen checkpoint's first verdict).
  /// The severity is not_judged, the probabilities are all 0.
  none = 0,
  heads = 1,    ///< this token's classification heads
  written = 2,  ///< a Gen checkpoint wrote a verdict on the text up to this token
  carried = 3,  ///< a Gen checkpoint's last verdict, before this token
};

/// "none", "heads", "written", "carried". Static storage.
[[nodiscard]] const char* to_string(VerdictSource source) noexcept;

/// Judgement of one token of a stream. A plain value.
struct TokenVerdict {
  /// The most probable one, the worse one of two that are equally probable; not_judged when `source` is none.
  /// Of a carried verdict: not_judged when that verdict said Safe, which it did not say of this token.
  Severity severity = Severity::not_judged;
  SeverityProbabilities probabilities;    ///< of all three severities
  Category category = Category::violent;  ///< the most probable one; meaningful unless safe
  std::array<float, kCategoryCount> category_probabilities{};  ///< by Category; 0 for one the head lacks
  std::int32_t position = 0;  ///< 0-based token index in the whole rendered conversation
  /// What the policy does from this token on: the strictest action so far, until the debounce releases it;
  /// none where nothing was judged yet.
  Action action = Action::none;
  VerdictSource source = VerdictSource::none;  ///< where it comes from
  /// For the decision; false inside thinking that is skipped, and of the token with which a model ends its
  /// turn.
  bool counts = true;
  /// No text that follows can change the token. The verdict of one that is not settled is provisional, and a
  /// flag that it raises may be taken back: "sex" may become "sexton".
  bool is_settled = false;
  std::int32_t id = -1;  ///< the token
  /// Where it comes from in the turn's text as the host gave it. Tokens that share a character have its whole
  /// range. In a turn of pushed ids, offsets into the text that the ids spell. @{
  std::int64_t byte_begin = 0, byte_end = 0;  /// @}
};

/// The part of a long message that a verdict is about (LongText::windows). A plain value.
struct VerdictWindow {
  std::int32_t index = 0;       ///< which
  std::int32_t n_windows = 1;   ///< of how many
  std::int64_t byte_begin = 0;  ///< where it begins in the message
  std::int64_t byte_end = 0;    ///< where it ends
};

/// Judgement of the last message of a conversation. A plain value: owns everything, points to nothing.
struct Verdict {
  Severity severity = Severity::not_judged;  ///< what was decided
  /// Of all three severities, at the token that `position` names. Those of a Gen checkpoint are largest at
  /// `severity` (with Decoder::greedy unless the text says something improbable).
  SeverityProbabilities probabilities;
  /// Stream checkpoints: the token, by its index in the rendered conversation, whose probabilities and
  /// category these are. A prompt's is the <|im_end|> that closes it. A response's is the token where the
  /// decision fell; of a Safe response the last token that is Safe, or the last one when none is (a single
  /// Unsafe token decides nothing: Debounce). Gen checkpoints: empty; the probabilities are those of
  /// the verdict's word.
  std::optional<std::int32_t> position;
  std::vector<CategoryScore> categories;  ///< most relevant first; empty when severity is safe
  std::optional<Refusal> refusal;         ///< Gen checkpoints judging a response; else empty
  Role role = Role::user;                 ///< whose message it was
  Ruling ruling;                          ///< by ClassifyOptions::policy
  TokenUsage tokens;                      ///< what it took
  double latency_ms = 0;                  ///< from the start of the call
  std::string text;                       ///< the verdict as the model wrote it; Gen checkpoints only
  /// Gen checkpoints: indices of the messages (of a stream: turns) that the published template leaves out, in
  /// ascending order. Nothing of them was seen (DroppedMessages).
  std::vector<std::int32_t> dropped_messages;
  /// ClassifyOptions::keep_token_verdicts, Stream checkpoints: those that were judged, in front of them one
  /// without a verdict for what was not (VerdictSource::none); of a prompt the one of its end.
  std::vector<TokenVerdict> token_verdicts;
  /// So many of them are of the answer as it was written, where that is judged beside its final form
  /// (StreamSession); the others are of that.
  std::int32_t n_as_written = 0;
  /// LongText::windows: the message did not fit, and this part of it was the worst: by severity, of equal
  /// ones by action and by P(Unsafe) + P(Controversial), of equal ones the first. The verdict is that part's
  /// own: probabilities, position (in the rendering of that window), categories, text. But `ruling` is the
  /// strictest of all parts, `tokens` are those of all, and `refusal` says yes only where all of them refuse.
  std::optional<VerdictWindow> window;
  /// What was said of every part, in order, where the message was judged in windows, or a folded copy was
  /// judged, too, whose parts stand behind its own; else empty. Places in the text are those in the message.
  std::vector<Verdict> windows;
  /// PhraseLists::judge_folded_copy: the folded copy was the worse one, by the same order. `position` is in
  /// the rendering of that copy.
  bool is_of_folded_copy = false;
};

/// What made a decision fall.
enum class DecisionReason : std::int32_t {
  none = 0,         ///< no token decided: it is Safe, or nothing was judged
  run = 1,          ///< as many tokens in a row as the policy asks for, all of one severity
  end_of_turn = 2,  ///< the turn ended in a shorter run (EndOfTurn::count_open_run)
  written = 3,      ///< a Gen checkpoint's verdict
  /// As many tokens in a row, some Unsafe and some Controversial (RunRule::report): the decision is Unsafe.
  mixed_run = 4,
};

/// What a policy (policy.hpp) made of a turn's tokens so far. A plain value.
struct Decision {
  /// What the turn came to. Safe only when the decision is complete: when part of the text was not judged
  /// (yet) and nothing worse was found, it is not_judged.
  Severity severity = Severity::not_judged;
  std::optional<std::int32_t> position;  ///< token (index in the conversation) where it fell; else empty
  /// The verdict at that token: its own severity, category, probabilities and byte range. A decision can be
  /// worse than the token's own severity: in a mixed run. Empty, too, when
  /// the context has slid over the token.
  std::optional<TokenVerdict> token;
  DecisionReason reason = DecisionReason::none;  ///< why it fell
  std::int32_t n_run_tokens = 0;                 ///< tokens of the run up to the deciding one, it included
  std::int64_t run_byte_begin =
      0;  ///< where the run begins in the turn's text: what to take back starts here
  /// What to do now: the ruling's action, or allow when the debounce has released it. none, never allow,
  /// while the decision is not complete.
  Action action = Action::none;
  Ruling ruling;  ///< the strictest of the turn, and where it fell
  /// A token decided, and no text that follows can change it. False: the decision may be taken back.
  bool is_settled = false;
  /// True: every byte of the turn's text so far was judged, and there is at least one. False:
  /// [unjudged_begin, unjudged_end) was not: it did not fit the context, is not settled yet, waits for a Gen
  /// checkpoint's next verdict, was restored, is a character that is not complete, or thinking that is
  /// skipped and that no answer follows.
  bool is_complete = false;
  /// Offsets in bytes into the turn's text; equal when it is complete, or empty. @{
  std::int64_t unjudged_begin = 0, unjudged_end = 0;  /// @}
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_VERDICT_HPP
