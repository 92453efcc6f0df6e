// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/write_tiktoken.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "tokenizer/base64.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "tokenizer/rank_merges.hpp"
#include "tokenizer/unicode_classes.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

template <class... Parts>
Error not_tiktoken(const Parts&... what) {
  return error(ErrorCode::unsupported_model, "the tokenizer cannot be written in tiktoken's form: ", what...);
}

std::string named(const Vocabulary& vocabulary, TokenId id) {
  return concat("token ", id, " (", quote(vocabulary.bytes(id)), ")");
}

/// The tokens that text can become by way of the merges, in the order of their ids.
std::vector<TokenId> ranked_tokens(const Vocabulary& vocabulary) {
  std::vector<TokenId> out;
  for (const VocabularySlot& slot : vocabulary.tables().slots) {
    if (slot.id >= 0) out.push_back(slot.id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Every id is a rank or a special token, below the largest rank without holes.
Status check_ids(const TokenizerImpl& tokenizer, const std::vector<TokenId>& ranked) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  std::vector<bool> is_ranked(static_cast<std::size_t>(vocabulary.size())), is_added(is_ranked);
  for (const TokenId id : ranked) is_ranked[static_cast<std::size_t>(id)] = true;
  for (const AddedToken& token : tokenizer.added()) {
    if (is_ranked[static_cast<std::size_t>(token.id)])
      return not_tiktoken("the added token ", quote(token.content), " is a token of the vocabulary, too");
    is_added[static_cast<std::size_t>(token.id)] = true;
  }
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    if (is_ranked[static_cast<std::size_t>(id)] || is_added[static_cast<std::size_t>(id)]) continue;
    if (!vocabulary.bytes(id).empty())
      return not_tiktoken(named(vocabulary, id), " is neither made of bytes by merges nor an added token");
    if (id < ranked.back()) return not_tiktoken("no token has the id ", id);
  }
  for (const TokenId id : ranked) {
    if (const std::size_t n = vocabulary.bytes(id).size(); n > kMaxRankedBytes)
      return not_tiktoken("token ", id, " has ", n, " bytes; at most ", kMaxRankedBytes, " are expected");
  }
  return {};
}

/// Merges join bytes, and in the order of the ids: those that make one token have no other's between them.
Status check_order(const Vocabulary& vocabulary, const MergeTable& merges) {
  struct Ranks {
    std::uint32_t first = Merge::kNone, last = 0;
  };
  std::vector<Ranks> ranks(static_cast<std::size_t>(vocabulary.size()));  // by id, of the merges that make it
  for (const MergeSlot& slot : merges.slots()) {
    if (slot.key == MergeSlot::kEmpty) continue;
    const auto left = static_cast<TokenId>(slot.key >> 32),
               right = static_cast<TokenId>(slot.key & 0xFFFFFFFFu);
    const std::string_view bytes = vocabulary.bytes(slot.merge.id), begin = vocabulary.bytes(left);
    if (!bytes.starts_with(begin) || bytes.substr(begin.size()) != vocabulary.bytes(right)) {
      return not_tiktoken(named(vocabulary, left), " and ", named(vocabulary, right), " become ",
                          named(vocabulary, slot.merge.id));
    }
    Ranks& made = ranks[static_cast<std::size_t>(slot.merge.id)];
    made.first = std::min(made.first, slot.merge.rank);
    made.last = std::max(made.last, slot.merge.rank);
  }
  TokenId before = -1;
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const Ranks& made = ranks[static_cast<std::size_t>(id)];
    if (made.first == Merge::kNone) continue;
    if (before >= 0 && made.first <= ranks[static_cast<std::size_t>(before)].last) {
      return not_tiktoken(named(vocabulary, id), " is merged before ", named(vocabulary, before),
                          "; tiktoken merges in the order of the ids");
    }
    before = id;
  }
  return {};
}

/// The merges give what tiktoken's rule gives. By induction over the merges of a text: as long as both have
/// come to the same tokens, neighbours that the rule would join to a token T have come from T's bytes as they
/// would alone, so they are T's last pair. When that is the last pair by the merges, too, and both take
/// tokens in the same order, both go on alike. A word that is a token tiktoken takes whole.
Status check_merges(const TokenizerImpl& tokenizer, const std::vector<TokenId>& ranked) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const MergeTable& merges = tokenizer.bpe().merges();
  Q3G_TRY(check_order(vocabulary, merges));
  Q3G_ASSIGN(const MergeTable rule, rank_merges(vocabulary, ranked));
  LastMerge by_rule(vocabulary, rule), by_merges(vocabulary, merges);
  for (const TokenId id : ranked) {
    const std::string_view bytes = vocabulary.bytes(id);
    if (bytes.size() < 2) continue;
    const auto expected = by_rule(bytes), found = by_merges(bytes);
    if (found != expected) {
      return not_tiktoken("the merges do not make ", named(vocabulary, id),
                          " of its bytes in the way that tiktoken does, or only one of the two does");
    }
    if (!found && !tokenizer.bpe().ignore_merges()) {
      return not_tiktoken("the merges do not make ", named(vocabulary, id),
                          " of its bytes; tiktoken takes a word that is a token whole");
    }
  }
  return {};
}

