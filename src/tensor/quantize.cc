// SPDX-License-Identifier: Apache-2.0
#include "tensor/quantize.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "tensor/quantize_group.hpp"
#include "util/error.hpp"
#include "util/half.hpp"
#include "util/thread_team.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// What a row needs while it is packed: reused for all rows of a panel.
struct RowScratch {
  explicit RowScratch(std::size_t k) : values(k), levels(k) {}
  std::vector<float> values;        ///< [k], padding 0
  std::vector<std::int8_t> levels;  ///< [k]
};

void widen_row(std::span<float> y, const MatrixView& w, std::size_t r) noexcept {
  const void* row = w.row(r);
  if (w.dtype == DType::f32) {
    std::memcpy(y.data(), row, y.size() * sizeof(float));
    return;
  }
  const auto* x = static_cast<const std::uint16_t*>(row);
  if (w.dtype == DType::bf16) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = bf16_to_f32(x[i]);
  } else {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = f16_to_f32(x[i]);
  }
}

/// Column of the first weight that cannot be stored; kNone when there is none.
std::size_t find_bad(std::span<const float> values) noexcept {
  // The largest float that does not round to an infinite bfloat16; false for NaN.
  constexpr float kMost = 0x1.fep127F;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i]) <= kMost)) return i;
  }
  return kNone;
}

/// Writes row r of a panel whose lines begin at `panel`; see packed_args.hpp.
void store_bf16(std::byte* panel, std::size_t r, std::span<const float> values) noexcept {
  for (std::size_t l = 0; 2 * l < values.size(); ++l) {
    const std::uint16_t pair[2] = {f32_to_bf16(values[2 * l]), f32_to_bf16(values[2 * l + 1])};
    std::memcpy(panel + l * kLineBytes + 4 * r, pair, sizeof pair);
  }
}

void store_q8(std::byte* panel, std::size_t r, std::span<const std::int8_t> levels) noexcept {
  for (std::size_t c = 0; c < levels.size(); ++c)
    panel[c / 4 * kLineBytes + 4 * r + c % 4] = static_cast<std::byte>(levels[c] + 128);
}

void store_q4(std::byte* panel, std::size_t r, std::span<const std::int8_t> levels) noexcept {
  for (std::size_t l = 0; 8 * l < levels.size(); ++l) {
    for (std::size_t j = 0; j < 4; ++j) {
      const int low = levels[8 * l + j] + 8, high = levels[8 * l + 4 + j] + 8;
      panel[l * kLineBytes + 4 * r + j] = static_cast<std::byte>(low | high << 4);
    }
  }
}

/// Packs the panels of one matrix.
class Packer {
 public:
  Packer(const MatrixView& w, const PackOptions& options, PackedMatrix& out) : w_(w), out_(out) {
    // Padding columns count as zeros: they matter to nobody.
    if (options.column_importance.empty()) return;
    importance_.assign(out.shape.k(), 0.0F);
    std::copy(options.column_importance.begin(), options.column_importance.end(), importance_.begin());
  }

  /// The first weight of the panel that cannot be stored, as row * cols + column; kNone when it is packed.
  [[nodiscard]] std::size_t panel(std::size_t index, RowScratch& scratch) noexcept {
    const PackedShape& shape = out_.shape;
    std::byte* lines = out_.data.data() + index * shape.panel_bytes();
    std::uint16_t* scales = out_.scales.data() + index * shape.n_groups() * kPanelRows;
    const int zero = shape.type == PackedType::q8 ? 0x80 : shape.type == PackedType::q4 ? 0x88 : 0;
    std::memset(lines, zero, shape.panel_bytes());
    if (shape.type != PackedType::bf16) std::fill_n(scales, shape.n_groups() * kPanelRows, std::uint16_t{0});
    for (std::size_t r = 0; r < kPanelRows && index * kPanelRows + r < shape.rows; ++r) {
      const std::size_t row = index * kPanelRows + r;
      widen_row(std::span(scratch.values).first(shape.cols), w_, row);
      const std::size_t bad = find_bad(std::span(scratch.values).first(shape.cols));
      if (bad != kNone) return row * shape.cols + bad;
      if (shape.type == PackedType::bf16) {
        store_bf16(lines, r, scratch.values);
        continue;
      }
      for (std::size_t g = 0; g < shape.n_groups(); ++g)
        scales[g * kPanelRows + r] = quantize_group(scratch, g * shape.group_cols());
      if (shape.type == PackedType::q8) {
        store_q8(lines, r, scratch.levels);
      } else {
        store_q4(lines, r, scratch.levels);
      }
    }
    return kNone;
  }

