// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/token_cuts.hpp"

#include <algorithm>
#include <limits>

#include "qwen3guard/detail/util/utf8.hpp"
#include "tokenizer/text_encoder.hpp"
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

class CutSink : public RangeSink {
 public:
  CutSink(const TokenizerImpl& tokenizer, std::string_view text, CutTokens& out)
      : RangeSink(tokenizer.vocabulary(), out.ids, out.ranges),
        tokenizer_(tokenizer),
        text_(text),
        cuts_(out.cuts),
        decided_(can_cut(tokenizer) ? decided_bytes(tokenizer, text) : 0) {}

  void added(std::size_t begin, std::size_t end) {
    RangeSink::added(begin, end);
    consider_cut(ranges.back().end);
  }
  void word(std::size_t first_id, std::string_view plain, std::size_t begin, std::size_t end) {
    RangeSink::word(first_id, plain, begin, end);
    if (is_border(end)) consider_cut(text_byte(end));
  }
  void finish() {
    if (has_cut_) cuts_.push_back(last_cut_);
  }

 private:
  /// A word ends at `byte`. That is final when a character follows, spaces left aside, which is final itself:
  /// no rule of the Qwen pattern looks further. NFC must not reach back over the cut.
  void consider_cut(std::size_t byte) {
    if (byte >= decided_) return;
    if (next_solid_ <= byte || next_solid_ == 0) find_solid(byte);
    if (solid_end_ > decided_) return;
    std::size_t next = byte;
    if (tokenizer_.nfc() && UnicodeClasses::nfc_may_change(next_code_point(text_, next))) return;
    if (tokenizer_.raw_matcher().spans(text_, byte)) return;
    const std::size_t before = cuts_.empty() ? 0 : cuts_.back().byte;
    if (has_cut_ && byte - before > kCutBytes) cuts_.push_back(last_cut_);
    last_cut_ = {byte, ids.size(), solid_end_};
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
  std::vector<TokenCut>& cuts_;
  std::size_t decided_;
  std::size_t next_solid_ = 0, solid_end_ = 0;  // one behind its first byte; its end
  TokenCut last_cut_;
  bool has_cut_ = false;
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

void encode_with_cuts(const TokenizerImpl& tokenizer, std::string_view text, CutTokens& out) {
  out.ids.clear();
  out.ranges.clear();
  out.cuts.clear();
  EncodeScratch scratch;
  CutSink sink(tokenizer, text, out);
  constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();
  static_cast<void>(
      TextEncoder<CutSink>(tokenizer, SpecialTokens::as_text, kNoBound, scratch, sink).encode(text));
  sink.finish();
}

}  // namespace qwen3guard::detail
