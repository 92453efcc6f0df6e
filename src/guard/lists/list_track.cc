// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/list_track.hpp"

#include <algorithm>

namespace qwen3guard::detail {

void ListTrack::push(std::string_view bytes) {
  std::vector<PhraseScanner> marks;
  PhraseScanner next = scanner_;
  std::int64_t marked = marks_.empty() ? 0 : marks_.back().n_bytes();
  for (std::size_t pos = 0; pos < bytes.size();) {
    const auto n = static_cast<std::size_t>(marked + kMarkEvery - next.n_bytes());
    next.push(bytes.substr(pos, n));
    pos += std::min(n, bytes.size() - pos);
    if (next.n_bytes() < marked + kMarkEvery) continue;
    marked = next.n_bytes();
    marks.push_back(next);
  }
  const std::optional<ScannedHit> hit = next.hit();
  marks_.reserve(marks_.size() + marks.size());
  text_.append(bytes);
  std::move(marks.begin(), marks.end(), std::back_inserter(marks_));
  scanner_ = std::move(next);
  hit_ = hit;
}

void ListTrack::truncate(std::int64_t n) {
  n = std::max(n, begin_);
  if (n >= n_bytes()) return;
  const auto behind = std::find_if(marks_.begin(), marks_.end(),
                                   [&](const PhraseScanner& mark) { return mark.n_bytes() > n; });
  PhraseScanner next = behind == marks_.begin() ? PhraseScanner(matcher_) : *(behind - 1);
  const auto begin = static_cast<std::size_t>(next.n_bytes() - begin_),
             end = static_cast<std::size_t>(n - begin_);
  next.push(std::string_view(text_).substr(begin, end - begin));
  hit_ = next.hit();
  marks_.erase(behind, marks_.end());
  text_.resize(end);
  scanner_ = std::move(next);
}

void ListTrack::forget(std::int64_t n) noexcept {
  const auto behind = std::find_if(marks_.begin(), marks_.end(),
                                   [&](const PhraseScanner& mark) { return mark.n_bytes() > n; });
  if (behind == marks_.begin()) return;
  const std::int64_t kept = (behind - 1)->n_bytes();
  marks_.erase(marks_.begin(), behind - 1);
  text_.erase(0, static_cast<std::size_t>(kept - begin_));
  begin_ = kept;
}

std::size_t ListTrack::memory_bytes() const noexcept {
  std::size_t n = text_.capacity() + scanner_.memory_bytes();
  for (const PhraseScanner& mark : marks_) n += mark.memory_bytes();
  return n;
}

}  // namespace qwen3guard::detail
