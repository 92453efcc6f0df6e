// SPDX-License-Identifier: Apache-2.0
#include "tensor/linear.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "tensor/linear_packed.hpp"
#include "tensor/quantize.hpp"
#include "util/exceptions.hpp"

namespace qwen3guard::detail {
namespace {

/// Up to this many rows of x, reading the weights once dominates and packing for a GEMM does not pay.
constexpr std::size_t kMaxDotRows = 6;
/// Rows of w per task of dot products: long enough to hide a task's start, short enough to balance.
constexpr std::size_t kDotTileRows = 128;

/// A widened tile of w fits the second-level cache (1 to 2 MiB on most x86) beside what the GEMM packs of x.
constexpr std::size_t kTileFloats = std::size_t{1} << 18;
constexpr std::size_t kGemmPerDot = 8;  // multiplications of a matrix product in the time of one from memory
constexpr std::size_t kMinTileRows = 32, kMaxTileRows = 256;

/// Rows of w per GEMM task: a function of the shape alone, so that no sum depends on the thread count.
std::size_t tile_rows(std::size_t rows, std::size_t cols) noexcept {
  std::size_t n =
      std::clamp(kTileFloats / std::max<std::size_t>(cols, 1) / 32 * 32, kMinTileRows, kMaxTileRows);
  // Small matrices are cut finer: at least four tiles, to keep a few threads busy.
  while (n > kMinTileRows && n * 4 > rows) n /= 2;
  return n;
}

void widen(float* y, const MatrixView& w, std::size_t first_row, std::size_t n_rows,
           const KernelTable& kernels) noexcept {
  const std::size_t n = n_rows * w.cols;
  const auto widen_elements = info_of(w.dtype).widen;
  if (widen_elements != nullptr) {
    (kernels.*widen_elements)(y, static_cast<const std::uint16_t*>(w.row(first_row)), n);
  } else if (n > 0) {
    std::memcpy(y, w.row(first_row), n * sizeof(float));
  }
}

void linear_by_dots(Span2d<float> y, Span2d<const float> x, const MatrixView& w,
                    const LinearContext& context) {
  const std::size_t n_tiles = (w.rows + kDotTileRows - 1) / kDotTileRows;
  context.workers.run(n_tiles, x.rows() * w.rows * w.cols, [&](std::size_t tile) {
    const std::size_t first = tile * kDotTileRows;
    const std::size_t n = std::min(kDotTileRows, w.rows - first);
    dot_rows(y.data() + first, y.stride(), x.data(), x.stride(), x.rows(), w, first, n, context.kernels);
  });
}

}  // namespace

void widen_row(std::span<float> y, const MatrixView& w, std::size_t r, const KernelTable& kernels) noexcept {
  widen(y.data(), w, r, 1, kernels);
}

void read_row(std::span<float> y, const WeightMatrix& w, std::size_t r, const KernelTable& kernels) noexcept {
  if (const MatrixView* plain = w.plain()) return widen_row(y, *plain, r, kernels);
  unpack_row(y, *w.packed(), r);
}

void dot_rows(float* y, std::size_t ldy, const float* x, std::size_t ldx, std::size_t m, const MatrixView& w,
              std::size_t first_row, std::size_t n, const KernelTable& kernels) noexcept {
  const DotArgs args{
      .w = w.row(first_row), .x = x, .ldx = ldx, .y = y, .ldy = ldy, .m = m, .n = n, .k = w.cols};
  (kernels.*info_of(w.dtype).dot)(args);
}

void linear(Span2d<float> y, Span2d<const float> x, const MatrixView& w, const LinearContext& context) {
  if (x.rows() == 0 || w.rows == 0) return;
  if (x.rows() <= kMaxDotRows) return linear_by_dots(y, x, w, context);

  const std::size_t rows = tile_rows(w.rows, w.cols);
  const std::size_t n_tiles = (w.rows + rows - 1) / rows;
  const std::size_t n_workers = std::min(n_tiles, static_cast<std::size_t>(context.workers.n_threads()));
  const std::size_t worker_floats = rows * w.cols;
  const bool is_wide = info_of(w.dtype).widen == nullptr;
  if (!is_wide) context.scratch.wide.reserve_discard(n_workers * worker_floats);
  // Each worker owns a piece of the scratch and takes tiles until none is left.
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  context.workers.run(n_workers, x.rows() * w.rows * w.cols / kGemmPerDot, [&](std::size_t worker) {
    float* wide = is_wide ? nullptr : context.scratch.wide.data() + worker * worker_floats;
    for (std::size_t tile = next.fetch_add(1); tile < n_tiles; tile = next.fetch_add(1)) {
      const std::size_t first = tile * rows;
      const std::size_t n = std::min(rows, w.rows - first);
      const float* b = wide;
      if (is_wide) {
        b = static_cast<const float*>(w.row(first));
      } else {
        widen(wide, w, first, n, context.kernels);
      }
      const GemmArgs args{.a = x.data(),
                          .lda = x.stride(),
                          .b = b,
                          .ldb = w.cols,
                          .c = y.data() + first,
                          .ldc = y.stride(),
                          .m = x.rows(),
                          .n = n,
                          .k = w.cols};
      if (!context.kernels.gemm_nt(args)) failed.store(true);
    }
  });
  if (failed.load()) throw_bad_alloc();
}

void linear(std::span<const Product> products, Span2d<const float> x, const LinearContext& context) {
  while (x.rows() > 0 && !products.empty()) {
    const PackedView* packed = products.front().w->packed();
    if (packed == nullptr) {
      linear(products.front().y, x, *products.front().w->plain(), context);
      products = products.subspan(1);
      continue;
    }
    // Neighbours that take x in the same form share its conversion and one parallel region.
    const auto is_alike = [&](const Product& product) {
      const PackedView* other = product.w->packed();
      return other != nullptr && other->shape.type == packed->shape.type &&
             other->shape.group == packed->shape.group;
    };
    std::size_t n = 1;
    while (n < products.size() && is_alike(products[n])) ++n;
    linear_packed(products.first(n), x, context);
    products = products.subspan(n);
  }
}

void linear(Span2d<float> y, Span2d<const float> x, const WeightMatrix& w, const LinearContext& context) {
  const Product product{y, &w};
  linear({&product, 1}, x, context);
}

}  // namespace qwen3guard::detail
