// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "tokenizer/base64.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "tokenizer/rank_merges.hpp"
#include "tokenizer/vocabulary_builder.hpp"
#include "util/error.hpp"
#include "util/foreign_format.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// Reads the lines of a rank file, each a token in base64, a space and its rank, in any order.
class RankLines {
 public:
  RankLines(std::string file, VocabularyBuilder& builder) : file_(std::move(file)), builder_(builder) {}

  [[nodiscard]] Status read(std::string_view text) {
    text = without_byte_order_mark(text);
    builder_.reserve(text.size() / 16, text.size() / 2);
    for (std::size_t pos = 0; pos < text.size();) {
      const std::size_t end = std::min(text.find('\n', pos), text.size());
      std::string_view line = text.substr(pos, end - pos);
      pos = end + 1;
      ++line_number_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      Q3G_TRY(read_line(line));
    }
    return {};
  }

  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  [[nodiscard]] std::size_t n_ranks() const noexcept { return line_number_; }
  /// "line 7", of an id that is a rank.
  [[nodiscard]] std::string place(TokenId id) const {
    return concat("line ", lines_[static_cast<std::size_t>(id)]);
  }
  [[nodiscard]] bool is_rank(TokenId id) const noexcept {
    const auto rank = static_cast<std::size_t>(id);
    return rank < lines_.size() && lines_[rank] != 0;
  }

  /// Ranks count up from 0, with nothing left out but the ids of special tokens.
  [[nodiscard]] Status check_holes(const std::vector<bool>& is_special) const {
    for (std::size_t rank = 0; rank < lines_.size(); ++rank) {
      if (lines_[rank] != 0 || (rank < is_special.size() && is_special[rank])) continue;
      std::size_t next = rank + 1;
      while (lines_[next] == 0) ++next;  // the last one has a line
      return bad(lines_[next], "rank ", next, ", but no line has rank ", rank,
                 ", which is no special token's id either; ranks without holes are expected");
    }
    return {};
  }

 private:
  template <class... Parts>
  [[nodiscard]] Error bad(std::size_t line, const Parts&... what) const {
    return error(ErrorCode::bad_tokenizer, file_, ": line ", line, ": ", what...);
  }

  [[nodiscard]] Status read_line(std::string_view line) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      return bad(line_number_, quote(line),
                 " is not a token in base64, a space and its rank, as in \"IQ== 0\"");
    }
    const std::string_view token = line.substr(0, space), digits = line.substr(space + 1);
    if (!base64_to_bytes(token, bytes_)) return bad(line_number_, quote(token), " is not base64");
    if (bytes_.empty()) return bad(line_number_, "an empty token");
    if (bytes_.size() > kMaxRankedBytes) {
      return bad(line_number_, "a token of ", bytes_.size(), " bytes; at most ", kMaxRankedBytes,
                 " are expected");
    }
    if (is_control_text(bytes_)) {
      return bad(line_number_, quote(bytes_),
                 " is a control token, which no text may encode to; expected among the special tokens");
    }
    std::uint32_t rank = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    if (failed != std::errc() || end != digits.data() + digits.size() || rank >= Vocabulary::kMaxIds)
      return bad(line_number_, "rank ", quote(digits), " is not an integer in [0, ", Vocabulary::kMaxIds,
                 ")");
    if (rank >= lines_.size()) lines_.resize(rank + 1);
    if (lines_[rank] != 0)
      return bad(line_number_, "rank ", rank, " is that of line ", lines_[rank], ", too");
    lines_[rank] = static_cast<std::uint32_t>(line_number_);
    return builder_.add_token_bytes(bytes_, rank);
  }

  std::string file_;
  VocabularyBuilder& builder_;
  std::vector<std::uint32_t> lines_;  // by rank, from 1 on; 0: no line has it
  std::size_t line_number_ = 0;
  std::string bytes_;
};

/// A special token, and how errors name it.
struct PlacedToken {
  AddedToken token;
  std::string where;
};

/// What the file beside the ranks says.
struct RankFileSettings {
  std::string pattern;
  bool nfc = false;
  std::optional<std::int64_t> n_ids;
  std::vector<PlacedToken> special;
  bool has_special = false;
};

