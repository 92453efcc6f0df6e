// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_TENSOR_LINEAR_HPP
#define QWEN3GUARD_DETAIL_TENSOR_LINEAR_HPP

#include <cstddef>
#include <span>

#include "qwen3guard/detail/kernels/kernel_table.hpp"
#include "qwen3guard/detail/tensor/tensor_view.hpp"
#include "qwen3guard/detail/util/span2d.hpp"

namespace qwen3guard::detail {

/// What the products run with. Borrowed for the call.
struct LinearContext {
  const KernelTable& kernels;
  int n_threads = 1;
  std::span<float> scratch;  ///< at least linear_scratch_floats() values
};

/// Scratch that linear() needs for any w of at most max_cols columns, with `n_threads` threads.
[[nodiscard]] std::size_t linear_scratch_floats(std::size_t max_cols, int n_threads) noexcept;

/// y = x w^T: x [n, k], w [m, k] in its stored dtype, y [n, m]. Few rows of x are dot products straight from
/// the stored weights; more are matrix products over tiles of w, widened to float32 once per call. The result
/// is the same for any number of threads: tiles depend on the shape of w alone. Throws std::bad_alloc (memory
/// for packing); y is then undefined.
void linear(Span2d<float> y, Span2d<const float> x, const MatrixView& w, const LinearContext& context);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_TENSOR_LINEAR_HPP
