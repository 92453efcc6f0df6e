// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_OPTIONS_HPP
#define QWEN3GUARD_OPTIONS_HPP

/// @file
/// Options of models, classifications, streams and generators.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/policy.hpp"
#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

/// How a Gen checkpoint's verdict is read.
enum class Decoder : std::int32_t {
  constrained = 0,  ///< only well-formed verdicts are possible; fixed tokens are fed in one forward
  greedy = 1,       ///< the published way: generate up to 128 tokens, then parse
};

/// What to do with text that is not UTF-8.
enum class InvalidUtf8 : std::int32_t {
  /// The call fails with invalid_utf8 and the byte offset. A stream's turn that ends inside a character ends
  /// without that character: its bytes are not judged, and Decision::is_complete is false.
  reject = 0,
  /// Each maximal ill-formed subsequence is judged as U+FFFD; so is a character that a turn ends in.
  replace = 1,
};

/// What happens to a reasoning model's thinking: the part up to the first "</think>" of a response that
/// begins with "<think>", before which only line breaks may stand. A "<think>" anywhere else is text like any
/// other and begins nothing. So is the thinking of a host whose template has opened it, and whose responses
/// begin inside: such a host pushes "<think>\n" first.
enum class Thinking : std::int32_t {
  none = 0,  ///< responses do not think; what one does all the same is judged like the rest
  /// It is judged like the rest; in front of a response that does not think, so is the end of the template's
  /// empty think block, as the published evaluation does with --thinking.
  judge = 1,
  /// It does not count (TokenVerdict::counts), and all that follows it does. A Stream checkpoint reads it, so
  /// that the answer is judged in its light; a Gen checkpoint is shown the answer alone. As long as it has
  /// not ended, there is no answer, and Decision::is_complete is false.
  skip = 2,
};

/// Options of one classification.
struct ClassifyOptions {
  Decoder decoder = Decoder::constrained;  ///< Gen checkpoints only
  Policy policy;                           ///< from the verdict to Verdict::ruling
  /// Stream checkpoints: Verdict::token_verdicts is filled, so that decide() can rule again.
  bool keep_token_verdicts = false;
  /// What becomes of the response's thinking. A Stream checkpoint's verdict is that of a session with
  /// StreamOptions::thinking: not_judged when thinking is skipped and no answer follows. A Gen checkpoint
  /// refuses Thinking::skip.
  Thinking thinking = Thinking::none;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::reject;  ///< what text that is not UTF-8 does
  /// Other than the policy's. @{
  std::optional<LongText> long_text;
  std::optional<DroppedMessages> dropped_messages;  /// @}
  /// Stops the call from another thread. May be null.
  std::shared_ptr<const CancelFlag> cancel = nullptr;
  /// classify_batch(): called from the calling thread when the verdict, or the error, of a further
  /// conversation is there, and between two waves of a long message's windows (LongText::windows), n_done
  /// unchanged; returning false stops: those without a verdict get `cancelled`. What it throws
  /// ends the batch with `internal`. May be empty.
  std::function<bool(std::size_t n_done, std::size_t n_total)> progress = nullptr;
};

/// How much of a model's files is read and compared when it is loaded. In any case: the structure of every
/// file, the checksums of a packed file's header, norms, heads and inner files, and zeros or values that are
/// not finite in norms, heads and a sample of all other rows (docs/checkpoint_formats.md).
enum class Verify : std::int32_t {
  automatic = 0,  ///< full for Guard::load_memory(), off for files, which are mapped, and for embedded models
  off = 1,  ///< no more than the above: loading takes milliseconds, and reads what is used when it is used
  /// Every checksum of a packed file, and every value: finds any damaged byte of a packed file, and in a
  /// checkpoint's folder, which has no checksums, zeros and values that are not finite. Reads the whole file:
  /// seconds for 8B parameters, longer from a disk.
  full = 2,
};

/// What becomes of a checkpoint whose own chat template is not known (ModelInfo::chat_template).
enum class UnknownTemplate : std::int32_t {
  report = 0,  ///< it loads; ModelInfo and a warning in the log say so
  refuse = 1,  ///< loading fails with unsupported_model
};

/// How much a line of the log matters.
enum class LogLevel : std::int32_t { info = 0, warning = 1 };

