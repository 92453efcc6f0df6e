// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "guard/lists/phrase_matcher.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::uint32_t kForged = 0xFDD1;  // a noncharacter, for a boundary that the text itself has

}  // namespace

void MatchTape::put(char byte, Origin origin) {
  bytes_.push_back(byte);
  origins_.push_back(origin);
}

void MatchTape::push(const std::vector<FoldedChar>& chars) {
  for (const FoldedChar& one : chars) {
    const bool is_gap = joins_separators_ ? is_separator(one.code_point) : is_white_space(one.code_point);
    end_ = one.end;
    if (is_gap && ends_in_gap_) continue;
    const WordClass its = word_class(one.code_point);
    const bool is_within_word =
        is_begun_ && (its == WordClass::extend || (its == WordClass::word && last_ == WordClass::word));
    if (!is_within_word) put(kBoundary, {one.begin, one.begin});
    is_begun_ = true;
    ends_in_gap_ = is_gap;
    // A mark changes nothing about the word that it stands in.
    if (its != WordClass::extend) last_ = its;
    char utf8[4] = {' '};
    const std::size_t n = is_gap ? 1 : put_utf8(one.code_point == kBoundary ? kForged : one.code_point, utf8);
    for (std::size_t i = 0; i < n; ++i) put(utf8[i], {one.begin, one.end});
  }
}

void MatchTape::finish() { put(kBoundary, {end_, end_}); }

void MatchTape::drop(std::size_t n) {
  bytes_.erase(0, n);
  origins_.erase(origins_.begin(), origins_.begin() + static_cast<std::ptrdiff_t>(n));
}

MatchTape::Origin MatchTape::origin(std::size_t begin, std::size_t end) const noexcept {
  while (begin < end && bytes_[begin] == kBoundary) ++begin;
  while (end > begin && bytes_[end - 1] == kBoundary) --end;
  Origin out{end_, end_};
  if (begin == end) return out;
  // Marks change their order when they are folded: their ranges are not ascending.
  out = origins_[begin];
  for (std::size_t i = begin + 1; i < end; ++i) {
    out.begin = std::min(out.begin, origins_[i].begin);
    out.end = std::max(out.end, origins_[i].end);
  }
  return out;
}

}  // namespace qwen3guard::detail
