// SPDX-License-Identifier: Apache-2.0
#include "model/check_weights.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "util/concat.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kMaxRegions = 8;
constexpr std::size_t kAllFinite = std::numeric_limits<std::size_t>::max();
/// A sample reads this much of a row, or of a panel of rows: what the page holds that it touches anyway.
constexpr std::size_t kSampleBytes = 2048;

/// What some weights are.
struct Found {
  bool is_blank = false;  ///< all zeros, or bytes that stand for no weights at all
  bool is_finite = true;
};

template <class Word>
Found inspect_words(const Word* values, std::size_t n, const DTypeInfo& info) noexcept {
  const auto exponent = static_cast<Word>(info.exponent), magnitude = static_cast<Word>(info.magnitude);
  // No early return: the compiler makes vector instructions of it.
  Word any = 0, bad = 0;
  for (std::size_t i = 0; i < n; ++i) {
    any = static_cast<Word>(any | (values[i] & magnitude));
    bad = static_cast<Word>(bad | ((values[i] & exponent) == exponent ? 1 : 0));
  }
  return {any == 0, bad == 0};
}

Found inspect_elements(const void* values, std::size_t n, DType dtype) noexcept {
  const DTypeInfo& info = info_of(dtype);
  return info.bytes == 4 ? inspect_words(static_cast<const std::uint32_t*>(values), n, info)
                         : inspect_words(static_cast<const std::uint16_t*>(values), n, info);
}

bool is_all(std::span<const std::uint8_t> bytes, std::uint8_t value) noexcept {
  return bytes.empty() ||
         (bytes[0] == value && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// The first max_bytes of a panel and its scales. Quantised weights are stored with an offset, so that zeros
/// are not bytes of zeros; and those stand for the lowest level in every place, which no weights have either.
Found inspect_panel(const PackedView& w, std::size_t panel, std::size_t max_bytes) noexcept {
  const PackedShape& shape = w.shape;
  const std::span data(static_cast<const std::uint8_t*>(w.data) + panel * shape.panel_bytes(),
                       std::min(shape.panel_bytes(), max_bytes));
  const WeightType& type = weight_type(shape.type);
  if (type.element)
    return inspect_elements(data.data(), data.size() / info_of(*type.element).bytes, *type.element);
  const std::size_t n_scales = shape.n_groups() * kPanelRows;
  Found found = inspect_elements(w.scales + panel * n_scales, std::min(n_scales, max_bytes / 2), DType::bf16);
  found.is_blank = found.is_blank || is_all(data, 0) || is_all(data, type.zero_byte());
  return found;
}

/// Units are rows, or panels of them. inspect(i, whole) -> Found.
template <class Inspect>
class RegionCheck {
 public:
  RegionCheck(std::size_t n_units, std::size_t n_regions, const Inspect& inspect)
      : n_units_(n_units), n_regions_(n_regions), inspect_(inspect) {}

  /// The first unit that was found to have a value that is not finite; kAllFinite when there is none.
  [[nodiscard]] std::size_t not_finite() const noexcept { return not_finite_; }

  /// True when the region is blank. A sample is one unit of each region; all of them together are spread
  /// evenly from the first to the last.
  [[nodiscard]] bool is_blank(std::size_t region, CheckExtent extent) {
    const std::size_t first = begin(region), end = begin(region + 1);
    bool is_blank = true;
    if (extent == CheckExtent::all) {
      for (std::size_t unit = first; unit < end; ++unit) is_blank = look(unit, true) && is_blank;
      return is_blank;
    }
    const std::size_t evenly = n_regions_ == 1 ? 0 : region * (n_units_ - 1) / (n_regions_ - 1);
    is_blank = look(std::clamp(evenly, first, end - 1), false);
    // The sample only says where to look.
    for (std::size_t unit = first; is_blank && unit < end; ++unit) is_blank = look(unit, true);
    return is_blank;
  }

  /// First unit of a region.
  [[nodiscard]] std::size_t begin(std::size_t region) const noexcept {
    return n_units_ * region / n_regions_;
  }

 private:
  bool look(std::size_t unit, bool whole) {
    const Found found = inspect_(unit, whole);
    if (!found.is_finite) not_finite_ = std::min(not_finite_, unit);
    return found.is_blank;
  }

  std::size_t n_units_, n_regions_;
  const Inspect& inspect_;
  std::size_t not_finite_ = kAllFinite;
};

/// unit_rows: rows of a unit.
template <class Inspect>
std::optional<std::string> check_regions(std::size_t rows, std::size_t unit_rows, CheckExtent extent,
                                         bool is_vocabulary, const Inspect& inspect) {
  const std::size_t n_units = (rows + unit_rows - 1) / unit_rows;
  const std::size_t n_regions = std::clamp<std::size_t>(rows / kPanelRows, 1, kMaxRegions);
  const std::size_t n_needed = is_vocabulary ? n_regions - n_regions / 4 : n_regions;
  RegionCheck<Inspect> check(n_units, n_regions, inspect);
  for (std::size_t i = 0; i < n_regions; ++i) {
    const bool is_blank = check.is_blank(i, extent);
    if (check.not_finite() != kAllFinite) {
      const std::size_t row = check.not_finite() * unit_rows;
      return concat("a value in row ", row,
                    unit_rows > 1 ? concat(" or the ", unit_rows - 1, " behind it") : std::string(),
                    " is not finite; the file is damaged");
    }
    if (!is_blank || i >= n_needed) continue;
    const std::size_t first = check.begin(i) * unit_rows;
    const std::size_t last = std::min(check.begin(i + 1) * unit_rows, rows) - 1;
    return concat("rows ", first, " to ", last, " of ", rows,
                  " hold nothing but zeros; the file is incomplete (an interrupted download?)");
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_norm(std::span<const float> weight) {
  const bool is_finite = std::all_of(weight.begin(), weight.end(), [](float x) { return std::isfinite(x); });
  if (!is_finite) return "a value is not finite; the file is damaged";
  if (std::all_of(weight.begin(), weight.end(), [](float x) { return x == 0; }))
    return "holds nothing but zeros; the file is incomplete (an interrupted download?)";
  return std::nullopt;
}

std::optional<std::string> check_matrix(const MatrixView& weight, CheckExtent extent, bool is_vocabulary) {
  const std::size_t n_sampled = std::min(weight.cols, kSampleBytes / size_bytes(weight.dtype));
  const auto inspect = [&](std::size_t row, bool whole) {
    return inspect_elements(weight.row(row), whole ? weight.cols : n_sampled, weight.dtype);
  };
  return check_regions(weight.rows, 1, extent, is_vocabulary, inspect);
}

std::optional<std::string> check_packed(const PackedView& weight, CheckExtent extent, bool is_vocabulary) {
  const auto inspect = [&](std::size_t panel, bool whole) {
    return inspect_panel(weight, panel, whole ? weight.shape.panel_bytes() : kSampleBytes);
  };
  return check_regions(weight.shape.rows, kPanelRows, extent, is_vocabulary, inspect);
}

}  // namespace qwen3guard::detail
