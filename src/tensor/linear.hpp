// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_LINEAR_HPP
#define QWEN3GUARD_SRC_TENSOR_LINEAR_HPP

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/kernel_table.hpp"
#include "tensor/weight_matrix.hpp"
#include "util/aligned_buffer.hpp"
#include "util/span2d.hpp"
#include "util/workers.hpp"

namespace qwen3guard::detail {

/// Scratch of linear(): grows to what the largest call needed. Not thread-safe.
struct LinearScratch {
  AlignedBuffer<float> wide;           ///< plain weights: a tile widened to float32, per thread
  AlignedBuffer<std::byte> rows;       ///< packed weights: x as int8 or bfloat16
  AlignedBuffer<float> scales;         ///< [n, n_groups]
  AlignedBuffer<std::int32_t> starts;  ///< [n, n_groups]
};

/// What the products run with. Borrowed for the call.
struct LinearContext {
  const KernelTable& kernels;
  Workers workers;
  LinearScratch& scratch;
};

/// One product: y = x w^T.
struct Product {
  Span2d<float> y;  ///< [n, w.rows()]
  const WeightMatrix* w;
};

/// Products of the same x [n, k] with several weights [m, k].
/// Plain weights are used in their stored dtype with float32 x: few rows of x are dot products straight from
/// the stored weights; more are matrix products over tiles of w, widened once per call. For packed weights x
/// is rounded to bfloat16, or quantised to int8 with a scale per row and group of columns (docs/numerics.md).
/// The result is the same for any number of threads: tiles depend on the shape of w alone. With packed int8
/// and int4 a row of y depends on its row of x alone, to the last bit. Throws std::bad_alloc; y is then
/// undefined.
void linear(std::span<const Product> products, Span2d<const float> x, const LinearContext& context);

/// y[i] = row r of w as float32, y: [w.cols()].
void read_row(std::span<float> y, const WeightMatrix& w, std::size_t r, const KernelTable& kernels) noexcept;

/// One product.
void linear(Span2d<float> y, Span2d<const float> x, const WeightMatrix& w, const LinearContext& context);
void linear(Span2d<float> y, Span2d<const float> x, const MatrixView& w, const LinearContext& context);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_LINEAR_HPP