Status add_placed(PlacedToken placed, RankFileSettings& out) {
  if (out.special.size() == kMaxSpecialTokens) {
    return error(ErrorCode::bad_tokenizer, placed.where, ": more than ", kMaxSpecialTokens,
                 " special tokens; at most that many are expected");
  }
  out.special.push_back(std::move(placed));
  return {};
}

Status read_special_tokens(const JsonFile& file, simdjson::dom::element value, RankFileSettings& out) {
  simdjson::dom::object tokens;
  if (value.get(tokens) != simdjson::SUCCESS) return file.error("special_tokens is not an object");
  for (const auto entry : tokens) {
    std::string where = concat("special_tokens[", quote(entry.key), "]");
    std::int64_t id = 0;
    if (entry.value.get(id) != simdjson::SUCCESS) return file.error(where, " has no integer id");
    if (id < 0 || id >= Vocabulary::kMaxIds)
      return file.error(where, ": id ", id, " is not in [0, ", Vocabulary::kMaxIds, ")");
    AddedToken token;
    token.id = static_cast<TokenId>(id);
    token.content = entry.key;
    token.special = true;
    Q3G_TRY(add_placed({std::move(token), concat(file.name(), ": ", where)}, out));
  }
  out.has_special = true;
  return {};
}

/// The special tokens that every text may hold.
Status read_allowed_special(const JsonFile& file, simdjson::dom::element value, RankFileSettings& out) {
  simdjson::dom::array names;
  if (value.get(names) != simdjson::SUCCESS) return file.error("allowed_special is not an array");
  std::map<std::string_view, AddedToken*> by_content;
  for (PlacedToken& placed : out.special) by_content.emplace(placed.token.content, &placed.token);
  std::size_t index = 0;
  for (const simdjson::dom::element element : names) {
    std::string_view name;
    const std::string where = concat("allowed_special[", index++, "]");
    if (element.get(name) != simdjson::SUCCESS) return file.error(where, " is not a string");
    const auto found = by_content.find(name);
    if (found == by_content.end()) return file.error(where, ": ", quote(name), " is not in special_tokens");
    if (is_control_text(name))
      return file.error(where, ": ", quote(name), " is a control token, which no text may hold");
    found->second->special = false;
  }
  return {};
}

/// One key; allowed_special comes when all others are read.
Status read_setting(const JsonFile& file, std::string_view key, simdjson::dom::element value,
                    RankFileSettings& out) {
  std::string_view text;
  if (key == "pat_str") {
    if (value.get(text) != simdjson::SUCCESS || text.empty())
      return file.error("pat_str is not a string with a pattern");
    out.pattern = text;
  } else if (key == "special_tokens") {
    return read_special_tokens(file, value, out);
  } else if (key == "normalizer") {
    out.nfc = value.get(text) == simdjson::SUCCESS && text == "NFC";
    if (!out.nfc && !value.is_null()) return file.error(R"(normalizer is neither "NFC" nor null)");
  } else if (key == "explicit_n_vocab") {
    std::int64_t n = 0;
    if (value.get(n) == simdjson::SUCCESS) {
      out.n_ids = n;
    } else if (!value.is_null()) {
      return file.error("explicit_n_vocab is not an integer");
    }
  } else if (key != "name" && key != "allowed_special") {
    return file.error(
        "unknown key ", quote(key),
        "; known are pat_str, special_tokens, allowed_special, normalizer, explicit_n_vocab and name");
  }
  return {};
}

Result<RankFileSettings> read_settings(const ModelFiles& files, const std::string& rank_file) {
  const std::string name = rank_file + ".json";
  if (!files.contains(name)) {
    return error(
        ErrorCode::bad_tokenizer, files.display_name(rank_file), ": no ", printable(name),
        R"( beside it; expected {"pat_str": "...", "special_tokens": {"<|endoftext|>": 151643, ...}})");
  }
  Q3G_ASSIGN(const Blob blob, files.open(name));
  Q3G_ASSIGN(const JsonFile file, JsonFile::parse(blob.text(), files.display_name(name),
                                                  ErrorCode::bad_tokenizer, kMaxConfigBytes));
  simdjson::dom::object settings;
  if (file.root().get(settings) != simdjson::SUCCESS) return file.error("the top level is not an object");
  RankFileSettings out;
  for (const auto entry : settings) Q3G_TRY(read_setting(file, entry.key, entry.value, out));
  if (out.pattern.empty())
    return file.error("pat_str is missing; expected the pattern that cuts text into words");
  simdjson::dom::element allowed;
  if (settings["allowed_special"].get(allowed) == simdjson::SUCCESS)
    Q3G_TRY(read_allowed_special(file, allowed, out));
  if (out.has_special) return out;
  Q3G_ASSIGN(out.has_special,
             read_added_tokens_decoder(files, [&](AddedToken token, const std::string& where) -> Status {
               return add_placed({std::move(token), where}, out);
             }));
  if (out.has_special) return out;
  return file.error(
      "special_tokens is missing, and so is added_tokens_decoder in tokenizer_config.json; expected "
      "the control tokens with their ids ({} for none)");
}

