// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_ROLLBACK_HPP
#define QWEN3GUARD_SRC_UTIL_ROLLBACK_HPP

#include <utility>

namespace qwen3guard::detail {

/// Takes something back on every way out of a block, that of an exception included, unless it is kept.
template <class Undo>
class [[nodiscard]] Rollback {
 public:
  /// undo() must not throw.
  explicit Rollback(Undo undo) : undo_(std::move(undo)) {}
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() {
    if (!is_kept_) undo_();
  }
  /// What was done stays.
  void keep() noexcept { is_kept_ = true; }

 private:
  Undo undo_;
  bool is_kept_ = false;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_ROLLBACK_HPP
