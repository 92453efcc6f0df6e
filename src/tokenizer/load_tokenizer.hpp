// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_LOAD_TOKENIZER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_LOAD_TOKENIZER_HPP

#include <cstddef>
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

/// tokenizer.json or, failing that, vocab.json + merges.txt (+ tokenizer_config.json).
[[nodiscard]] Result<TokenizerParts> load_tokenizer_files(const ModelFiles& files);

/// The tokenizer.json at `path`.
[[nodiscard]] Result<TokenizerParts> load_tokenizer_json(const std::string& path);

/// The tokenizer.json with this text; `display_name` names it in errors.
[[nodiscard]] Result<TokenizerParts> parse_tokenizer_json(std::string_view text,
                                                          const std::string& display_name);

/// vocab.json + merges.txt; the pattern and normaliser are those of the Qwen family.
[[nodiscard]] Result<TokenizerParts> load_vocab_and_merges(const ModelFiles& files);

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
