// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/phrase_matcher.hpp"

#ifdef Q3G_WITH_RE2
#include <re2/re2.h>
#endif

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "guard/lists/phrase_scanner.hpp"
#include "qwen3guard/quote.hpp"
#include "util/concat.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

#ifdef Q3G_WITH_RE2

namespace {

constexpr auto kBoundary = static_cast<char32_t>(MatchTape::kBoundary);
constexpr std::string_view kBoundaries = "\x01";  // what means nothing when two pieces are compared, and
constexpr std::string_view kNoLetters = "\x01 ";  // when one of them may be spaced out

/// RE2 writes to the standard error stream about patterns of a million nodes, and these have a few bytes
/// each.
constexpr std::size_t kMaxPatternBytes = std::size_t{1} << 22;

char32_t to_lower_ascii(char32_t c) noexcept { return c >= U'A' && c <= U'Z' ? c + 0x20 : c; }

/// What may stand for a letter: digits, and symbols, which stand between boundaries. Empty for most. @{
std::string_view digits_for(char32_t letter) noexcept {
  constexpr std::pair<char32_t, std::string_view> kRows[] = {
      {U'a', "4"}, {U'b', "8"}, {U'e', "3"}, {U'g', "69"}, {U'i', "1"},
      {U'l', "1"}, {U'o', "0"}, {U's', "5"}, {U't', "7"},  {U'z', "2"}};
  for (const auto& [its, digits] : kRows) {
    if (its == to_lower_ascii(letter)) return digits;
  }
  return {};
}

std::string_view symbols_for(char32_t letter) noexcept {
  constexpr std::pair<char32_t, std::string_view> kRows[] = {
      {U'a', "@"}, {U'i', "!|"}, {U'l', "|"}, {U's', "$"}, {U't', "+"}};
  for (const auto& [its, symbols] : kRows) {
    if (its == to_lower_ascii(letter)) return symbols;
  }
  return {};
}  /// @}

bool stands_for(char found, char letter) noexcept {
  const auto code_point = static_cast<char32_t>(static_cast<unsigned char>(letter));
  return digits_for(code_point).find(found) != std::string_view::npos ||
         symbols_for(code_point).find(found) != std::string_view::npos;
}

std::string without(std::string_view text, std::string_view dropped) {
  std::string out;
  for (const char c : text) {
    if (dropped.find(c) == std::string_view::npos) out += c;
  }
  return out;
}

bool has_letters(std::string_view tape) {
  for (std::size_t pos = 0; pos < tape.size();) {
    const std::uint32_t code_point = next_code_point(tape, pos);
    const bool is_digit = code_point >= '0' && code_point <= '9';
    if (!is_digit && word_class(code_point) != WordClass::other) return true;
  }
  return false;
}

/// A tape with a gap between every two letters; empty when there are too few of them.
std::u32string spread(const std::u32string& tape) {
  std::u32string out;
  std::size_t n_letters = 0;
  bool are_single = true;
  for (const char32_t code_point : tape) {
    if (code_point == kBoundary || code_point == U' ') continue;
    const WordClass its = word_class(code_point);
    if (its != WordClass::extend) {
      out += n_letters == 0 ? std::u32string(1, kBoundary) : std::u32string{kBoundary, U' ', kBoundary};
      ++n_letters;
      are_single = are_single && its == WordClass::single;
    }
    out += code_point;
  }
  out += kBoundary;
  return n_letters < (are_single ? 2U : 3U) ? std::u32string() : out;
}

/// A regular expression for all of a list's tapes, which shares what their beginnings have in common: what
/// RE2's automaton keeps is then little however many phrases there are.
class PatternTrie {
 public:
  PatternTrie(std::vector<std::u32string> tapes, bool is_leet) : tapes_(std::move(tapes)), is_leet_(is_leet) {
    std::sort(tapes_.begin(), tapes_.end());
    tapes_.erase(std::unique(tapes_.begin(), tapes_.end()), tapes_.end());
  }

  [[nodiscard]] std::string pattern() {
    std::string out;
    write(0, tapes_.size(), 0, out);
    return out;
  }
  /// The most bytes of a tape that one of them can match.
  [[nodiscard]] std::size_t span() const {
    std::size_t most = 0;
    for (const std::u32string& tape : tapes_) {
      std::size_t n = 0;
      for (const char32_t code_point : tape)
        n += is_leet_ && !symbols_for(code_point).empty() ? 3 : utf8_size(code_point);
      most = std::max(most, n);
    }
    return most;
  }

