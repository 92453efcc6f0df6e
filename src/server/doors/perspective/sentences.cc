// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/sentences.hpp"

#include <cstdint>
#include <utility>

#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

/// What a character does to a sentence.
enum class Mark {
  other,
  space,
  line_end,   ///< ends a sentence in any case
  stop,       ///< ends one when space follows: there are numbers and names of hosts
  wide_stop,  ///< ends one, whatever follows
  closing,    ///< a quote or bracket, which belongs to the sentence that ends before it
};

Mark mark_of(std::uint32_t c) noexcept {
  switch (c) {
    case '\n':
    case '\r':
    case 0x85:
    case 0x2028:
    case 0x2029:
      return Mark::line_end;
    case ' ':
    case '\t':
    case 0xA0:
    case 0x3000:
      return Mark::space;
    case '.':
    case '!':
    case '?':
    case 0x61F:   // Arabic question mark
    case 0x6D4:   // Arabic full stop
    case 0x964:   // danda
    case 0x965:   // double danda
    case 0x1362:  // Ethiopic full stop
    case 0x2026:  // ellipsis
    case 0x203C:  // !!
      return Mark::stop;
    case 0x3002:  // ideographic full stop
    case 0xFF01:  // full-width !
    case 0xFF0E:  // full-width .
    case 0xFF1F:  // full-width ?
    case 0xFF61:  // half-width ideographic full stop
      return Mark::wide_stop;
    case '"':
    case '\'':
    case ')':
    case ']':
    case 0xBB:
    case 0x2019:
    case 0x201D:
    case 0x300D:
    case 0x300F:
    case 0xFF09:
      return Mark::closing;
    default:
      return Mark::other;
  }
}

/// Finds where sentences begin, read character by character.
class SentenceEnd {
 public:
  /// True when a sentence begins with this character.
  [[nodiscard]] bool take(Mark mark) noexcept {
    const bool is_stop = mark == Mark::stop || mark == Mark::wide_stop;
    if (mark == Mark::space || mark == Mark::line_end) {
      has_space_ = true;
      is_certain_ = is_certain_ || mark == Mark::line_end;
      return false;
    }
    if (!has_space_ && has_text_ && (is_stop || (mark == Mark::closing && has_stop_))) {
      has_stop_ = has_stop_ || is_stop;
      is_certain_ = is_certain_ || mark == Mark::wide_stop;
      return false;
    }
    const bool is_begin = is_certain_ || (has_stop_ && has_space_);
    has_space_ = false;
    has_stop_ = is_stop;
    is_certain_ = mark == Mark::wide_stop;
    // Space in front of the first text belongs to it.
    return std::exchange(has_text_, true) && is_begin;
  }

 private:
  bool has_text_ = false, has_stop_ = false, is_certain_ = false, has_space_ = false;
};

}  // namespace

std::vector<Sentence> sentences_of(std::string_view text) {
  const std::size_t min_bytes = text.size() / kMaxSentences + 1;
  std::vector<Sentence> out;
  Sentence sentence;
  SentenceEnd end;
  std::size_t utf16 = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::uint32_t c = wire::next_character(text, at);
    if (end.take(mark_of(c)) && begin - sentence.begin >= min_bytes) {
      sentence.end = begin;
      sentence.utf16_end = utf16;
      out.push_back(sentence);
      sentence.begin = begin;
      sentence.utf16_begin = utf16;
    }
    utf16 += c > 0xFFFF ? 2 : 1;
  }
  sentence.end = text.size();
  sentence.utf16_end = utf16;
  out.push_back(sentence);
  return out;
}

}  // namespace qwen3guard::server
