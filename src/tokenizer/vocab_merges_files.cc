// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "tokenizer/vocabulary_builder.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

using simdjson::dom::element;

Status read_vocab_file(const JsonFile& file, std::size_t n_file_bytes, VocabularyBuilder& builder) {
  simdjson::dom::object vocabulary;
  if (file.root().get(vocabulary) != simdjson::SUCCESS) return file.error("the top level is not an object");
  builder.reserve(vocabulary.size(), n_file_bytes / 2);
  for (const auto entry : vocabulary) {
    std::int64_t id = 0;
    if (entry.value.get(id) != simdjson::SUCCESS) return file.error(quote(entry.key), " has no integer id");
    if (Status status = builder.add_token(entry.key, id); !status.ok())
      return prefixed(std::move(status).error(), file.name() + ": " + quote(entry.key));
  }
  return {};
}

/// "left right" a line; the first line may be "#version: ...".
Status read_merges_text(std::string_view text, VocabularyBuilder& builder) {
  text = without_byte_order_mark(text);
  std::size_t line_number = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t end = std::min(text.find('\n', pos), text.size());
    std::string_view line = text.substr(pos, end - pos);
    pos = end + 1;
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    Q3G_TRY(builder.add_merge(line_number, line));
  }
  return {};
}

}  // namespace

Result<bool> read_added_tokens_decoder(
    const ModelFiles& files, const std::function<Status(AddedToken added, const std::string& where)>& add) {
  constexpr std::string_view kName = "tokenizer_config.json", kKey = "added_tokens_decoder";
  if (!files.contains(kName)) return false;
  Q3G_ASSIGN(const Blob blob, files.open(kName));
  Q3G_ASSIGN(const JsonFile file, JsonFile::parse(blob.text(), files.display_name(kName),
                                                  ErrorCode::bad_tokenizer, kMaxConfigBytes));
  element value;
  if (!file.root().is_object()) return file.error("the top level is not an object");
  if (file.root()[kKey].get(value) != simdjson::SUCCESS || value.is_null()) return false;
  simdjson::dom::object tokens;
  if (value.get(tokens) != simdjson::SUCCESS) return file.error(kKey, " is not an object");
  for (const auto entry : tokens) {
    const std::string where = std::string(kKey) + "[" + quote(entry.key) + "]";
    std::int64_t id = 0;
    const char* const end = entry.key.data() + entry.key.size();
    const auto [stop, failed] = std::from_chars(entry.key.data(), end, id);
    if (failed != std::errc() || stop != end) return file.error(where, ": the key is not an id");
    Q3G_ASSIGN(AddedToken added, parse_added_token(file, entry.value, id, where));
    Q3G_TRY(add(std::move(added), file.name() + ": " + where));
  }
  return true;
}

Result<Blob> open_tokenizer_file(const ModelFiles& files, std::string_view name) {
  Q3G_ASSIGN(Blob blob, files.open(name));
  if (blob.bytes.size() <= kMaxTokenizerBytes) return blob;
  return error(ErrorCode::bad_tokenizer, files.display_name(name), ": ", blob.bytes.size(),
               " bytes; at most ", kMaxTokenizerBytes, " are expected");
}

Result<TokenizerParts> load_vocab_and_merges(const ModelFiles& files) {
  constexpr std::string_view kVocabulary = "vocab.json", kMerges = "merges.txt";
  VocabularyBuilder builder;
  Q3G_ASSIGN(const Blob vocabulary, files.open(kVocabulary));
  Q3G_ASSIGN(const JsonFile file, JsonFile::parse(vocabulary.text(), files.display_name(kVocabulary),
                                                  ErrorCode::bad_tokenizer, kMaxTokenizerBytes));
  Q3G_TRY(read_vocab_file(file, vocabulary.bytes.size(), builder));
  Q3G_ASSIGN([[maybe_unused]] const bool has_added,
             read_added_tokens_decoder(files, [&](AddedToken added, const std::string& place) -> Status {
               if (Status status = builder.add_added_token(std::move(added)); !status.ok())
                 return prefixed(std::move(status).error(), place);
               return {};
             }));
  Q3G_ASSIGN(const Blob merges, open_tokenizer_file(files, kMerges));
  const auto n_lines = std::count(merges.text().begin(), merges.text().end(), '\n') + 1;
  const auto where = [name = files.display_name(kMerges)](std::size_t line_number) {
    return concat(name, ": line ", line_number);
  };
  if (Status status = builder.index(static_cast<std::size_t>(n_lines), where); !status.ok())
    return prefixed(std::move(status).error(), file.name());
  Q3G_TRY(read_merges_text(merges.text(), builder));
  Q3G_ASSIGN(TokenizerParts parts, builder.take());
  parts.nfc = true;
  Q3G_TRY(parts.pre_tokenizer.add_pattern(kQwenPattern));
  return parts;
}

}  // namespace qwen3guard::detail