 private:
  /// What follows the first `depth` characters, in which tapes_[first, last) agree.
  void write(std::size_t first, std::size_t last, std::size_t depth, std::string& out) const {
    while (tapes_[first].size() > depth && tapes_[first][depth] == tapes_[last - 1][depth])
      write_char(tapes_[first][depth++], out);
    const bool is_optional = tapes_[first].size() == depth;
    if (is_optional && ++first == last) return;
    out += "(?:";
    for (std::size_t i = first; i < last;) {
      const char32_t next = tapes_[i][depth];
      const auto end = std::partition_point(tapes_.begin() + static_cast<std::ptrdiff_t>(i),
                                            tapes_.begin() + static_cast<std::ptrdiff_t>(last),
                                            [&](const std::u32string& tape) { return tape[depth] == next; });
      if (i > first) out += '|';
      const auto n = static_cast<std::size_t>(end - tapes_.begin());
      write(i, n, depth, out);
      i = n;
    }
    out += is_optional ? ")?" : ")";
  }

  void write_char(char32_t code_point, std::string& out) const {
    std::string literal;
    append_utf8(code_point, literal);
    const std::string_view digits = digits_for(code_point), symbols = symbols_for(code_point);
    if (!is_leet_ || (digits.empty() && symbols.empty())) {
      out += re2::RE2::QuoteMeta(literal);
      return;
    }
    out.append("(?:[").append(literal).append(digits).append("]");
    if (!symbols.empty()) out.append("|\\x01?[").append(symbols).append("]\\x01?");
    out += ")";
  }

  std::vector<std::u32string> tapes_;
  bool is_leet_;
};

/// The phrases of one list.
struct PhraseList {
  std::vector<std::string> tapes;
  std::unordered_map<std::string, std::size_t> index_of;
  std::unordered_set<std::string> without_letters;  // phrases such as numbers, without what stands between
  std::unique_ptr<const re2::RE2> engine;           // null: no phrases
  std::size_t span = 0;
};

struct TapeSpan {
  std::size_t begin, end;
};

/// The leftmost match of a list in [begin, end), and the longest there.
std::optional<TapeSpan> match(const PhraseList& list, std::string_view tape, std::size_t begin,
                              std::size_t end, re2::RE2::Anchor anchor) {
  re2::StringPiece found;
  if (begin >= end ||
      !list.engine->Match(re2::StringPiece(tape.data(), tape.size()), begin, end, anchor, &found, 1))
    return std::nullopt;
  const auto at = static_cast<std::size_t>(found.data() - tape.data());
  return TapeSpan{at, at + found.size()};
}

/// Digits and symbols alone spell nothing, unless the phrase is written so.
bool is_spelt(const PhraseList& list, std::string_view found) {
  return has_letters(found) || list.without_letters.count(without(found, kNoLetters)) > 0;
}

/// The longest match of a list that begins at begin and ends by `end`, and is spelt.
std::optional<TapeSpan> longest_spelt(const PhraseList& list, std::string_view tape, std::size_t begin,
                                      std::size_t end) {
  for (;;) {
    const auto found = match(list, tape, begin, end, re2::RE2::ANCHOR_START);
    if (!found || is_spelt(list, tape.substr(begin, found->end - begin))) return found;
    end = found->end - 1;
  }
}

/// How far the phrases of `allow` that begin up to some place reach. Asked with ascending places.
class AllowedReach {
 public:
  AllowedReach(const PhraseList& list, std::string_view tape, std::size_t from)
      : list_(list), tape_(tape), pos_(from - std::min(from, list.span)), is_done_(list.engine == nullptr) {}

  [[nodiscard]] std::size_t at(std::size_t begin) {
    while (!is_done_) {
      if (!next_) next_ = match(list_, tape_, pos_, tape_.size(), re2::RE2::UNANCHORED);
      is_done_ = !next_.has_value();
      if (is_done_ || next_->begin > begin) break;
      if (const auto spelt = longest_spelt(list_, tape_, next_->begin, next_->end))
        reach_ = std::max(reach_, spelt->end);
      pos_ = next_->begin + 1;
      next_.reset();
    }
    return reach_;
  }

