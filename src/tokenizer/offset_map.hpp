// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_OFFSET_MAP_HPP
#define QWEN3GUARD_SRC_TOKENIZER_OFFSET_MAP_HPP

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

namespace qwen3guard::detail {

/// Where the bytes of a rewritten text come from. Most of it is a copy; the parts that are not are noted in
/// order. A plain value; without parts, offsets are the same on both sides.
class OffsetMap {
 public:
  /// A part of the source and what it became.
  struct Part {
    std::size_t from_begin, from_end, to_begin, to_end;
  };

  void clear() noexcept { parts_.clear(); }
  /// Behind all parts so far. Throws std::bad_alloc.
  void add(const Part& part) { parts_.push_back(part); }

  /// The source's byte where what begins at `to` comes from; inside a rewritten part, the part's first.
  [[nodiscard]] std::size_t begin_of(std::size_t to) const noexcept {
    const Part* part = part_before(to);
    if (part == nullptr) return to;
    return to < part->to_end ? part->from_begin : part->from_end + (to - part->to_end);
  }
  /// The end of what the text up to `to` comes from; inside a rewritten part, the part's end.
  [[nodiscard]] std::size_t end_of(std::size_t to) const noexcept {
    const Part* part = part_before(to);
    if (part == nullptr) return to;
    if (to == part->to_begin) return part->from_begin;
    return to <= part->to_end ? part->from_end : part->from_end + (to - part->to_end);
  }

 private:
  /// The last part that begins at or before `to`.
  [[nodiscard]] const Part* part_before(std::size_t to) const noexcept {
    const auto after = std::upper_bound(parts_.begin(), parts_.end(), to,
                                        [](std::size_t t, const Part& p) { return t < p.to_begin; });
    return after == parts_.begin() ? nullptr : &*std::prev(after);
  }

  std::vector<Part> parts_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_OFFSET_MAP_HPP
