// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/bpe.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "tokenizer/merge_neighbours.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::uint32_t kNoNeighbour = Merge::kNone;  // "no neighbour" in the symbol list

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, MergeTable merges, bool ignore_merges)
    : vocabulary_(std::move(vocabulary)),
      merges_(std::move(merges)),
      ignore_merges_(ignore_merges),
      byte_ids_(vocabulary_.byte_ids()),
      notes_(std::make_unique<std::atomic<std::uint8_t>[]>(static_cast<std::size_t>(vocabulary_.size()))) {}

void Bpe::encode_word(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out,
                      std::size_t max_ids) const {
  const TokenId id = vocabulary_.find(word);
  std::uint8_t note = divided;
  if (id >= 0) {
    note = ignore_merges_ ? std::uint8_t{whole}
                          : notes_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed);
    if (note == whole) return out.push_back(id);
  }
  const std::size_t first = out.size();
  encode_part(word, scratch, out, max_ids);
  if (id >= 0 && note == unknown) {
    const bool is_whole = out.size() == first + 1 && out[first] == id;
    notes_[static_cast<std::size_t>(id)].store(is_whole ? whole : divided, std::memory_order_relaxed);
  }
}

void Bpe::encode_part(std::string_view part, BpeScratch& scratch, std::vector<TokenId>& out,
                      std::size_t max_ids) const {
  if (part.size() <= kShortBytes) return merge_short(part, out);
  if (part.size() <= scratch.window_bytes) return merge_long(part, scratch, out);
  const std::size_t first = out.size();
  for (std::size_t n = scratch.window_bytes; !merge_windows(part, n, scratch, out, max_ids); n *= 4)
    out.resize(first);
}

void Bpe::merge_short(std::string_view word, std::vector<TokenId>& out) const {
  std::array<TokenId, kShortBytes> ids;
  std::array<Merge, kShortBytes> merges;
  std::size_t n = word.size();
  for (std::size_t i = 0; i < n; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  n = merge_neighbours(merges_, ids.data(), merges.data(), n, [](std::size_t) {});
  out.insert(out.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n));
}

/// The same with a linked list and a heap of candidates, of which each merge adds at most two.
void Bpe::merge_long(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto n = static_cast<std::uint32_t>(word.size());
  symbols.resize(n);
  heap.clear();
  for (std::uint32_t i = 0; i < n; ++i)
    symbols[i] = {
        byte_ids_[static_cast<unsigned char>(word[i])], i - 1, i + 1 < n ? i + 1 : kNoNeighbour, {}};
  // Notes what the symbol and the next one become; true when that is a candidate, which is then at the heap's
  // end.
  const auto add_candidate = [&](std::uint32_t position) {
    BpeScratch::Symbol& left = symbols[position];
    left.merge = left.next == kNoNeighbour ? Merge{} : merges_.find(left.id, symbols[left.next].id);
    if (left.merge.rank == Merge::kNone) return false;
    heap.push_back((std::uint64_t{left.merge.rank} << 32) | position);
    return true;
  };
  for (std::uint32_t i = 0; i < n; ++i) (void)add_candidate(i);
  constexpr auto kSmallestFirst = std::greater<>();
  std::make_heap(heap.begin(), heap.end(), kSmallestFirst);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), kSmallestFirst);
    const auto position = static_cast<std::uint32_t>(heap.back());
    const auto rank = static_cast<std::uint32_t>(heap.back() >> 32);
    heap.pop_back();
    BpeScratch::Symbol& left = symbols[position];
    if (left.merge.rank != rank) continue;
    BpeScratch::Symbol& right = symbols[left.next];
    right.merge = {};
    left.id = left.merge.id;
    left.next = right.next;
    if (left.next != kNoNeighbour) symbols[left.next].previous = position;
    if (add_candidate(position)) std::push_heap(heap.begin(), heap.end(), kSmallestFirst);
    if (left.previous != kNoNeighbour && add_candidate(left.previous))
      std::push_heap(heap.begin(), heap.end(), kSmallestFirst);
  }
  for (std::uint32_t i = 0; i != kNoNeighbour; i = symbols[i].next) out.push_back(symbols[i].id);
}

/// Tokens are those of a word if and only if each two neighbours are those of the two alone: the first merge
/// over a border between tokens depends on nothing but the two beside it. So when two windows that overlap
/// have a token in common, at the same place, the first one's tokens up to it and the second one's behind it
/// are those of both windows together. False when they have none, which takes a vocabulary made for it, or
/// windows that are not much longer than tokens.
bool Bpe::merge_windows(std::string_view word, std::size_t n_window, BpeScratch& scratch,
                        std::vector<TokenId>& out, std::size_t max_ids) const {
  const std::size_t n_overlap = n_window / 16 + 1;
  const auto size_of = [&](TokenId id) { return vocabulary_.bytes(id).size(); };
  auto& window = scratch.window;
  auto& next = scratch.next_window;
  std::size_t begin = 0, n_out = 0;  // of the window; of its tokens that `out` has already
  window.clear();
  merge_long(word.substr(0, n_window), scratch, window);
  while (n_window < word.size() - begin) {
    // The next window begins with a token of this one.
    const std::size_t end = begin + n_window;
    std::size_t i = window.size(), at = end;
    while (i > n_out && at + n_overlap > end) at -= size_of(window[--i]);
    if (at == begin) return false;
    next.clear();
    merge_long(word.substr(at, n_window), scratch, next);
    std::size_t j = 0;
    for (std::size_t i_begin = at, j_begin = at;;) {
      if (i == window.size() || j == next.size()) return false;
      if (i_begin == j_begin && window[i] == next[j]) break;
      if (i_begin <= j_begin) {
        i_begin += size_of(window[i++]);
      } else {
        j_begin += size_of(next[j++]);
      }
    }
    const auto from = [](std::size_t k) { return static_cast<std::ptrdiff_t>(k); };
    out.insert(out.end(), window.begin() + from(n_out), window.begin() + from(i + 1));
    if (out.size() > max_ids) return true;
    n_out = j + 1;
    begin = at;
    window.swap(next);
  }
  out.insert(out.end(), window.begin() + static_cast<std::ptrdiff_t>(n_out), window.end());
  return true;
}

}  // namespace qwen3guard::detail
