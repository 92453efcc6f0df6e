// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_LOAD_TOKENIZER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_LOAD_TOKENIZER_HPP

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/status.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/json.hpp"
#include "util/model_files.hpp"

/// Reading of tokenizer files. All functions: bad_tokenizer or unsupported_model with the file, the key and
/// the index; file_not_found; io_error; out_of_memory. They throw std::bad_alloc.
namespace qwen3guard::detail {

/// Of tokenizer.json, vocab.json and merges.txt; the published tokenizer.json has 11 MB, and the largest ones
/// of other families 35 MB.
inline constexpr std::size_t kMaxTokenizerBytes = std::size_t{64} << 20;

/// Of a rank file; its other settings are in a file of this name and ".json".
inline constexpr std::string_view kRankFileEnding = ".tiktoken";

/// Beside a rank file. Published ones have up to 208, those of other families some thousands.
inline constexpr std::size_t kMaxSpecialTokens = std::size_t{1} << 16;

/// True when there is a file that load_tokenizer_files() would begin with. A rank file alone is none: it
/// tells nothing without its settings, and may be anything. One beside a tokenizer_config.json is meant as a
/// tokenizer, so that its missing settings are an error.
[[nodiscard]] bool has_tokenizer_files(const ModelFiles& files);

/// tokenizer.json or, failing that, vocab.json + merges.txt (+ tokenizer_config.json) or, failing that, the
/// one *.tiktoken.
[[nodiscard]] Result<TokenizerParts> load_tokenizer_files(const ModelFiles& files);

/// The folder, *.tiktoken or tokenizer.json at `path`.
[[nodiscard]] Result<TokenizerParts> load_tokenizer_path(const std::string& path);

/// The tokenizer.json with this text; `display_name` names it in errors.
[[nodiscard]] Result<TokenizerParts> parse_tokenizer_json(std::string_view text,
                                                          const std::string& display_name);

/// vocab.json + merges.txt; the pattern and normaliser are those of the Qwen family.
[[nodiscard]] Result<TokenizerParts> load_vocab_and_merges(const ModelFiles& files);

/// The rank file `name` with the settings beside it (docs/tokenizer.md).
[[nodiscard]] Result<TokenizerParts> load_rank_file(const ModelFiles& files, const std::string& name);

/// A pattern that means the same to tiktoken's regular expressions and to those of tokenizer.json. Errors:
/// unsupported_model, without a file's name.
[[nodiscard]] Status check_tiktoken_pattern(std::string_view regex);

/// A file of at most kMaxTokenizerBytes.
[[nodiscard]] Result<Blob> open_tokenizer_file(const ModelFiles& files, std::string_view name);

/// Calls add(token, where) for each token of tokenizer_config.json's added_tokens_decoder; false when there
/// is none. `where` has the file and the key.
[[nodiscard]] Result<bool> read_added_tokens_decoder(
    const ModelFiles& files, const std::function<Status(AddedToken added, const std::string& where)>& add);

/// One object with the fields of an added token (content, special, lstrip ...); `where` names it in errors.
[[nodiscard]] Result<AddedToken> parse_added_token(const JsonFile& file, simdjson::dom::element value,
                                                   std::int64_t id, const std::string& where);

/// Fills `parts` from the "normalizer" and "pre_tokenizer" values of a tokenizer.json.
[[nodiscard]] Status parse_normalizer(const JsonFile& file, simdjson::dom::element value,
                                      TokenizerParts& parts);
[[nodiscard]] Status parse_pre_tokenizer(const JsonFile& file, simdjson::dom::element value,
                                         TokenizerParts& parts);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_LOAD_TOKENIZER_HPP