/// tiktoken looks for special tokens before all else, takes nothing beside them along, and which of two it
/// finds at one place is not defined.
Status check_added(const TokenizerImpl& tokenizer) {
  const std::vector<AddedToken>& added = tokenizer.added();  // sorted by content
  if (added.size() > kMaxSpecialTokens)
    return not_tiktoken(added.size(), " added tokens; at most ", kMaxSpecialTokens, " are expected");
  const bool all_normalized =
      std::all_of(added.begin(), added.end(), [](const AddedToken& token) { return token.normalized; });
  for (std::size_t i = 0; i < added.size(); ++i) {
    const AddedToken& token = added[i];
    const std::string name = concat("the added token ", quote(token.content));
    if (token.lstrip || token.rstrip) return not_tiktoken(name, " takes the white space beside it along");
    if (token.normalized && (tokenizer.nfc() || !all_normalized))
      return not_tiktoken(name, " is looked for behind the normalizer");
    if (i + 1 < added.size() && added[i + 1].content.starts_with(token.content))
      return not_tiktoken(name, " is the beginning of ", quote(added[i + 1].content), ", another one");
  }
  return {};
}

/// What a pattern does not match is a word here and left out by tiktoken. Every character must be a match
/// alone, which it then is, or begins a longer one, wherever it stands. White space must be matched in front
/// of characters of several kinds, too: the one look-ahead that patterns may have is for it.
Status check_covers(const std::string& regex) {
  Q3G_ASSIGN(const Pattern pattern, Pattern::compile(regex));
  std::string text;
  for (std::uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    text.clear();
    append_utf8(c, text);
    const std::size_t n_bytes = text.size();
    const auto alone = pattern.find(text, 0);
    bool covered = alone && alone->begin == 0 && alone->end == n_bytes;
    if (UnicodeClasses::char_class(c) == CharClass::space) {
      for (const char behind : {'a', '1', '!'}) {
        text += behind;
        const auto match = pattern.find(text, 0);
        covered = covered && match && match->begin == 0 && match->end >= n_bytes;
        text.pop_back();
      }
    }
    if (!covered)
      return not_tiktoken("the pattern ", quote(regex), " does not match ", quote(text),
                          ", which tiktoken would leave out of the text");
  }
  return {};
}

Status check_pattern(const PreTokenizer& pre_tokenizer) {
  const std::vector<std::string>& patterns = pre_tokenizer.patterns();
  if (patterns.size() != 1)
    return not_tiktoken(patterns.size(), " patterns cut text into words; one is expected");
  if (pre_tokenizer.is_qwen()) return {};
  if (const Status status = check_tiktoken_pattern(patterns.front()); !status.ok())
    return not_tiktoken(status.error().detail);
  return check_covers(patterns.front());
}

void append_json_string(std::string_view text, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (byte < 0x20 || byte == 0x7F) {
      out.append("\\u00").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    } else {
      out += c;
    }
  }
  out += '"';
}

/// Line breaks in front of all but the first element.
void append_separator(bool& is_first, std::string_view indent, std::string& out) {
  out.append(is_first ? "\n" : ",\n").append(indent);
  is_first = false;
}

std::string settings_text(const TokenizerImpl& tokenizer, std::size_t n_ranks) {
  std::vector<const AddedToken*> added;
  for (const AddedToken& token : tokenizer.added()) added.push_back(&token);
  std::sort(added.begin(), added.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  std::string out = "{\n  \"pat_str\": ";
  append_json_string(tokenizer.pre_tokenizer().patterns().front(), out);
  out += ",\n  \"special_tokens\": {";
  bool is_first = true;
  for (const AddedToken* token : added) {
    append_separator(is_first, "    ", out);
    append_json_string(token->content, out);
    out += concat(": ", token->id);
  }
  out += is_first ? "},\n  \"allowed_special\": [" : "\n  },\n  \"allowed_special\": [";
  is_first = true;
  for (const AddedToken* token : added) {
    if (token->special) continue;
    append_separator(is_first, "    ", out);
    append_json_string(token->content, out);
  }
  out += is_first ? "]" : "\n  ]";
  if (tokenizer.nfc()) out += ",\n  \"normalizer\": \"NFC\"";
  const std::size_t n_ids = n_ranks + added.size();
  if (n_ids == static_cast<std::size_t>(tokenizer.vocabulary().size()))
    out += concat(",\n  \"explicit_n_vocab\": ", n_ids);
  return out += "\n}\n";
}

}  // namespace

Result<TiktokenTexts> to_tiktoken(const TokenizerImpl& tokenizer) {
  const std::vector<TokenId> ranked = ranked_tokens(tokenizer.vocabulary());
  Q3G_TRY(check_added(tokenizer));
  Q3G_TRY(check_ids(tokenizer, ranked));
  Q3G_TRY(check_merges(tokenizer, ranked));
  Q3G_TRY(check_pattern(tokenizer.pre_tokenizer()));
  TiktokenTexts out;
  for (const TokenId id : ranked) {
    append_base64(tokenizer.vocabulary().bytes(id), out.ranks);
    out.ranks += concat(" ", id, "\n");
  }
  out.settings = settings_text(tokenizer, ranked.size());
  return out;
}

}  // namespace qwen3guard::detail
