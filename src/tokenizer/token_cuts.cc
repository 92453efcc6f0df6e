// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/token_cuts.hpp"

#include <algorithm>
#include <limits>

#include "tokenizer/nfc.hpp"
#include "tokenizer/text_encoder.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "tokenizer/unicode_classes.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// So near to the end of what is decided, all cuts are looked at.
constexpr std::size_t kNearBytes = 512;
/// A word longer than this is cut inside, so far behind its beginning.
constexpr std::size_t kLongWordBytes = 32;
/// So many of its tokens stand behind a cut, or one fewer when they are long: what the word goes on with
/// seldom changes more of them.
constexpr std::size_t kTokensBehindCut = 3, kLongTokensBytes = 64;

/// True when the pre-tokeniser's rules are known here, and no added token reaches over a cut.
bool can_cut(const TokenizerImpl& tokenizer) noexcept {
  return tokenizer.pre_tokenizer().is_qwen() && tokenizer.normalized_matcher().empty() &&
         !tokenizer.raw_matcher().any_strips();
}

class CutSink : public RangeSink {
 public:
  CutSink(const TokenizerImpl& tokenizer, std::string_view text, bool follows_newline, CutTokens& out)
      : RangeSink(tokenizer.vocabulary(), out.ids, out.ranges),
        tokenizer_(tokenizer),
        text_(text),
        follows_newline_(follows_newline),
        cuts_(out.cuts),
        decided_(can_cut(tokenizer) ? decided_bytes(tokenizer, text) : 0),
        long_word_bytes_(tokenizer.bpe().ignore_merges()
                             ? std::max(kLongWordBytes, tokenizer.longest_token_bytes())
                             : kLongWordBytes) {}

  void added(std::size_t begin, std::size_t end) {
    RangeSink::added(begin, end);
    cut_between_words(ranges.back().end);
  }
  void word(std::size_t first_id, std::string_view plain, std::size_t begin, std::size_t end) {
    RangeSink::word(first_id, plain, begin, end);
    if (end - begin > long_word_bytes_) cut_inside(first_id, plain, begin, end, WordPart::none);
    if (is_border(end)) cut_between_words(text_byte(end));
  }
  void rest(std::size_t first_id, std::string_view plain, std::size_t begin, std::size_t end, WordPart part) {
    RangeSink::word(first_id, plain, begin, end);
    cut_inside(first_id, plain, begin, end, part);
    if (is_border(end)) cut_between_words(text_byte(end));
  }
  void finish() {
    if (has_cut_) cuts_.push_back(last_cut_);
  }

 private:
  /// Whether a cut at `byte` would be of use.
  [[nodiscard]] bool is_wanted(std::size_t byte) const noexcept {
    return byte <= decided_ && byte < text_.size() &&
           (byte + kNearBytes >= decided_ || byte > (has_cut_ ? last_cut_.byte : 0) + kCutBytes);
  }

  /// True when neither NFC nor an added token reaches over `byte`.
  [[nodiscard]] bool is_apart(std::size_t byte) const noexcept {
    std::size_t next = byte;
    if (tokenizer_.nfc() && !starts_nfc_part(next_code_point(text_, next))) return false;
    return !tokenizer_.raw_matcher().spans(text_, byte);
  }

  void add(const TokenCut& cut) {
    const std::size_t before = cuts_.empty() ? 0 : cuts_.back().byte;
    const bool is_word_before = last_cut_.part == WordPart::none && cut.part != WordPart::none;
    if (has_cut_ && (is_word_before || cut.byte - before > kCutBytes)) cuts_.push_back(last_cut_);
    last_cut_ = cut;
    has_cut_ = true;
  }

  /// A word ends at `byte`. That is final when a character follows, spaces left aside, which is final itself:
  /// no rule of the Qwen pattern looks further.
  void cut_between_words(std::size_t byte) {
    if (byte >= decided_ || !is_wanted(byte)) return;
    if (next_solid_ <= byte || next_solid_ == 0) find_solid(byte);
    if (solid_end_ > decided_ || !is_apart(byte)) return;
    add({byte, ids.size(), solid_end_, 0, WordPart::none});
  }

