// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_QUANTIZE_HPP
#define QWEN3GUARD_SRC_TENSOR_QUANTIZE_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "qwen3guard/status.hpp"
#include "tensor/packed_matrix.hpp"
#include "tensor/tensor_view.hpp"
#include "util/aligned_buffer.hpp"

namespace qwen3guard::detail {

/// A packed matrix that owns its memory. Move-only.
struct PackedMatrix {
  PackedShape shape;
  AlignedBuffer<std::byte> data;        ///< [shape.data_bytes()]
  AlignedBuffer<std::uint16_t> scales;  ///< [shape.n_scales()] bfloat16

  [[nodiscard]] PackedView view() const noexcept {
    return {.shape = shape, .data = data.data(), .scales = scales.data()};
  }
};

/// The shape of a matrix whose sizes come from a file or a user. group: one of the type's
/// (WeightType::groups). Errors: invalid_argument (another group; no such type; a size above 2^30, so that no
/// product of sizes wraps around).
[[nodiscard]] Result<PackedShape> packed_shape(PackedWeights type, std::size_t group, std::size_t rows,
                                               std::size_t cols);

/// What pack() is told.
struct PackOptions {
  PackedWeights type = PackedWeights::int8;
  std::size_t group = 64;  ///< as packed_shape()
  int n_threads = 1;       ///< 0: automatic; the result is the same for any number
  /// [cols]: how much an error in a column matters, all >= 0; empty for all alike. int4 only.
  std::span<const float> column_importance;
};

/// Packs w. bf16: rounded to nearest even; a BF16 source is copied to the bit. int8: per group
/// scale = max|w| / 127, rounded up to bfloat16, and value = round(w / scale) in [-127, 127]. int4: values in
/// [-8, 7]; the scale, of either sign, is the one with the smallest sum of importance * error^2 among a fixed
/// list of candidates, each refined by least squares; max|w| / 7 is in the list. Quantised against the
/// rounded scale. A group of zeros has the scale 0; padding has value 0 and scale 0.
/// `name` names the tensor in errors. Errors: bad_checkpoint (a weight that is not finite, or larger
/// than the type can hold, with its row and column); invalid_argument (as packed_shape; column_importance of
/// another length). Throws std::bad_alloc.
[[nodiscard]] Result<PackedMatrix> pack(const MatrixView& w, const PackOptions& options,
                                        const std::string& name);

/// y[c] = weight [r, c], y: [w.shape.cols]. Precondition: r < w.shape.rows.
void unpack_row(std::span<float> y, const PackedView& w, std::size_t r) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_QUANTIZE_HPP
