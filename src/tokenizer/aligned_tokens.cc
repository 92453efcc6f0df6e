// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/aligned_tokens.hpp"

#include <algorithm>
#include <string>

#include "qwen3guard/detail/util/utf8.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/nfc.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "tokenizer/unicode_classes.hpp"

namespace qwen3guard::detail {
namespace {

/// At most one cut in so many bytes, but for the last: what lies between two is encoded again at most.
constexpr std::size_t kCutBytes = 128;

/// True when the pre-tokeniser's rules are known here, and no added token reaches over a cut.
bool can_cut(const TokenizerImpl& tokenizer) noexcept {
  return tokenizer.pre_tokenizer().is_qwen() && tokenizer.normalized_matcher().empty() &&
         !tokenizer.raw_matcher().any_strips();
}

class AlignedEncoder {
 public:
  AlignedEncoder(const TokenizerImpl& tokenizer, std::string_view text, AlignedTokens& out)
      : tokenizer_(tokenizer),
        text_(text),
        out_(out),
        decided_(can_cut(tokenizer) ? decided_bytes(tokenizer, text) : 0) {}

  void run() {
    const AddedTokenMatcher& matcher = tokenizer_.raw_matcher();
    for (std::size_t pos = 0; pos < text_.size();) {
      const AddedTokenMatcher::Piece piece = matcher.empty()
                                                 ? AddedTokenMatcher::Piece{pos, text_.size(), -1}
                                                 : matcher.next(text_, pos, SpecialTokens::as_text);
      if (piece.id >= 0) {
        add(piece.id, {piece.begin, piece.end});
      } else {
        section(piece.begin, piece.end);
      }
      pos = piece.end;
    }
    if (has_cut_) out_.cuts.push_back(last_cut_);
  }

 private:
  void section(std::size_t begin, std::size_t end) {
    section_begin_ = begin;
    map_.clear();
    std::string_view plain = text_.substr(begin, end - begin);
    if (tokenizer_.nfc() && !is_surely_nfc(plain)) {
      normalized_.clear();
      static_cast<void>(append_nfc(plain, nfc_, normalized_, &map_));
      plain = normalized_;
    }
    const AddedTokenMatcher& matcher = tokenizer_.normalized_matcher();
    for (std::size_t pos = 0; pos < plain.size();) {
      const AddedTokenMatcher::Piece piece = matcher.empty()
                                                 ? AddedTokenMatcher::Piece{pos, plain.size(), -1}
                                                 : matcher.next(plain, pos, SpecialTokens::as_text);
      if (piece.id >= 0) {
        add(piece.id, range(piece.begin, piece.end));
      } else {
        words(plain, piece.begin, piece.end);
      }
      pos = piece.end;
    }
  }

  void words(std::string_view plain, std::size_t begin, std::size_t end) {
    std::size_t at = begin;
    tokenizer_.pre_tokenizer().split(plain.substr(begin, end - begin), [&](std::string_view word) {
      const std::size_t first = out_.ids.size();
      tokenizer_.bpe().encode_word(word, bpe_, out_.ids);
      for (std::size_t i = first; i < out_.ids.size(); ++i) {
        const std::size_t n = tokenizer_.vocabulary().bytes(out_.ids[i]).size();
        out_.ranges.push_back(range(at, at + n));
        at += n;
      }
      if (map_.begin_of(at) == map_.end_of(at)) consider_cut(section_begin_ + map_.end_of(at));
      return true;
    });
  }

  [[nodiscard]] ByteRange range(std::size_t begin, std::size_t end) const noexcept {
    return {section_begin_ + map_.begin_of(begin), section_begin_ + map_.end_of(end)};
  }

  void add(TokenId id, ByteRange where) {
    out_.ids.push_back(id);
    out_.ranges.push_back(where);
    consider_cut(where.end);
  }

  /// A word ends at `byte`. That is final when a character follows, spaces left aside, which is final itself:
  /// no rule of the Qwen pattern looks further. NFC must not reach back over the cut.
  void consider_cut(std::size_t byte) {
    if (byte >= decided_) return;
    if (next_solid_ <= byte || next_solid_ == 0) find_solid(byte);
    if (solid_end_ > decided_) return;
    std::size_t next = byte;
    if (tokenizer_.nfc() && UnicodeClasses::nfc_may_change(next_code_point(text_, next))) return;
    if (tokenizer_.raw_matcher().spans(text_, byte)) return;
    const std::size_t before = out_.cuts.empty() ? 0 : out_.cuts.back().byte;
    if (has_cut_ && byte - before > kCutBytes) out_.cuts.push_back(last_cut_);
    last_cut_ = {byte, out_.ids.size(), solid_end_};
    has_cut_ = true;
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
  AlignedTokens& out_;
  std::size_t decided_;
  std::size_t section_begin_ = 0;
  std::size_t next_solid_ = 0, solid_end_ = 0;  // one behind its first byte; its end
  OffsetMap map_;
  TokenCut last_cut_;
  bool has_cut_ = false;
  std::string normalized_;
  NfcScratch nfc_;
  BpeScratch bpe_;
};

}  // namespace

std::size_t decided_bytes(const TokenizerImpl& tokenizer, std::string_view text) noexcept {
  std::size_t n = tokenizer.raw_matcher().empty() ? text.size() : tokenizer.raw_matcher().unfinished(text);
  if (!tokenizer.nfc()) return n;
  // The last character that starts a part of its own may be joined by what comes.
  for (std::size_t pos = text.size(); pos > 0;) {
    pos = previous_boundary(text, pos);
    std::size_t next = pos;
    if (!UnicodeClasses::nfc_may_change(next_code_point(text, next))) return std::min(n, pos);
  }
  return 0;
}

void encode_aligned(const TokenizerImpl& tokenizer, std::string_view text, AlignedTokens& out) {
  out.ids.clear();
  out.ranges.clear();
  out.cuts.clear();
  AlignedEncoder(tokenizer, text, out).run();
}

}  // namespace qwen3guard::detail