  /// The ids from first_id on are those of plain[begin, end), which is a long word, or the rest of one.
  void cut_inside(std::size_t first_id, std::string_view plain, std::size_t begin, std::size_t end,
                  WordPart part) {
    for (std::size_t id = first_id, at = begin; id + kTokensBehindCut <= ids.size();) {
      at += tokenizer_.vocabulary().bytes(ids[id++]).size();
      if (id + kTokensBehindCut > ids.size() && end - at < kLongTokensBytes) break;
      const bool is_far = part != WordPart::none || at - begin > long_word_bytes_;
      const bool is_character = at < end && (static_cast<unsigned char>(plain[at]) & 0xC0) != 0x80;
      if (is_far && is_character && is_border(at) && is_wanted(text_byte(at)))
        cut_inside_at(id, plain, begin, at, end, part);
    }
  }

  void cut_inside_at(std::size_t n_tokens, std::string_view plain, std::size_t begin, std::size_t at,
                     std::size_t end, WordPart part) {
    TokenCut cut{text_byte(at), n_tokens, text_byte(at), 0, WordPart::none};
    const bool begins_text = begin == 0 && text_byte(0) == 0;
    cut.part = part == WordPart::none ? qwen_word_part(plain, begin, at, end)
                                      : qwen_word_part(plain.substr(begin), part, at - begin, end - begin);
    if (cut.part == WordPart::spaces && part == WordPart::none && begins_text && follows_newline_)
      cut.part = WordPart::spaces_behind_newline;
    // Of white space it matters what it goes on with: the token behind the cut is to be one of the same word.
    if (cut.part == WordPart::spaces || cut.part == WordPart::spaces_behind_newline)
      static_cast<void>(next_code_point(text_, cut.needs));
    if (cut.part == WordPart::newlines) cut.needs = text_byte(plain.find_first_of("\r\n", at) + 1);
    if (cut.part != WordPart::none && cut.needs <= decided_ && is_apart(cut.byte)) add(cut);
  }

  /// The first character at or behind `byte` that is no space and that NFC leaves alone.
  void find_solid(std::size_t byte) noexcept {
    solid_end_ = text_.size() + 1;
    next_solid_ = text_.size();
    for (std::size_t pos = byte, next = byte; pos < text_.size(); pos = next) {
      const std::uint32_t code_point = next_code_point(text_, next);
      if (UnicodeClasses::char_class(code_point) == CharClass::space ||
          UnicodeClasses::nfc_may_change(code_point))
        continue;
      next_solid_ = pos + 1;  // never 0
      solid_end_ = next;
      return;
    }
  }

  const TokenizerImpl& tokenizer_;
  std::string_view text_;
  bool follows_newline_;
  std::vector<TokenCut>& cuts_;
  std::size_t decided_;
  std::size_t long_word_bytes_;
  std::size_t next_solid_ = 0, solid_end_ = 0;  // one behind its first byte; its end
  TokenCut last_cut_;
  bool has_cut_ = false;
};

}  // namespace

OpenSequence open_sequence(const TokenizerImpl& tokenizer, std::string_view text) noexcept {
  OpenSequence open{text.size(), 0};
  if (!tokenizer.nfc()) return open;
  while (open.begin > 0) {
    open.begin = previous_boundary(text, open.begin);
    ++open.n_characters;
    std::size_t next = open.begin;
    if (starts_nfc_part(next_code_point(text, next))) break;
  }
  return open;
}

std::size_t decided_bytes(const TokenizerImpl& tokenizer, std::string_view text) noexcept {
  const std::size_t n =
      tokenizer.raw_matcher().empty() ? text.size() : tokenizer.raw_matcher().unfinished(text);
  return std::min(n, open_sequence(tokenizer, text).begin);
}

Encoded encode_with_cuts(const TokenizerImpl& tokenizer, std::string_view text, WordRest rest,
                         bool follows_newline, CutTokens& out) {
  out.ids.clear();
  out.ranges.clear();
  out.cuts.clear();
  EncodeScratch scratch;
  CutSink sink(tokenizer, text, follows_newline, out);
  constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();
  TextEncoder<CutSink> encoder(tokenizer, SpecialTokens::as_text, kNoBound, scratch, sink);
  const Encoded result = encoder.encode(text, rest);
  if (result == Encoded::whole) sink.finish();
  return result;
}

}  // namespace qwen3guard::detail
