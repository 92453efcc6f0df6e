// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_GUARD_HPP
#define QWEN3GUARD_GUARD_HPP

/// @file
/// A loaded model: verdicts on conversations, and what is opened over it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/generator.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/stream_session.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

/// The two kinds of checkpoint.
enum class ModelKind : std::int32_t { gen = 0, stream = 1 };
/// "gen" or "stream". Static storage.
[[nodiscard]] const char* to_string(ModelKind kind) noexcept;

/// What a checkpoint's own chat template (in chat_template.jinja, chat_template.json or
/// tokenizer_config.json) is to this library, which runs none: conversations are always rendered as the
/// published checkpoints' templates do.
enum class ChatTemplate : std::int32_t {
  absent = 0,   ///< the checkpoint has none
  known = 1,    ///< a published one that renders the same, or GuardOptions::known_template
  unknown = 2,  ///< another one: the model may have been trained on conversations in another form
};
/// "absent", "known" or "unknown". Static storage.
[[nodiscard]] const char* to_string(ChatTemplate kind) noexcept;

/// What a loaded checkpoint is. A plain value.
struct ModelInfo {
  ModelKind kind = ModelKind::gen;  ///< what it can do
  std::string architecture;         ///< as in config.json
  /// Sizes as in config.json; max_context_tokens is the bound in use. GuardOptions may lower it. @{
  std::int32_t hidden_size = 0, n_layers = 0, n_heads = 0, n_kv_heads = 0, head_dim = 0;
  std::int32_t intermediate_size = 0, vocab_size = 0, max_context_tokens = 0;  /// @}
  bool tied_embeddings = false;            ///< the vocabulary's output matrix is the embedding
  std::int64_t n_parameters = 0;           ///< numbers in all matrices and norms
  std::int64_t weight_bytes = 0;           ///< as stored and mapped
  std::int64_t kv_bytes_per_token = 0;     ///< of one conversation
  std::string weight_dtype;                ///< e.g. "BF16", "F16+F32"
  std::string isa;                         ///< the instruction set in use
  std::vector<std::string> isa_available;  ///< what this CPU can do, best first
  std::int32_t n_threads = 0;              ///< of a call made by the calling thread
  /// See GuardOptions::unknown_template.
  ChatTemplate chat_template = ChatTemplate::absent;
  /// Of its text, 16 hexadecimal digits, for GuardOptions::known_template; empty when there is none. Tells
  /// templates apart, and is no proof against somebody who wants two to look alike.
  std::string chat_template_fingerprint;
};

/// Logits of one head for some positions: row-major [rows, cols].
struct HeadLogits {
  std::string name;  ///< "logits"; or "risk_level_logits", "category_logits", and both with "query_"
  /// Positions, and logits of each. @{
  std::int32_t rows = 0, cols = 0;  /// @}
  std::vector<float> values;        ///< rows * cols of them
};

/// One file of a checkpoint in memory.
struct ModelFile {
  std::string name;                  ///< e.g. "config.json"
  std::span<const std::byte> bytes;  ///< borrowed
};

/// A loaded checkpoint and its tokenizer; immutable after load(), cheap to move and to copy (shared).
/// Thread-safety: const members may run on any number of threads at once (each call borrows its own
/// scratch memory). Moving or destroying a Guard while a call on it runs is a bug in the caller.
class Guard {
 public:
  /// Loads config.json, tokenizer.json (or vocab.json + merges.txt) and *.safetensors from `model_dir`
  /// (UTF-8 on every OS); or the one packed file of that name (quantize.hpp). Weights are mapped read-only
  /// and shared by all calls. `options` is read during the call only. Errors: file_not_found (a hub's name
  /// and a URL, too: nothing is downloaded); io_error; bad_checkpoint (file, tensor, found and expected
  /// shape; weights that are zeros or not finite; with options.verify, another checksum; a git-lfs pointer or
  /// a web page in the place of a file); bad_tokenizer; unsupported_model (also LoRA adapters, PyTorch and
  /// GGUF files); unsupported_isa (forced ISA missing on this CPU); invalid_argument; out_of_memory. On error
  /// nothing stays mapped.
  [[nodiscard]] static Result<Guard> load(std::string_view model_dir, const GuardOptions& options = {});

  /// Loads a model compiled into the library; `name` is one of embedded_models().
  /// Errors: file_not_found (lists the names there are), and those of load() that concern options.
  [[nodiscard]] static Result<Guard> load_embedded(std::string_view name, const GuardOptions& options = {});

  /// Loads a model from memory: the files of a checkpoint folder, or one packed file of any name. Nothing is
  /// copied but what is not aligned (64 bytes are best); `owner` keeps the bytes alive and is let go when
  /// nothing uses them any more. Without an owner they must outlive the guard and all that it opened. The
  /// bytes must not change. All of them are verified (GuardOptions::verify), unless that is off. Errors: as
  /// load().
  [[nodiscard]] static Result<Guard> load_memory(std::span<const ModelFile> files,
                                                 std::shared_ptr<const void> owner,
                                                 const GuardOptions& options = {});

