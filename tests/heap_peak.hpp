// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_HEAP_PEAK_HPP
#define QWEN3GUARD_TESTS_HEAP_PEAK_HPP

/// @file
/// How much memory the heap has held at once. Replaces operator new: to be included by one file of an
/// executable. What is aligned more than usual does not count.

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace q3g_test {

inline std::atomic<std::size_t> heap_bytes{0}, heap_peak_bytes{0};

/// The peak since it was made, of all threads, over what was there then.
class HeapPeak {
 public:
  HeapPeak() noexcept : begin_(heap_bytes.load()) { heap_peak_bytes = begin_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return heap_peak_bytes.load() - begin_; }

 private:
  std::size_t begin_;
};

/// In front of every block is its size.
inline constexpr std::size_t kHeapHeaderBytes = 2 * alignof(std::max_align_t);

inline void* heap_allocate(std::size_t n) noexcept {
  void* const block = std::malloc(n + kHeapHeaderBytes);
  if (block == nullptr) return nullptr;
  std::memcpy(block, &n, sizeof n);
  const std::size_t now = heap_bytes.fetch_add(n) + n;
  for (std::size_t peak = heap_peak_bytes.load(); peak < now;) {
    if (heap_peak_bytes.compare_exchange_weak(peak, now)) break;
  }
  return static_cast<char*>(block) + kHeapHeaderBytes;
}

inline void heap_free(void* memory) noexcept {
  if (memory == nullptr) return;
  void* const block = static_cast<char*>(memory) - kHeapHeaderBytes;
  std::size_t n = 0;
  std::memcpy(&n, block, sizeof n);
  heap_bytes.fetch_sub(n);
  std::free(block);
}

}  // namespace q3g_test

void* operator new(std::size_t n) {
  if (void* const memory = q3g_test::heap_allocate(n)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return q3g_test::heap_allocate(n); }
void operator delete(void* memory) noexcept { q3g_test::heap_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { q3g_test::heap_free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { q3g_test::heap_free(memory); }

#endif  // QWEN3GUARD_TESTS_HEAP_PEAK_HPP
