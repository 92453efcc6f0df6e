// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "tokenizer/vocabulary_builder.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

using simdjson::dom::element;

template <class... Parts>
Error unsupported(const JsonFile& file, const Parts&... what) {
  return error(ErrorCode::unsupported_model, file.name(), ": ", what...);
}

/// The value at `key`, or null when it is absent.
bool present(element object, std::string_view key, element& value) {
  return object[key].get(value) == simdjson::SUCCESS && !value.is_null();
}

/// Settings of the model that would change its result in a way this library does not implement.
Result<bool> check_model_settings(const JsonFile& file, element model) {
  element value;
  if (present(model, "type", value)) {
    std::string_view type;
    if (value.get(type) != simdjson::SUCCESS) return file.error("model.type is not a string");
    if (type != "BPE")
      return unsupported(file, "model.type is ", quote(type), "; only \"BPE\" is implemented");
  }
  if (present(model, "dropout", value)) {
    double dropout = 0;
    if (value.get(dropout) != simdjson::SUCCESS) return file.error("model.dropout is not a number");
    if (dropout != 0) return unsupported(file, "model.dropout is not 0");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!present(model, key, value)) continue;
    std::string_view affix;
    if (value.get(affix) != simdjson::SUCCESS) return file.error("model.", key, " is not a string");
    if (!affix.empty()) return unsupported(file, "model.", key, " is not empty");
  }
  bool byte_fallback = false, ignore_merges = false;
  if (present(model, "byte_fallback", value) && value.get(byte_fallback) != simdjson::SUCCESS)
    return file.error("model.byte_fallback is not true or false");
  if (byte_fallback) return unsupported(file, "model.byte_fallback is true");
  if (present(model, "ignore_merges", value) && value.get(ignore_merges) != simdjson::SUCCESS)
    return file.error("model.ignore_merges is not true or false");
  return ignore_merges;
}

Status read_vocabulary(const JsonFile& file, element model, std::size_t n_file_bytes,
                       VocabularyBuilder& builder) {
  simdjson::dom::object vocabulary;
  if (model["vocab"].get(vocabulary) != simdjson::SUCCESS)
    return file.error("model.vocab is missing or no object");
  builder.reserve(vocabulary.size(), n_file_bytes / 4);
  for (const auto entry : vocabulary) {
    std::int64_t id = 0;
    const auto where = [&] { return file.name() + ": model.vocab[" + quote(entry.key) + "]"; };
    if (entry.value.get(id) != simdjson::SUCCESS)
      return error(ErrorCode::bad_tokenizer, where(), " is not an integer below 2^63");
    if (Status status = builder.add_token(entry.key, id); !status.ok())
      return prefixed(std::move(status).error(), where());
  }
  return {};
}

Status read_added_tokens(const JsonFile& file, VocabularyBuilder& builder) {
  element value;
  if (!present(file.root(), "added_tokens", value)) return {};
  simdjson::dom::array tokens;
  if (value.get(tokens) != simdjson::SUCCESS) return file.error("added_tokens is not an array");
  std::size_t index = 0;
  for (const element token : tokens) {
    const std::string where = concat("added_tokens[", index++, "]");
    std::int64_t id = 0;
    if (token["id"].get(id) != simdjson::SUCCESS) return file.error(where, ".id is missing or no integer");
    Q3G_ASSIGN(AddedToken added, parse_added_token(file, token, id, where));
    if (Status status = builder.add_added_token(std::move(added)); !status.ok())
      return prefixed(std::move(status).error(), file.name() + ": " + where);
  }
  return {};
}

/// One entry of model.merges, which is "a b" or ["a", "b"]; nothing when it is neither.
std::optional<std::pair<std::string_view, std::string_view>> merge_pair(simdjson::dom::array pair) {
  std::pair<std::string_view, std::string_view> pieces;
  auto it = pair.begin();
  for (std::string_view* piece : {&pieces.first, &pieces.second}) {
    if (it == pair.end() || (*it).get(*piece) != simdjson::SUCCESS) return std::nullopt;
    ++it;
  }
  if (it != pair.end()) return std::nullopt;
  return pieces;
}