Status add_special_tokens(const RankLines& ranks, const RankFileSettings& settings,
                          VocabularyBuilder& builder) {
  std::vector<bool> is_special;
  for (const PlacedToken& placed : settings.special) {
    const TokenId id = placed.token.id;
    if (ranks.is_rank(id)) {
      return error(ErrorCode::bad_tokenizer, placed.where, ": id ", id, " is the rank of ", ranks.place(id),
                   " of ", ranks.file());
    }
    if (Status status = builder.add_added_token(placed.token); !status.ok())
      return prefixed(std::move(status).error(), placed.where);
    is_special.resize(std::max(is_special.size(), static_cast<std::size_t>(id) + 1));
    is_special[static_cast<std::size_t>(id)] = true;
  }
  return ranks.check_holes(is_special);
}

}  // namespace

Status check_tiktoken_pattern(std::string_view regex) {
  const auto other = [&](std::string_view what) {
    return error(ErrorCode::unsupported_model, "the pattern ", quote(regex), " has ", what,
                 ", which is not the same to tiktoken and to tokenizer.json");
  };
  bool in_bracket = false;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const char c = regex[i];
    if (c == '\\' && i + 1 < regex.size()) {
      ++i;
      if (regex[i] == 'w' || regex[i] == 'W') return other(R"(\w)");
    } else if (in_bracket) {
      in_bracket = c != ']';
    } else if (c == '[') {
      in_bracket = true;
      if (i + 1 < regex.size() && regex[i + 1] == '^') ++i;
    } else if (c == '^' || c == '$') {
      return other("^ or $");
    }
  }
  return {};
}

Result<TokenizerParts> load_rank_file(const ModelFiles& files, const std::string& name) {
  const std::string file = files.display_name(name);
  Q3G_ASSIGN(const Blob blob, open_tokenizer_file(files, name));
  VocabularyBuilder builder;
  RankLines ranks(file, builder);
  if (Status status = ranks.read(blob.text()); !status.ok()) {
    const std::string_view format = foreign_format(blob.bytes);
    if (format.empty()) return std::move(status).error();
    return error(ErrorCode::bad_tokenizer, file, ": ", format);
  }
  Q3G_ASSIGN(const RankFileSettings settings, read_settings(files, name));
  Q3G_TRY(add_special_tokens(ranks, settings, builder));
  if (Status status = builder.use_rank_merges([&](TokenId id) { return ranks.place(id); }); !status.ok())
    return prefixed(std::move(status).error(), file);
  Q3G_ASSIGN(TokenizerParts parts, builder.take());
  const auto n_ids = static_cast<std::int64_t>(ranks.n_ranks() + settings.special.size());
  if (settings.n_ids && (*settings.n_ids != n_ids || n_ids != parts.vocabulary.size())) {
    return error(ErrorCode::bad_tokenizer, files.display_name(name + ".json"), ": explicit_n_vocab is ",
                 *settings.n_ids, ", but there are ", ranks.n_ranks(), " ranks and ", settings.special.size(),
                 " special tokens with ids up to ", parts.vocabulary.size() - 1);
  }
  parts.ignore_merges = true;
  parts.nfc = settings.nfc;
  Status status = check_tiktoken_pattern(settings.pattern);
  if (status.ok()) status = parts.pre_tokenizer.add_pattern(settings.pattern);
  if (!status.ok())
    return prefixed(std::move(status).error(), files.display_name(name + ".json") + ": pat_str");
  return parts;
}

}  // namespace qwen3guard::detail
