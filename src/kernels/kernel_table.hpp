// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_KERNEL_TABLE_HPP
#define QWEN3GUARD_SRC_KERNELS_KERNEL_TABLE_HPP

#include <cstddef>
#include <cstdint>

#include "kernels/packed_args.hpp"

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0)
#error "qwen3guard: compile without -ffast-math; values that are not finite have to be recognised"
#endif

// Files compiled with instruction-set flags include this header, so it holds plain data only: an inline
// function here could be emitted with AVX code and then be picked by the linker for every caller.
namespace qwen3guard::detail {

/// Operands of a matrix product; all row-major, `ld*` in elements from one row to the next.
struct GemmArgs {
  const float* a;  ///< [m, k]
  std::size_t lda;
  const float* b;  ///< [n, k] for gemm_nt, [k, n] for gemm_nn_add
  std::size_t ldb;
  float* c;  ///< [m, n]
  std::size_t ldc;
  std::size_t m, n, k;
};

/// Operands of dot products of few vectors with many rows. w has the function's dtype and its natural
/// alignment only.
struct DotArgs {
  const void* w;  ///< [n, k], rows of k elements without gaps
  const float* x;
  std::size_t ldx;  ///< x: [m, k]
  float* y;
  std::size_t ldy;  ///< y: [m, n]
  std::size_t m, n, k;
};

/// The arithmetic of one instruction set. A plain value in static storage; every pointer is set.
/// Functions are pure: no state, any thread. Pointers need no more than natural alignment; lengths may be 0.
/// Sums run over a fixed order that depends on the lengths alone.
struct KernelTable {
  const char* name;

  /// c = a b^T. False when packing memory could not be had; c is then undefined.
  bool (*gemm_nt)(const GemmArgs& args) noexcept;
  /// c += a b. False as above.
  bool (*gemm_nn_add)(const GemmArgs& args) noexcept;

  /// y[i][j] = sum_l x[i][l] * w[j][l], w widened exactly to float32 in registers.
  void (*dot_f32)(const DotArgs& args) noexcept;
  void (*dot_bf16)(const DotArgs& args) noexcept;
  void (*dot_f16)(const DotArgs& args) noexcept;

  /// y[i] = float32(x[i]), exact.
  void (*widen_bf16)(float* y, const std::uint16_t* x, std::size_t n) noexcept;
  void (*widen_f16)(float* y, const std::uint16_t* x, std::size_t n) noexcept;

  /// y[i] = weight[i] * (x[i] / sqrt(mean(x^2) + eps)). y may be x. Oracle: rms_norm.
  void (*rms_norm)(float* y, const float* x, const float* weight, std::size_t n, float eps) noexcept;
  /// gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i]. Oracle: the MLP of forward.
  void (*silu_mul)(float* gate, const float* up, std::size_t n) noexcept;
  /// y[i] += x[i].
  void (*add)(float* y, const float* x, std::size_t n) noexcept;

  /// Largest of x; -infinity when n is 0.
  float (*max)(const float* x, std::size_t n) noexcept;
  /// x[i] = exp(x[i] - shift), where x[i] <= shift; returns the sum.
  float (*exp_sum)(float* x, std::size_t n, float shift) noexcept;
  /// x[i] *= factor.
  void (*scale)(float* x, std::size_t n, float factor) noexcept;
  /// y[0..n) += sum_j p[j] * v[j][0..n), v: [k, n] without gaps.
  void (*add_weighted_rows)(float* y, const float* p, const float* v, std::size_t k, std::size_t n) noexcept;
  /// One head's rotary embedding: x [2 half] in place, table = half cosines, then as many sines. Oracle:
  /// rope.
  void (*rotate)(float* x, const float* table, std::size_t half) noexcept;

  /// Products with packed weights. For q8, q4 and f16 a row of y does not depend on the other rows of the
  /// call and is the same to the last bit on every instruction set with fused multiply-add; for bf16 the
  /// sums' order, and with it the rounding, may depend on how many rows there are. For f16 every weight is
  /// widened exactly and its product with x is added in float32, columns in order.
  void (*gemm_q8)(const PackedArgs& args) noexcept;
  void (*gemm_q4)(const PackedArgs& args) noexcept;
  void (*gemm_bf16)(const PackedArgs& args) noexcept;
  void (*gemm_f16)(const PackedArgs& args) noexcept;
  /// Per group of x [n] (n a multiple of group, group of 32): scale = max|x| / 127, q = round(x / scale), and
  /// start = -offset * sum of q. A group with a value that is not finite gets the scale NaN.
  void (*quantise_q8)(std::int8_t* q, float* scales, std::int32_t* starts, const float* x, std::size_t n,
                      std::size_t group, std::int32_t offset) noexcept;
  /// y[i] = bfloat16(x[i]), to nearest even.
  void (*round_bf16)(std::uint16_t* y, const float* x, std::size_t n) noexcept;
  /// y[i] = binary16(x[i]), to nearest even; beyond its range infinity.
  void (*round_f16)(std::uint16_t* y, const float* x, std::size_t n) noexcept;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_KERNELS_KERNEL_TABLE_HPP
