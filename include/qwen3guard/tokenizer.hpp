// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TOKENIZER_HPP
#define QWEN3GUARD_TOKENIZER_HPP

/// @file
/// From text to tokens and back.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/status.hpp"

namespace qwen3guard {

namespace detail {
class TokenizerImpl;
struct TokenizerAccess;
}  // namespace detail

/// Index of a token in the vocabulary; valid ids lie in [0, Tokenizer::vocab_size()).
using TokenId = std::int32_t;

/// What a control token (such as <|im_end|>) means when its text occurs in the input. Control tokens are the
/// added tokens marked `special` in the files and, whatever the files say, all of the form `<|name|>` but for
/// the six that the published files list as plain ones, for source code (`<|fim_prefix|>`, `<|fim_middle|>`,
/// `<|fim_suffix|>`, `<|fim_pad|>`, `<|repo_name|>`, `<|file_sep|>`).
enum class SpecialTokens : std::int32_t {
  as_text = 0,     ///< plain text: a user cannot forge a control token. The right choice for content.
  recognized = 1,  ///< its own id: only for text that the application wrote itself.
};

/// Byte-level BPE tokenizer in the Hugging Face form, or tiktoken's. Immutable after load(), cheap to copy
/// (shared). Thread-safety: const members may run on any number of threads at once.
class Tokenizer {
 public:
  /// Reads `path`: a tokenizer.json file, a rank file of the tiktoken package (*.tiktoken, with its pattern
  /// and special tokens in *.tiktoken.json), or a folder that holds tokenizer.json or, failing that,
  /// vocab.json + merges.txt (+ tokenizer_config.json for the added tokens) or, failing that, one rank file.
  /// `path` is UTF-8.
  /// Errors: file_not_found; io_error; bad_tokenizer (file, what was found and expected);
  /// unsupported_model (a normaliser, pre-tokeniser or model that this library does not implement).
  [[nodiscard]] static Result<Tokenizer> load(std::string_view path);

  /// Writes the tokenizer as a rank file of the tiktoken package to `file` (UTF-8; ends in ".tiktoken") and
  /// what the package needs beside it to `file` + ".json" (docs/tokenizer.md). load() reads both. That the
  /// package gives the same ids is checked first. Each appears complete or not at all; a rank file to replace
  /// goes first and comes last: an error may leave settings alone, which load() refuses, never a mixed pair.
  /// Errors: unsupported_model (what tiktoken cannot express, such as merges not in the order of the ids);
  /// invalid_argument (ending, NUL byte); io_error (also a file is there, not `overwrite`); out_of_memory.
  [[nodiscard]] Status export_tiktoken(std::string_view file, bool overwrite = false) const;

  /// Token ids of `text` (UTF-8, any length, borrowed for the call): NFC, pre-tokeniser, merges.
  /// Added tokens that are no control tokens (such as `<think>`) are recognised in both modes, as in the
  /// reference.
  /// Errors: invalid_utf8 (the detail has the byte offset of the error); invalid_argument (4 GiB or more).
  [[nodiscard]] Result<std::vector<TokenId>> encode(std::string_view text,
                                                    SpecialTokens mode = SpecialTokens::as_text) const;

  /// As encode(), appended to `out`; on error `out` is unchanged.
  [[nodiscard]] Status encode_to(std::string_view text, SpecialTokens mode, std::vector<TokenId>& out) const;

  /// Text of `ids`: the tokens' bytes joined; each maximal ill-formed UTF-8 subsequence becomes U+FFFD.
  /// Errors: token_out_of_range (index and id; ids in [0, vocab_size) that have no token, too).
  [[nodiscard]] Result<std::string> decode(std::span<const TokenId> ids, bool skip_special = false) const;

  /// Raw bytes of one token (not necessarily whole UTF-8 characters); the view lives as long as the
  /// tokenizer. Empty optional when `id` has no token.
  [[nodiscard]] std::optional<std::string_view> token_bytes(TokenId id) const noexcept;

  /// Id of the token whose raw bytes are exactly `bytes` (regular vocabulary only, no added tokens).
  [[nodiscard]] std::optional<TokenId> find_bytes(std::string_view bytes) const noexcept;

  /// Id of the added token with this text, e.g. "<|im_end|>".
  [[nodiscard]] std::optional<TokenId> find_added(std::string_view text) const noexcept;

  /// True for control tokens (see SpecialTokens).
  [[nodiscard]] bool is_special(TokenId id) const noexcept;

  /// One more than the largest id in use. (A model's embedding may have more rows.)
  [[nodiscard]] TokenId vocab_size() const noexcept;

 private:
  explicit Tokenizer(std::shared_ptr<const detail::TokenizerImpl> impl) noexcept : impl_(std::move(impl)) {}
  std::shared_ptr<const detail::TokenizerImpl> impl_;
  friend class StreamingDecoder;
  friend struct detail::TokenizerAccess;
};

/// Decodes ids one by one into whole UTF-8 characters: bytes of an unfinished character are held back
/// until it is complete or known to be ill-formed (then U+FFFD). The pieces joined, with finish(), equal
/// Tokenizer::decode of all ids. Thread-safety: one thread at a time.
class StreamingDecoder {
 public:
  /// A decoder that keeps its own (shared) copy of the tokenizer. skip_special: control tokens have no text.
  explicit StreamingDecoder(Tokenizer tokenizer, bool skip_special = false)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

  /// Text that `id` completes; may be empty. Errors: token_out_of_range (state unchanged).
  [[nodiscard]] Result<std::string> push(TokenId id);

  /// What is still held back, as U+FFFD; the decoder is then as new.
  [[nodiscard]] std::string finish();

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  std::string pending_;  // at most 3 bytes: a proper prefix of a well-formed character
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_TOKENIZER_HPP
