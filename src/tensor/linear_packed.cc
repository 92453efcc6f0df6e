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

/// x in the form the kernels take: PackedArgs has what is what.
struct PackedRows {
  const void* data = nullptr;
  std::size_t ld = 0;
  const float* scales = nullptr;
  const std::int32_t* starts = nullptr;
};

/// Calls convert_row(r) for all rows of x, in parallel.
template <class ConvertRow>
void convert_rows(const Span2d<const float>& x, std::size_t k, const LinearContext& context,
                  const ConvertRow& convert_row) {
  const std::size_t n_tasks = (x.rows() + kTaskRows - 1) / kTaskRows;
  constexpr std::size_t kWorkPerValue = 8;
  context.workers.run(n_tasks, x.rows() * k * kWorkPerValue, [&](std::size_t task) {
    const std::size_t end = std::min(x.rows(), (task + 1) * kTaskRows);
    for (std::size_t r = task * kTaskRows; r < end; ++r) convert_row(r);
  });
}

/// Room for rows of k elements; returns the elements from one row to the next.
template <class Element>
std::size_t reserve_rows(Span2d<const float> x, std::size_t k, const LinearContext& context) {
  const std::size_t row_bytes = k * sizeof(Element) + kRowPaddingBytes;
  context.scratch.rows.reserve_discard(x.rows() * row_bytes);
  return row_bytes / sizeof(Element);
}

PackedRows bf16_rows(Span2d<const float> x, std::size_t k, const LinearContext& context) {
  const std::size_t ld = reserve_rows<std::uint16_t>(x, k, context);
  auto* rows = reinterpret_cast<std::uint16_t*>(context.scratch.rows.data());
  convert_rows(x, k, context, [&](std::size_t r) {
    std::uint16_t* out = rows + r * ld;
    context.kernels.round_bf16(out, x.row(r).data(), x.cols());
    std::fill(out + x.cols(), out + k, std::uint16_t{0});
  });
  return {.data = rows, .ld = ld};
}

PackedRows int8_rows(Span2d<const float> x, const PackedShape& shape, const LinearContext& context) {
  const std::size_t k = shape.k(), n_groups = shape.n_groups();
  const std::size_t ld = reserve_rows<std::int8_t>(x, k, context);
  LinearScratch& scratch = context.scratch;
  auto* rows = reinterpret_cast<std::int8_t*>(scratch.rows.data());
  scratch.scales.reserve_discard(x.rows() * n_groups);
  scratch.starts.reserve_discard(x.rows() * n_groups);
  const bool has_padding = x.cols() < k;
  if (has_padding) scratch.wide.reserve_discard(x.rows() * k);
  const std::int32_t offset = weight_type(shape.type).offset;
  convert_rows(x, k, context, [&](std::size_t r) {
    const float* in = x.row(r).data();
    if (has_padding) {
      float* padded = scratch.wide.data() + r * k;
      std::memcpy(padded, in, x.cols() * sizeof(float));
      std::fill(padded + x.cols(), padded + k, 0.0F);
      in = padded;
    }
    context.kernels.quantise_q8(rows + r * ld, scratch.scales.data() + r * n_groups,
                                scratch.starts.data() + r * n_groups, in, k, shape.group_cols(), offset);
  });
  return {.data = rows, .ld = ld, .scales = scratch.scales.data(), .starts = scratch.starts.data()};
}

PackedRows fp32_rows(Span2d<const float> x, std::size_t k, const LinearContext& context) {
  if (x.cols() == k) return {.data = x.data(), .ld = x.stride()};
  const std::size_t ld = reserve_rows<float>(x, k, context);
  auto* rows = reinterpret_cast<float*>(context.scratch.rows.data());
  convert_rows(x, k, context, [&](std::size_t r) {
    float* out = rows + r * ld;
    std::memcpy(out, x.row(r).data(), x.cols() * sizeof(float));
    std::fill(out + x.cols(), out + k, 0.0F);
  });
  return {.data = rows, .ld = ld};
}

PackedRows convert(Span2d<const float> x, const PackedShape& shape, const LinearContext& context) {
  switch (weight_type(shape.type).x) {
    case Arithmetic::bf16:
      return bf16_rows(x, shape.k(), context);
    case Arithmetic::int8:
      return int8_rows(x, shape, context);
    case Arithmetic::fp32:
      break;
  }
  return fp32_rows(x, shape.k(), context);
}

}  // namespace

void linear_packed(std::span<const Product> products, Span2d<const float> x, const LinearContext& context) {
  const PackedShape& first = products.front().w->packed()->shape;
  const auto gemm = weight_type(first.type).gemm;
  const PackedRows rows = convert(x, first, context);
  std::size_t n_tasks = 0, work = 0;
  for (const Product& product : products) {
    n_tasks += (product.w->packed()->shape.n_panels() + kTaskPanels - 1) / kTaskPanels;
    work += x.rows() * product.w->rows() * first.k();
  }
  context.workers.run(n_tasks, work, [&](std::size_t task) {
    const Product* product = products.data();
    for (;; ++product) {
      const std::size_t n = (product->w->packed()->shape.n_panels() + kTaskPanels - 1) / kTaskPanels;
      if (task < n) break;
      task -= n;
    }
    const PackedView& w = *product->w->packed();
    const std::size_t panel = task * kTaskPanels, row = panel * kPanelRows;
    const std::size_t n_groups = w.shape.n_groups();
    (context.kernels.*
     gemm)({.w = static_cast<const std::byte*>(w.data) + panel * w.shape.panel_bytes(),
            .panel_bytes = w.shape.panel_bytes(),
            .w_scales = w.scales == nullptr ? nullptr : w.scales + panel * n_groups * kPanelRows,
            .x = rows.data,
            .ldx = rows.ld,
            .x_scales = rows.scales,
            .x_starts = rows.starts,
            .y = product->y.data() + row,
            .ldy = product->y.stride(),
            .m = x.rows(),
            .n = std::min(kTaskPanels * kPanelRows, w.shape.rows - row),
            .k = w.shape.k(),
            .group = w.shape.group_cols()});
  });
}

}  // namespace qwen3guard::detail
