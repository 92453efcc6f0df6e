// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_ALIGNED_BUFFER_HPP
#define QWEN3GUARD_SRC_UTIL_ALIGNED_BUFFER_HPP

#include <cstddef>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "util/exceptions.hpp"
#include "util/memory.hpp"

namespace qwen3guard::detail {

/// Owning array of n trivially copyable values on a 64-byte boundary (one cache line, one AVX-512 register).
/// The values are NOT initialised. Throws std::bad_alloc like operator new, or what `memory` throws.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  static constexpr std::size_t kAlignmentBytes = 64;

  AlignedBuffer() = default;
  /// memory: where the values live, also after a reserve_discard(); null: operator new.
  explicit AlignedBuffer(std::size_t n, Memory memory = nullptr) : size_(n), memory_(std::move(memory)) {
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw_bad_alloc();
    if (n == 0) return;
    const std::size_t n_bytes = n * sizeof(T);
    data_ = static_cast<T*>(memory_ != nullptr ? memory_->allocate(n_bytes, kAlignmentBytes)
                                               : ::operator new (n_bytes, std::align_val_t{kAlignmentBytes}));
  }
  AlignedBuffer(AlignedBuffer&& o) noexcept
      : data_(std::exchange(o.data_, nullptr)),
        size_(std::exchange(o.size_, 0)),
        memory_(std::move(o.memory_)) {}
  AlignedBuffer& operator=(AlignedBuffer&& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(memory_, o.memory_);
    return *this;
  }
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer() {
    if (data_ == nullptr) return;
    if (memory_ != nullptr) {
      memory_->deallocate(data_, size_ * sizeof(T), kAlignmentBytes);
    } else {
      ::operator delete (data_, std::align_val_t{kAlignmentBytes});
    }
  }

  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  [[nodiscard]] std::span<T> span() noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<const T> span() const noexcept { return {data_, size_}; }

  /// Makes room for at least n values; the old values are lost when it grows.
  void reserve_discard(std::size_t n) {
    if (n > size_) *this = AlignedBuffer(n, memory_);
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  Memory memory_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_ALIGNED_BUFFER_HPP