 private:
  const PhraseList& list_;
  std::string_view tape_;
  std::size_t pos_, reach_ = 0;
  std::optional<TapeSpan> next_;
  bool is_done_;
};

/// The phrase as it stands on a tape; empty when nothing is left of it.
std::string tape_of(std::string_view phrase, const Folding& folding) {
  std::vector<FoldedChar> chars;
  Folder folder(folding);
  folder.push(phrase, chars);
  folder.finish(chars);
  const auto is_gap = [&](const FoldedChar& one) {
    return folding.spaced_out ? is_separator(one.code_point) : is_white_space(one.code_point);
  };
  const auto first = std::find_if_not(chars.begin(), chars.end(), is_gap);
  const auto last = std::find_if_not(chars.rbegin(), std::make_reverse_iterator(first), is_gap).base();
  if (first == last) return {};
  MatchTape tape(folding.spaced_out);
  tape.push({first, last});
  tape.finish();
  return tape.bytes();
}

Status check_phrase(std::string_view list, std::size_t index, const std::string& phrase) {
  const auto wrong = [&](const auto&... what) {
    return error(ErrorCode::invalid_argument, "lists.", list, "[", index, "]: ", what...);
  };
  if (phrase.empty())
    return wrong("an empty phrase; expected 1 to ", PhraseMatcher::kMaxPhraseBytes, " bytes");
  if (phrase.size() > PhraseMatcher::kMaxPhraseBytes)
    return wrong(phrase.size(), " bytes; expected at most ", PhraseMatcher::kMaxPhraseBytes);
  if (const auto at = find_invalid_utf8(phrase)) return wrong("not UTF-8 at byte ", *at);
  return {};
}

/// Fills in all but the engine.
Status read_phrases(std::string_view name, const std::vector<std::string>& phrases, const Folding& folding,
                    PhraseList& out) {
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    Q3G_TRY(check_phrase(name, i, phrases[i]));
    std::string tape = tape_of(phrases[i], folding);
    if (tape.empty())
      return error(ErrorCode::invalid_argument, "lists.", name, "[", i, "]: folding leaves nothing of ",
                   quote(phrases[i]));
    const auto [at, is_new] = out.index_of.emplace(tape, i);
    if (!is_new)
      return error(ErrorCode::invalid_argument, "lists.", name, "[", i, "]: ", quote(phrases[i]),
                   " is the same phrase as lists.", name, "[", at->second, "], ", quote(phrases[at->second]),
                   ", once they are folded");
    if (!has_letters(tape)) out.without_letters.insert(without(tape, kNoLetters));
    out.tapes.push_back(std::move(tape));
  }
  return {};
}

Status compile_list(std::string_view name, const Folding& folding, PhraseList& list) {
  if (list.tapes.empty()) return {};
  std::vector<std::u32string> tapes;
  for (const std::string& utf8 : list.tapes) {
    std::u32string tape;
    for (std::size_t pos = 0; pos < utf8.size();) tape += static_cast<char32_t>(next_code_point(utf8, pos));
    std::u32string spaced = folding.spaced_out ? spread(tape) : std::u32string();
    if (!spaced.empty()) tapes.push_back(std::move(spaced));
    tapes.push_back(std::move(tape));
  }
  PatternTrie trie(std::move(tapes), folding.leetspeak);
  list.span = trie.span();
  // As UTF-8: with Latin-1, RE2 of 2022 loses bytes above 0x7F of what alternatives begin with alike.
  re2::RE2::Options options;
  options.set_longest_match(true);
  options.set_log_errors(false);
  options.set_max_mem(std::int64_t{128} << 20);
  const std::string pattern = trie.pattern();
  if (pattern.size() > kMaxPatternBytes)
    return error(ErrorCode::invalid_argument, "lists.", name, ": ", list.tapes.size(),
                 " phrases, folded as lists.folding has it, are a pattern of ", pattern.size(),
                 " bytes; expected at most ", kMaxPatternBytes);
  list.engine = std::make_unique<re2::RE2>(pattern, options);
  if (list.engine->ok()) return {};
  return error(ErrorCode::invalid_argument, "lists.", name, ": ", list.tapes.size(),
               " phrases are more than can be compiled: ", printable(list.engine->error()));
}

}  // namespace

struct PhraseMatcher::Lists {
  Folding folding;
  PhraseList deny, allow;
};