Status read_merges(const JsonFile& file, element model, VocabularyBuilder& builder) {
  simdjson::dom::array merges;
  if (model["merges"].get(merges) != simdjson::SUCCESS)
    return file.error("model.merges is missing or no array");
  std::size_t n = 0;
  for (auto it = merges.begin(); it != merges.end(); ++it) ++n;  // size() saturates
  const auto where = [&](std::size_t index) { return concat(file.name(), ": model.merges[", index, "]"); };
  if (Status status = builder.index(n, where); !status.ok())
    return prefixed(std::move(status).error(), file.name() + ": model.vocab");
  std::size_t index = 0;
  for (const element merge : merges) {
    std::string_view line;
    simdjson::dom::array array;
    if (merge.get(array) == simdjson::SUCCESS) {
      const auto pair = merge_pair(array);
      if (!pair) return error(ErrorCode::bad_tokenizer, where(index), ": neither \"a b\" nor [\"a\", \"b\"]");
      Q3G_TRY(builder.add_merge(index, pair->first, pair->second));
    } else if (merge.get(line) == simdjson::SUCCESS) {
      Q3G_TRY(builder.add_merge(index, line));
    } else {
      return error(ErrorCode::bad_tokenizer, where(index), ": neither \"a b\" nor [\"a\", \"b\"]");
    }
    ++index;
  }
  return {};
}

}  // namespace

Result<AddedToken> parse_added_token(const JsonFile& file, element value, std::int64_t id,
                                     const std::string& where) {
  AddedToken token;
  if (id < 0 || id >= Vocabulary::kMaxIds)
    return file.error(where, ".id is ", id, ", not in [0, ", Vocabulary::kMaxIds, ")");
  token.id = static_cast<TokenId>(id);
  std::string_view content;
  if (value["content"].get(content) != simdjson::SUCCESS)
    return file.error(where, ".content is missing or no string");
  token.content = content;
  bool single_word = false;
  const std::pair<const char*, bool*> flags[] = {{"special", &token.special},
                                                 {"lstrip", &token.lstrip},
                                                 {"rstrip", &token.rstrip},
                                                 {"normalized", &token.normalized},
                                                 {"single_word", &single_word}};
  for (const auto& [key, flag] : flags) {
    element setting;
    if (present(value, key, setting) && setting.get(*flag) != simdjson::SUCCESS)
      return file.error(where, ".", key, " is not true or false");
  }
  if (single_word) return unsupported(file, where, ".single_word is true");
  return token;
}

Result<TokenizerParts> parse_tokenizer_json(std::string_view text, const std::string& display_name) {
  Q3G_ASSIGN(const JsonFile file,
             JsonFile::parse(text, display_name, ErrorCode::bad_tokenizer, kMaxTokenizerBytes));
  if (!file.root().is_object()) return file.error("the top level is not an object");
  element model;
  if (file.root()["model"].get(model) != simdjson::SUCCESS || !model.is_object())
    return file.error("model is missing or no object");
  Q3G_ASSIGN(const bool ignore_merges, check_model_settings(file, model));
  VocabularyBuilder builder;
  Q3G_TRY(read_vocabulary(file, model, text.size(), builder));
  Q3G_TRY(read_added_tokens(file, builder));
  Q3G_TRY(read_merges(file, model, builder));
  Q3G_ASSIGN(TokenizerParts parts, builder.take());
  parts.ignore_merges = ignore_merges;
  element value;
  if (present(file.root(), "normalizer", value)) Q3G_TRY(parse_normalizer(file, value, parts));
  if (!present(file.root(), "pre_tokenizer", value))
    return unsupported(file, "no pre_tokenizer; ByteLevel is needed");
  Q3G_TRY(parse_pre_tokenizer(file, value, parts));
  return parts;
}

}  // namespace qwen3guard::detail
