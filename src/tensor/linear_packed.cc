// SPDX-License-Identifier: Apache-2.0
#include "tensor/linear_packed.hpp"

#include <algorithm>
#include <cstring>

namespace qwen3guard::detail {
namespace {

/// Panels of one task: 128 outputs, some 10 microseconds even of one row.
constexpr std::size_t kTaskPanels = 8;
/// Rows of x that are converted by one task.
constexpr std::size_t kTaskRows = 8;
/// Rows of x lie apart by this much more than their length: a power of two would put the same columns of all
/// rows into the same few sets of the cache.
constexpr std::size_t kRowPaddingBytes = 64;

/// x in the form the kernels take.
struct PackedRows {
  std::byte* data;
  std::size_t row_bytes;
  float* scales;
  std::int32_t* starts;
};

PackedRows convert(Span2d<const float> x, const PackedShape& shape, const LinearContext& context) {
  const bool is_bf16 = shape.type == PackedType::bf16;
  const std::size_t k = shape.k(), n_groups = shape.n_groups();
  LinearScratch& scratch = context.scratch;
  PackedRows rows{};
  rows.row_bytes = k * (is_bf16 ? 2 : 1) + kRowPaddingBytes;
  scratch.rows.reserve_discard(x.rows() * rows.row_bytes);
  rows.data = scratch.rows.data();
  const bool has_padding = !is_bf16 && x.cols() < k;
  if (!is_bf16) {
    scratch.scales.reserve_discard(x.rows() * n_groups);
    scratch.starts.reserve_discard(x.rows() * n_groups);
    rows.scales = scratch.scales.data();
    rows.starts = scratch.starts.data();
  }
  if (has_padding) scratch.wide.reserve_discard(x.rows() * k);
  const std::int32_t offset = shape.type == PackedType::q8 ? kQ8Offset : kQ4Offset;
  const auto convert_row = [&](std::size_t r) {
    std::byte* out = rows.data + r * rows.row_bytes;
    const float* in = x.row(r).data();
    if (is_bf16) {
      auto* values = reinterpret_cast<std::uint16_t*>(out);
      context.kernels.round_bf16(values, in, x.cols());
      std::fill(values + x.cols(), values + k, std::uint16_t{0});
      return;
    }
    if (has_padding) {
      float* padded = scratch.wide.data() + r * k;
      std::memcpy(padded, in, x.cols() * sizeof(float));
      std::fill(padded + x.cols(), padded + k, 0.0F);
      in = padded;
    }
    context.kernels.quantise_q8(reinterpret_cast<std::int8_t*>(out), rows.scales + r * n_groups,
                                rows.starts + r * n_groups, in, k, shape.group_cols(), offset);
  };
  const std::size_t n_tasks = (x.rows() + kTaskRows - 1) / kTaskRows;
  constexpr std::size_t kWorkPerValue = 8;
  context.workers.run(n_tasks, x.rows() * k * kWorkPerValue, [&](std::size_t task) {
    const std::size_t end = std::min(x.rows(), (task + 1) * kTaskRows);
    for (std::size_t r = task * kTaskRows; r < end; ++r) convert_row(r);
  });
  return rows;
}

}  // namespace

void linear_packed(std::span<const Product> products, Span2d<const float> x, const LinearContext& context) {
  const PackedShape& first = products.front().w->packed.shape;
  const PackedRows rows = convert(x, first, context);
  std::size_t n_tasks = 0, work = 0;
  for (const Product& product : products) {
    n_tasks += (product.w->packed.shape.n_panels() + kTaskPanels - 1) / kTaskPanels;
    work += x.rows() * product.w->rows() * first.k();
  }
  context.workers.run(n_tasks, work, [&](std::size_t task) {
    const Product* product = products.data();
    for (;; ++product) {
      const std::size_t n = (product->w->packed.shape.n_panels() + kTaskPanels - 1) / kTaskPanels;
      if (task < n) break;
      task -= n;
    }
    const PackedView& w = product->w->packed;
    const std::size_t panel = task * kTaskPanels, row = panel * kPanelRows;
    const std::size_t n_groups = w.shape.n_groups();
    const PackedArgs args{
        .w = static_cast<const std::byte*>(w.data) + panel * w.shape.panel_bytes(),
        .panel_bytes = w.shape.panel_bytes(),
        .w_scales = w.scales == nullptr ? nullptr : w.scales + panel * n_groups * kPanelRows,
        .x = rows.data,
        .ldx = w.shape.type == PackedType::bf16 ? rows.row_bytes / 2 : rows.row_bytes,
        .x_scales = rows.scales,
        .x_starts = rows.starts,
        .y = product->y.data() + row,
        .ldy = product->y.stride(),
        .m = x.rows(),
        .n = std::min(kTaskPanels * kPanelRows, w.shape.rows - row),
        .k = w.shape.k(),
        .group = w.shape.group_cols()};
    switch (w.shape.type) {
      case PackedType::bf16:
        return context.kernels.gemm_bf16(args);
      case PackedType::q8:
        return context.kernels.gemm_q8(args);
      case PackedType::q4:
        return context.kernels.gemm_q4(args);
    }
  });
}

}  // namespace qwen3guard::detail