Result<PhraseMatcher> PhraseMatcher::compile(const PhraseLists& lists) {
  std::size_t n_bytes = 0;
  for (const auto* list : {&lists.deny, &lists.allow}) {
    for (const std::string& phrase : *list) n_bytes += phrase.size();
  }
  if (n_bytes > kMaxBytes)
    return error(ErrorCode::invalid_argument, "lists: ", n_bytes, " bytes of phrases; expected at most ",
                 kMaxBytes);
  auto out = std::make_shared<Lists>();
  out->folding = lists.folding;
  Q3G_TRY(read_phrases("deny", lists.deny, lists.folding, out->deny));
  Q3G_TRY(read_phrases("allow", lists.allow, lists.folding, out->allow));
  for (std::size_t i = 0; i < lists.allow.size(); ++i) {
    if (const auto at = out->deny.index_of.find(out->allow.tapes[i]); at != out->deny.index_of.end())
      return error(ErrorCode::invalid_argument, "lists.allow[", i, "]: ", quote(lists.allow[i]),
                   " is denied, too: lists.deny[", at->second, "] is ", quote(lists.deny[at->second]));
  }
  if (lists.deny.empty()) return PhraseMatcher();
  Q3G_TRY(compile_list("deny", lists.folding, out->deny));
  Q3G_TRY(compile_list("allow", lists.folding, out->allow));
  return PhraseMatcher(std::move(out));
}

std::optional<PhraseMatcher::TapeHit> PhraseMatcher::find_on(const MatchTape& tape, std::size_t from,
                                                             std::size_t n_settled) const {
  const std::string_view bytes = tape.bytes();
  AllowedReach reach(lists_->allow, bytes, from);
  std::optional<TapeHit> best;
  std::size_t end = bytes.size();
  for (std::size_t pos = from; pos < end;) {
    const auto longest = match(lists_->deny, bytes, pos, end, re2::RE2::UNANCHORED);
    if (!longest) break;
    const std::size_t begin = longest->begin;
    pos = begin + 1;
    // The shortest that is not lifted. A shorter one lies within what a longer one lies within.
    for (auto found = longest_spelt(lists_->deny, bytes, begin, longest->end);
         found && found->end > reach.at(begin); found = longest_spelt(lists_->deny, bytes, begin, end)) {
      best = TapeHit{begin, found->end, best ? best->first_begin : begin, false};
      end = found->end - 1;
    }
  }
  if (best) best->is_settled = best->end <= n_settled && best->begin + lists_->allow.span <= n_settled;
  return best;
}

PhraseHit PhraseMatcher::resolve(const MatchTape& tape, const TapeHit& hit) const {
  const MatchTape::Origin origin = tape.origin(hit.begin, hit.end);
  PhraseHit out{-1, origin.begin, origin.end};
  const std::string_view found = std::string_view(tape.bytes()).substr(hit.begin, hit.end - hit.begin);
  const bool may_be_leet = lists_->folding.leetspeak && has_letters(found);
  for (const std::string_view dropped : {kBoundaries, kNoLetters}) {
    const std::string text = without(found, dropped);
    for (std::size_t i = 0; i < lists_->deny.tapes.size() && out.phrase < 0; ++i) {
      const std::string phrase = without(lists_->deny.tapes[i], dropped);
      const bool is_it =
          std::equal(text.begin(), text.end(), phrase.begin(), phrase.end(),
                     [&](char a, char b) { return a == b || (may_be_leet && stands_for(a, b)); });
      if (is_it) out.phrase = static_cast<std::int32_t>(i);
    }
  }
  return out;
}

std::size_t PhraseMatcher::deny_span() const noexcept { return lists_->deny.span; }
std::size_t PhraseMatcher::allow_span() const noexcept { return lists_->allow.span; }
const Folding& PhraseMatcher::folding() const noexcept { return lists_->folding; }

std::optional<PhraseHit> PhraseMatcher::find(std::string_view text) const {
  if (lists_ == nullptr) return std::nullopt;
  PhraseScanner scanner(*this);
  scanner.push(text);
  const auto found = scanner.hit();
  if (!found) return std::nullopt;
  return found->hit;
}

#else

struct PhraseMatcher::Lists {
  Folding folding;
};

Result<PhraseMatcher> PhraseMatcher::compile(const PhraseLists& lists) {
  if (lists.deny.empty() && lists.allow.empty()) return PhraseMatcher();
  return error(ErrorCode::unsupported_model,
               "lists: phrases need RE2, which this build does not have; expected a policy without them");
}

/// No lists are ever compiled. @{
std::optional<PhraseMatcher::TapeHit> PhraseMatcher::find_on(const MatchTape&, std::size_t,
                                                             std::size_t) const {
  return std::nullopt;
}
PhraseHit PhraseMatcher::resolve(const MatchTape&, const TapeHit&) const { return {}; }
std::size_t PhraseMatcher::deny_span() const noexcept { return 0; }
std::size_t PhraseMatcher::allow_span() const noexcept { return 0; }
const Folding& PhraseMatcher::folding() const noexcept { return lists_->folding; }
std::optional<PhraseHit> PhraseMatcher::find(std::string_view) const { return std::nullopt; }  /// @}

#endif

}  // namespace qwen3guard::detail