  /// Names of the models in the library, e.g. "nano-gen". Empty when it was built without them.
  [[nodiscard]] static std::vector<std::string> embedded_models();

  /// Judges one user prompt: `prompt` is UTF-8, any length in bytes, borrowed for the call. Control-token
  /// look-alikes inside it ("<|im_end|>") are encoded as plain text, never as control ids.
  /// A prompt that does not fit the context is an error, or judged in windows (LongText): in memory that does
  /// not grow with it beyond a verdict a window, and in time that does, about twice its tokens at most.
  /// Errors: invalid_utf8 (byte offset); context_full (the room that there is; without windows a text that is
  /// far too long is refused without being looked at, in little time and memory; with them when the
  /// conversation before the message leaves too little room for one); unparsable_output (greedy decoding; raw
  /// text in Error::detail); invalid_argument; out_of_memory. Deterministic: same bytes, options and ISA give
  /// the same result for any thread count; up to rounding when a kept conversation was gone on from
  /// (GuardOptions::kept_tokens). Source: the Qwen3Guard model card, "to moderate user prompts";
  /// arXiv:2510.14276.
  [[nodiscard]] Result<Verdict> classify_prompt(std::string_view prompt,
                                                const ClassifyOptions& options = {}) const;

  /// Judges `response` as the answer to `prompt`. Errors as classify_prompt().
  [[nodiscard]] Result<Verdict> classify_response(std::string_view prompt, std::string_view response,
                                                  const ClassifyOptions& options = {}) const;

  /// Judges the last message of a conversation of any number of turns. A Gen checkpoint writes its verdict;
  /// a Stream checkpoint judges a prompt by its query heads at the closing <|im_end|> and a response by the
  /// debounced stream over all its tokens (then `probabilities` are those at the deciding token, or at the
  /// last token when the decision is Safe).
  /// Errors as classify_prompt(); invalid_argument when there is no message or the last is not user or
  /// assistant.
  [[nodiscard]] Result<Verdict> classify(std::span<const Message> messages,
                                         const ClassifyOptions& options = {}) const;

  /// classify() for several conversations, whose tokens go through the model together: higher throughput, and
  /// each verdict waits for its neighbours. Element i is the verdict, or the error, of conversation i; one
  /// that fails does not disturb the others. Results are those of classify() up to rounding
  /// (docs/numerics.md), whatever the order; with packed int8, int4 and fp16 weights a Gen verdict differs
  /// by the rounding of attention at most. Memory is bounded: conversations are judged in waves of some 2,000
  /// tokens. Greedy decoding judges one after the other. Verdict::latency_ms counts from the start of the
  /// batch.
  [[nodiscard]] std::vector<Result<Verdict>> classify_batch(
      std::span<const std::vector<Message>> conversations, const ClassifyOptions& options = {}) const;

  /// StreamSession::push_tokens() for several sessions that this guard (or a copy of it) opened over a Stream
  /// checkpoint, in common matrix products. Each push has its own status, as push_tokens() would have
  /// returned it; a session that is there twice gets invalid_argument. No thread may use one of the sessions
  /// at the same time.
  void push_batch(std::span<StreamPush> pushes) const;

  /// Opens a stream over this model; a Gen checkpoint writes a verdict now and then, a Stream checkpoint
  /// judges every token. The session shares ownership of the model, so the Guard may die first. The KV cache
  /// is allocated as the conversation grows, 64 tokens at a time (ModelInfo::kv_bytes_per_token). Errors:
  /// bad_tokenizer (a Gen checkpoint without one); invalid_argument; out_of_memory.
  [[nodiscard]] Result<StreamSession> open_stream(const StreamOptions& options = {}) const;

  /// Opens a generator over this model: text by a causal checkpoint, which shares ownership of the model.
  /// Errors: unsupported_model (a Stream checkpoint writes no text); invalid_argument (the option);
  /// out_of_memory.
  [[nodiscard]] Result<Generator> open_generator(const SamplingOptions& options = {}) const;

  /// Raw logits of every head for `ids` (or for the last position only), for checks against other runtimes.
  /// `cancel` stops the call from another thread; borrowed for the call, may be null. Errors:
  /// invalid_argument (no ids); token_out_of_range; context_full; cancelled; out_of_memory.
  [[nodiscard]] Result<std::vector<HeadLogits>> logits(std::span<const TokenId> ids, bool last_only = false,
                                                       const CancelFlag* cancel = nullptr) const;

  /// What the checkpoint is, with which instruction set and how many threads.
  [[nodiscard]] ModelInfo info() const;
  /// Gen or Stream: the same as info().kind.
  [[nodiscard]] ModelKind kind() const noexcept;
  /// The checkpoint's tokenizer; nullptr when it was loaded without one (GuardOptions::require_tokenizer).
  /// Lives as long as any copy of this Guard or any session it opened; a copy of it lives on its own.
  [[nodiscard]] const Tokenizer* tokenizer() const noexcept;

  class Impl;  ///< internal

 private:
  friend class StreamBatch;
  explicit Guard(std::shared_ptr<const Impl> impl) noexcept : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_GUARD_HPP
