// SPDX-License-Identifier: Apache-2.0
#include "tensor/quantize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/isa.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/workers.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// What a row needs while it is packed: reused for all rows of a panel.
struct RowScratch {
  explicit RowScratch(std::size_t k) : values(k), levels(k) {}
  std::vector<float> values;        ///< [k], padding 0
  std::vector<std::int8_t> levels;  ///< [k]
};

/// Column of the first weight that cannot be stored; kNone when there is none.
std::size_t find_bad(std::span<const float> values, float max_abs) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i]) <= max_abs)) return i;  // NaN, too
  }
  return kNone;
}

/// Packs the panels of one matrix.
class Packer {
 public:
  Packer(const MatrixView& w, const PackOptions& options, const KernelTable& kernels, PackedMatrix& out)
      : w_(w), type_(weight_type(out.shape.type)), kernels_(kernels), out_(out) {
    // Padding columns count as zeros: they matter to nobody.
    if (options.column_importance.empty()) return;
    importance_.assign(out.shape.k(), 0.0F);
    std::copy(options.column_importance.begin(), options.column_importance.end(), importance_.begin());
  }

  /// The first weight of the panel that cannot be stored, as row * cols + column; kNone when it is packed.
  [[nodiscard]] std::size_t panel(std::size_t index, RowScratch& scratch) noexcept {
    const PackedShape& shape = out_.shape;
    std::byte* lines = out_.data.data() + index * shape.panel_bytes();
    std::memset(lines, type_.zero_byte(), shape.panel_bytes());
    std::uint16_t* scales = nullptr;
    if (type_.has_scales()) {
      scales = out_.scales.data() + index * shape.n_groups() * kPanelRows;
      std::fill_n(scales, shape.n_groups() * kPanelRows, std::uint16_t{0});
    }
    for (std::size_t r = 0; r < kPanelRows && index * kPanelRows + r < shape.rows; ++r) {
      const std::size_t row = index * kPanelRows + r;
      const auto values = std::span(scratch.values).first(shape.cols);
      widen_row(values, w_, row, kernels_);
      const std::size_t bad = find_bad(values, type_.max_abs);
      if (bad != kNone) return row * shape.cols + bad;
      type_.pack_row({.panel = lines,
                      .r = r,
                      .values = scratch.values,
                      .levels = scratch.levels,
                      .scales = scales == nullptr ? nullptr : scales + r,
                      .group_cols = shape.group_cols(),
                      .importance = importance_.empty() ? nullptr : importance_.data()});
    }
    return kNone;
  }

 private:
  const MatrixView& w_;
  const WeightType& type_;
  const KernelTable& kernels_;
  PackedMatrix& out_;
  std::vector<float> importance_;
};

/// "32, 64, 128, or 0 for one scale per row"
std::string groups_text(const WeightType& type) {
  std::string text;
  for (const std::size_t group : type.groups) {
    const bool is_last = &group == &type.groups.back();
    text += concat(text.empty() ? "" : is_last ? ", or " : ", ", group);
    if (group == 0 && type.has_scales()) text += " for one scale per row";
  }
  return text;
}

/// Errors: bad_checkpoint, about the weight `at`, row * cols + column.
Error bad_weight(const MatrixView& w, std::size_t at, const WeightType& type, const KernelTable& kernels,
                 const std::string& name) {
  std::vector<float> row(w.cols);
  widen_row(row, w, at / w.cols, kernels);
  return error(ErrorCode::bad_checkpoint, "tensor ", quote(name), ": the weight in row ", at / w.cols,
               ", column ", at % w.cols, " is ", row[at % w.cols], "; expected a finite number of at most ",
               type.max_abs, ", the largest of ", type.name);
}

}  // namespace

Result<PackedShape> packed_shape(PackedWeights type, std::size_t group, std::size_t rows, std::size_t cols) {
  constexpr std::size_t kMostSize = std::size_t{1} << 30;
  const WeightType* found = find_weight_type(type);
  if (found == nullptr) {
    return error(ErrorCode::invalid_argument, "weight type ", static_cast<std::int32_t>(type),
                 "; expected 0 to ", std::size(kWeightTypes) - 1);
  }
  if (std::find(found->groups.begin(), found->groups.end(), group) == found->groups.end()) {
    return error(ErrorCode::invalid_argument, "group size ", group, " with ", found->name, "; expected ",
                 groups_text(*found));
  }
  if (rows > kMostSize || cols > kMostSize) {
    return error(ErrorCode::invalid_argument, "a matrix [", rows, ", ", cols, "] is too large to be packed");
  }
  return PackedShape{.type = type, .rows = rows, .cols = cols, .group = group};
}

Result<PackedMatrix> pack(const MatrixView& w, const PackOptions& options, const std::string& name) {
  PackedMatrix out;
  Q3G_ASSIGN(out.shape, packed_shape(options.type, options.group, w.rows, w.cols));
  if (!options.column_importance.empty() && options.column_importance.size() != w.cols) {
    return error(ErrorCode::invalid_argument, "tensor ", quote(name), ": ", options.column_importance.size(),
                 " values of column_importance, expected ", w.cols);
  }
  out.data = AlignedBuffer<std::byte>(out.shape.data_bytes());
  out.scales = AlignedBuffer<std::uint16_t>(out.shape.n_scales());
  Q3G_ASSIGN(const KernelTable* kernels, select_kernels("scalar"));  // widens exactly, as any set does
  Packer packer(w, options, *kernels, out);
  // Nothing may be thrown inside run(): each item of work has its scratch before it starts.
  Team team(options.n_threads);
  const std::size_t n_items =
      std::min<std::size_t>(out.shape.n_panels(), static_cast<std::size_t>(team.n_threads()));
  std::vector<RowScratch> scratch(n_items, RowScratch(out.shape.k()));
  std::vector<std::size_t> bad(n_items, kNone);
  team.run(n_items, [&](std::size_t item) {
    const std::size_t end = out.shape.n_panels() * (item + 1) / n_items;
    for (std::size_t p = out.shape.n_panels() * item / n_items; p < end && bad[item] == kNone; ++p)
      bad[item] = packer.panel(p, scratch[item]);
  });
  const auto first = std::find_if(bad.begin(), bad.end(), [](std::size_t at) { return at != kNone; });
  if (first != bad.end()) return bad_weight(w, *first, weight_type(out.shape.type), *kernels, name);
  return out;
}

void unpack_row(std::span<float> y, const PackedView& w, std::size_t r) noexcept {
  const PackedShape& shape = w.shape;
  const std::size_t index = r / kPanelRows, lane = r % kPanelRows;
  const std::uint16_t* scales =
      w.scales == nullptr ? nullptr : w.scales + index * shape.n_groups() * kPanelRows + lane;
  weight_type(shape.type)
      .unpack_row(y, {.panel = static_cast<const std::byte*>(w.data) + index * shape.panel_bytes(),
                      .r = lane,
                      .scales = scales,
                      .group_cols = shape.group_cols()});
}

}  // namespace qwen3guard::detail