/// Options of a loaded model.
struct GuardOptions {
  /// Threads of one call; 0: as many as the machine has cores (OMP_NUM_THREADS is honoured). With
  /// Q3G_PARALLEL=openmp: at most this many of the threads that the host's OpenMP gives the calling thread;
  /// 0: all of them. With Q3G_PARALLEL=none: ignored, a call has one thread.
  std::int32_t n_threads = 0;
  /// Instruction set to use: "" picks the best one (or the environment's QWEN3GUARD_ISA), else one of
  /// the names that ModelInfo::isa_available lists. A missing one is an error, never a silent fallback.
  std::string isa;
  /// Upper bound for the tokens of one conversation; 0: the checkpoint's own limit.
  std::int32_t max_context_tokens = 0;
  /// False: a folder without tokenizer files loads too; then only logits() and info() work, the rest fails
  /// with bad_tokenizer.
  bool require_tokenizer = true;
  /// How much is compared before the model is used. Not the whole of mapped files by default: that would read
  /// from disk what no call may ever use, and hold several processes up that share the pages.
  Verify verify = Verify::automatic;
  /// A checkpoint without a chat template loads in any case.
  UnknownTemplate unknown_template = UnknownTemplate::report;
  /// The fingerprint (ModelInfo::chat_template_fingerprint) of a template that was found to render the
  /// same as the published one; it counts as known. "": none.
  std::string known_template;
  /// Gen checkpoints: how many tokens of the last calls' conversations are kept, so that one which goes on
  /// (64 or more tokens in common) is not computed again; ModelInfo::kv_bytes_per_token tells what that
  /// takes. The verdict is the same up to rounding (docs/numerics.md). What was judged recently can be told
  /// from the time that a call takes; 0: only the constant part of the prompt is shared. At least 0.
  std::int32_t kept_tokens = 768;
  /// Where keys and values, scratch matrices and copies of weights live (blocks of some KiB to MiB; mapped
  /// files are no blocks). Must be safe to use from any thread; kept alive by what lives there. Null:
  /// operator new.
  std::shared_ptr<std::pmr::memory_resource> memory = nullptr;
  /// Told what was loaded and how, and what would make it faster; during load only, on the calling thread.
  /// What it throws ends in `internal`. May be empty: the library prints nothing.
  std::function<void(LogLevel level, std::string_view line)> log = nullptr;
};

/// Options of one stream.
struct StreamOptions {
  Policy policy;                ///< from verdicts to decisions and rulings
  std::int32_t max_tokens = 0;  ///< context; 0: the checkpoint's, or GuardOptions::max_context_tokens
  InvalidUtf8 invalid_utf8 = InvalidUtf8::reject;  ///< what text that is not UTF-8 does
  std::optional<ContextPolicy> context;            ///< other than the policy's: a response that does not fit
  Thinking thinking = Thinking::none;              ///< what becomes of a response's thinking
  /// True: text whose tokens the next piece may still change (the last word or two) is judged at once, and
  /// again when it changes. False: it waits until it is settled or the turn ends.
  bool judge_unsettled = true;
  /// Gen checkpoints: a verdict is written every so many tokens of the response; at least 1.
  std::int32_t gen_interval_tokens = 32;
  /// False: a control token among pushed ids, such as <|im_start|>, is an error, as it would end or forge a
  /// turn (StreamSession::push_tokens). True: it is judged like any other token, as if it were part of the
  /// text.
  bool allow_control_ids = false;
  /// Gen checkpoints: what begin_turn() and restore() do with a turn that no verdict would see.
  /// Other than the policy's.
  std::optional<DroppedMessages> dropped_messages;
  /// Stops a running call on the session from another thread. Sessions in one forward (push_batch(),
  /// StreamBatch) are stopped when all have the same flag. May be null.
  std::shared_ptr<const CancelFlag> cancel = nullptr;
};

/// How the next token is drawn. In this order: logits are divided by the temperature; the top_k most probable
/// tokens stay; of these the fewest whose probabilities sum to top_p; one of them is drawn. A plain value.
struct SamplingOptions {
  float temperature = 0.7F;  ///< 0: always the most probable token; finite, at least 0
  std::int32_t top_k = 20;   ///< 0: all
  float top_p = 0.8F;        ///< in (0, 1]; 1: all
  std::uint64_t seed = 0;    ///< the same seed draws the same on every platform, from the same logits
  std::shared_ptr<const CancelFlag> cancel =
      nullptr;  ///< stops a running next() from another thread; may be null
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_OPTIONS_HPP