 private:
  [[nodiscard]] std::uint16_t quantize_group(RowScratch& scratch, std::size_t first) const noexcept {
    const std::size_t n = out_.shape.group_cols();
    std::int8_t* q = scratch.levels.data() + first;
    const float* values = scratch.values.data() + first;
    if (out_.shape.type == PackedType::q8) return quantize_group_q8(q, values, n);
    return quantize_group_q4(q, values, importance_.empty() ? nullptr : importance_.data() + first, n);
  }

  const MatrixView& w_;
  PackedMatrix& out_;
  std::vector<float> importance_;
};

}  // namespace

Result<PackedShape> packed_shape(PackedType type, std::size_t group, std::size_t rows, std::size_t cols) {
  constexpr std::size_t kMostSize = std::size_t{1} << 30;
  const auto bad_group = [&](const char* expected) {
    return error(ErrorCode::invalid_argument, "group size ", group, " with ", to_string(type), "; expected ",
                 expected);
  };
  if (type == PackedType::bf16 && group != 0) return bad_group("0");
  if (type == PackedType::q4 && group != 32) return bad_group("32");
  if (type == PackedType::q8 && group != 0 && group != 32 && group != 64 && group != 128)
    return bad_group("32, 64, 128, or 0 for one scale per row");
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
  Packer packer(w, options, out);
  // Nothing may be thrown inside run(): each item of work has its scratch before it starts.
  const std::size_t n_items =
      std::min<std::size_t>(out.shape.n_panels(), static_cast<std::size_t>(std::max(options.n_threads, 1)));
  std::vector<RowScratch> scratch(n_items, RowScratch(out.shape.k()));
  std::vector<std::size_t> bad(n_items, kNone);
  ThreadTeam(options.n_threads).run(n_items, [&](std::size_t item) {
    const std::size_t end = out.shape.n_panels() * (item + 1) / n_items;
    for (std::size_t p = out.shape.n_panels() * item / n_items; p < end && bad[item] == kNone; ++p)
      bad[item] = packer.panel(p, scratch[item]);
  });
  const auto first = std::find_if(bad.begin(), bad.end(), [](std::size_t at) { return at != kNone; });
  if (first != bad.end()) {
    return error(ErrorCode::bad_checkpoint, "tensor ", quote(name), ": the weight in row ", *first / w.cols,
                 ", column ", *first % w.cols, " is not finite or too large for bfloat16");
  }
  return out;
}

void unpack_row(std::span<float> y, const PackedView& w, std::size_t r) noexcept {
  const PackedShape& shape = w.shape;
  const std::size_t index = r / kPanelRows, at = 4 * (r % kPanelRows);
  const auto* lines = static_cast<const std::uint8_t*>(w.data) + index * shape.panel_bytes();
  if (shape.type == PackedType::bf16) {
    for (std::size_t c = 0; c < y.size(); ++c) {
      std::uint16_t value = 0;
      std::memcpy(&value, lines + c / 2 * kLineBytes + at + c % 2 * 2, sizeof value);
      y[c] = bf16_to_f32(value);
    }
    return;
  }
  const std::uint16_t* scales = w.scales + index * shape.n_groups() * kPanelRows + r % kPanelRows;
  for (std::size_t c = 0; c < y.size(); ++c) {
    int level = 0;
    if (shape.type == PackedType::q8) {
      level = lines[c / 4 * kLineBytes + at + c % 4] - 128;
    } else {
      const int pair = lines[c / 8 * kLineBytes + at + c % 4];
      level = (c % 8 < 4 ? pair & 15 : pair >> 4) - 8;
    }
    y[c] = static_cast<float>(level) * bf16_to_f32(scales[c / shape.group_cols() * kPanelRows]);
  }
}

}  // namespace qwen3guard::detail
