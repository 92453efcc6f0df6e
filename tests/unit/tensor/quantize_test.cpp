// SPDX-License-Identifier: Apache-2.0
#include "tensor/quantize.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "util/half.hpp"

using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;
using qwen3guard::PackedWeights;

namespace {

constexpr std::uint64_t kSeed = 20250101;

struct Options {
  PackedWeights type;
  std::size_t group;
};

/// Every type with every group that it has.
const std::vector<Options> kAll = [] {
  std::vector<Options> all;
  for (const WeightType& type : kWeightTypes) {
    for (const std::size_t group : type.groups) all.push_back({type.id, group});
  }
  return all;
}();

/// Sizes around a panel of 16 rows, lines of 2, 4 and 8 columns, groups and padding.
const std::vector<std::pair<std::size_t, std::size_t>> kShapes = {
    {1, 1}, {1, 64}, {2, 7}, {15, 31}, {16, 32}, {17, 33}, {31, 65}, {33, 128}, {48, 130}, {5, 257}};

/// Values of very different size from group to group, zeros among them; none too large for fp16.
std::vector<float> random_weights(std::size_t rows, std::size_t cols, std::mt19937_64& random) {
  std::vector<float> w(rows * cols);
  float scale = 1;
  for (std::size_t i = 0; i < w.size(); ++i) {
    if (i % 32 == 0) {
      scale = std::ldexp(1.0F, static_cast<int>(random() % 40) - 26);
      if (random() % 8 == 0) scale = 0;
    }
    w[i] = q3g_test::random_normal(random, scale);
  }
  return w;
}

MatrixView view_of(const std::vector<float>& w, std::size_t rows, std::size_t cols) {
  return {.dtype = DType::f32, .data = w.data(), .rows = rows, .cols = cols};
}

PackedMatrix pack_or_fail(const MatrixView& w, const PackOptions& options) {
  auto packed = pack(w, options, "w");
  INFO((packed.ok() ? "" : packed.error().detail));
  REQUIRE(packed.ok());
  return *std::move(packed);
}

std::vector<float> unpacked(const PackedMatrix& packed) {
  const PackedShape& shape = packed.shape;
  std::vector<float> out(shape.rows * shape.cols);
  for (std::size_t r = 0; r < shape.rows; ++r)
    unpack_row(std::span(out).subspan(r * shape.cols, shape.cols), packed.view(), r);
  return out;
}

float scale_of(const PackedMatrix& packed, std::size_t r, std::size_t c) {
  const PackedShape& s = packed.shape;
  const std::size_t at = (r / kPanelRows * s.n_groups() + c / s.group_cols()) * kPanelRows + r % kPanelRows;
  return bf16_to_f32(packed.scales[at]);
}

bool same_bytes(const PackedMatrix& a, const PackedMatrix& b) {
  return a.data.size() == b.data.size() && a.scales.size() == b.scales.size() &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0 &&
         (a.scales.size() == 0 || std::memcmp(a.scales.data(), b.scales.data(), 2 * a.scales.size()) == 0);
}

}  // namespace

TEST_CASE("quantize: every weight lies where the layout says", "[tensor][quantize]") {
  const std::size_t rows = 18, cols = 70;
  std::vector<float> w(rows * cols);
  // Whole numbers that all types hold exactly, once the scale is 1.
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(static_cast<int>(i * 7 % 15) - 7);
  for (const Options& options : kAll) {
    std::vector<float> source = w;
    if (options.type == PackedWeights::int8) {
      for (std::size_t r = 0; r < rows; ++r) source[r * cols] = source[r * cols + 64] = 127;  // scale 1
    }
    for (std::size_t r = 0; r < rows && options.type == PackedWeights::int4; ++r) {
      for (const std::size_t c : {0U, 32U, 64U}) source[r * cols + c] = 7, source[r * cols + c + 1] = -8;
    }
    const PackedMatrix packed = pack_or_fail(
        view_of(source, rows, cols), {.type = options.type, .group = options.group, .column_importance = {}});
    INFO(weight_type(options.type).name << " group " << options.group);
    if (options.type == PackedWeights::int4 || options.group != 32) {
      CHECK(unpacked(packed) == source);
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(packed.data.data());
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < cols; ++c) {
        const std::uint8_t* panel = bytes + r / 16 * packed.shape.panel_bytes();
        const float value = source[r * cols + c];
        const std::size_t lane = 4 * (r % 16);
        if (options.type == PackedWeights::bf16) {
          std::uint16_t stored = 0;
          std::memcpy(&stored, panel + c / 2 * 64 + lane + c % 2 * 2, 2);
          REQUIRE(bf16_to_f32(stored) == value);
        } else if (options.type == PackedWeights::int8 && options.group != 32) {
          REQUIRE(panel[c / 4 * 64 + lane + c % 4] - 128 == static_cast<int>(value));
        } else if (options.type == PackedWeights::fp16) {
          std::uint16_t stored = 0;
          std::memcpy(&stored, panel + c / 2 * 64 + c % 2 * 32 + 2 * (r % 16), 2);
          REQUIRE(f16_to_f32(stored) == value);
        } else if (options.type == PackedWeights::int4) {
          const int pair = panel[c / 8 * 64 + lane + c % 4];
          REQUIRE((c % 8 < 4 ? pair & 15 : pair >> 4) - 8 == static_cast<int>(value));
        }
      }
    }
  }
}

TEST_CASE("quantize: padding has value zero and scale zero", "[tensor][quantize]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  for (const auto& [rows, cols] : kShapes) {
    const auto w = random_weights(rows, cols, random);
    for (const Options& options : kAll) {
      PackedMatrix packed = pack_or_fail(
          view_of(w, rows, cols), {.type = options.type, .group = options.group, .column_importance = {}});
      CHECK(packed.data.size() == packed.shape.data_bytes());
      CHECK(packed.scales.size() == packed.shape.n_scales());
      // The padded matrix, read as one without padding.
      packed.shape.rows = packed.shape.n_panels() * kPanelRows;
      packed.shape.cols = packed.shape.k();
      const auto all = unpacked(packed);
      for (std::size_t r = 0; r < packed.shape.rows; ++r) {
        for (std::size_t c = 0; c < packed.shape.cols; ++c) {
          if (r < rows && c < cols) continue;
          REQUIRE(all[r * packed.shape.cols + c] == 0);
          if (r >= rows && packed.shape.n_scales() > 0) REQUIRE(scale_of(packed, r, c) == 0);
        }
      }
    }
  }
}

TEST_CASE("quantize: an error is at most half a step", "[tensor][quantize]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  for (const auto& [rows, cols] : kShapes) {
    const auto w = random_weights(rows, cols, random);
    for (const std::size_t group : {0U, 32U, 64U, 128U}) {
      const PackedMatrix packed = pack_or_fail(
          view_of(w, rows, cols), {.type = PackedWeights::int8, .group = group, .column_importance = {}});
      const auto back = unpacked(packed);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) {
          const float scale = scale_of(packed, r, c), value = w[r * cols + c];
          INFO("[" << r << ", " << c << "] of group " << group << ": " << value);
          REQUIRE(std::abs(back[r * cols + c] - value) <= scale / 2 * 1.00001F);
          // The largest weight of a group takes at least 126 of the 127 steps: 7 bits of the scale's
          // rounding.
          REQUIRE(scale * 127 * 1.00001F >= std::abs(value));
        }
      }
    }
  }
}

TEST_CASE("quantize: bf16 copies bfloat16 to the bit and rounds the others", "[tensor][quantize]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  const std::size_t rows = 17, cols = 41;
  std::vector<std::uint16_t> bits(rows * cols);
  for (auto& b : bits) {
    do b = static_cast<std::uint16_t>(random());
    while ((b & 0x7f80U) == 0x7f80U);  // infinite or NaN
  }
  const PackOptions options{.type = PackedWeights::bf16, .group = 0, .column_importance = {}};
  const auto exact =
      pack_or_fail({.dtype = DType::bf16, .data = bits.data(), .rows = rows, .cols = cols}, options);
  const auto halves =
      pack(MatrixView{.dtype = DType::f16, .data = bits.data(), .rows = rows, .cols = cols}, options, "w");
  std::vector<float> row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    unpack_row(row, exact.view(), r);
    for (std::size_t c = 0; c < cols; ++c) REQUIRE(f32_to_bf16(row[c]) == bits[r * cols + c]);
    if (!halves.ok()) continue;  // random bits may be an infinite half
    unpack_row(row, halves->view(), r);
    for (std::size_t c = 0; c < cols; ++c)
      REQUIRE(row[c] == bf16_to_f32(f32_to_bf16(f16_to_f32(bits[r * cols + c]))));
  }
}

TEST_CASE("quantize: fp16 copies halves to the bit and rounds the others", "[tensor][quantize]") {
  // All that are finite, subnormal ones and both zeros among them.
  std::vector<std::uint16_t> bits;
  for (std::uint32_t b = 0; b < 0x10000; ++b) {
    if ((b & 0x7c00U) != 0x7c00U) bits.push_back(static_cast<std::uint16_t>(b));
  }
  const std::size_t cols = 1024, rows = bits.size() / cols;
  REQUIRE(rows * cols == bits.size());
  const PackOptions options{.type = PackedWeights::fp16, .group = 0, .column_importance = {}};
  const auto exact =
      pack_or_fail({.dtype = DType::f16, .data = bits.data(), .rows = rows, .cols = cols}, options);
  std::vector<float> row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    unpack_row(row, exact.view(), r);
    for (std::size_t c = 0; c < cols; ++c) REQUIRE(f32_to_f16(row[c]) == bits[r * cols + c]);
  }
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  const auto w = random_weights(17, 41, random);
  const auto back = unpacked(pack_or_fail(view_of(w, 17, 41), options));
  for (std::size_t i = 0; i < w.size(); ++i)
    REQUIRE(std::abs(back[i] - w[i]) <= std::max(std::abs(w[i]) * 0x1p-11F, 0x1p-25F));
}

TEST_CASE("quantize: fp16 saturates no weight", "[tensor][quantize]") {
  const PackOptions options{.type = PackedWeights::fp16, .group = 0, .column_importance = {}};
  std::vector<float> w = {1.0F, 65504.0F, -65504.0F};
  CHECK(unpacked(pack_or_fail(view_of(w, 1, 3), options)) == w);
  // The first of these would round to 65504, the next ones to infinity; bfloat16 has them all.
  for (const float value : {65505.0F, -65519.0F, 65520.0F, -65536.0F, 1e30F}) {
    w[2] = value;
    const auto packed = pack(view_of(w, 1, 3), options, "layer.w");
    REQUIRE_FALSE(packed.ok());
    CHECK(packed.error().code == ErrorCode::bad_checkpoint);
    for (const char* word : {"\"layer.w\"", "row 0", "column 2", "65504", "fp16"}) {
      INFO(packed.error().detail << " / " << word);
      CHECK(packed.error().detail.find(word) != std::string::npos);
    }
  }
}

TEST_CASE("quantize: the int4 search is never worse than the plain scale", "[tensor][quantize]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  std::vector<float> importance(96);
  for (float& x : importance) x = static_cast<float>(random() % 100) / 10;
  double searched = 0, plain = 0;
  for (int round = 0; round < 200; ++round) {
    const auto w = random_weights(1, 96, random);
    for (const bool weighted : {false, true}) {
      PackOptions options{.type = PackedWeights::int4, .group = 32, .column_importance = {}};
      if (weighted) options.column_importance = importance;
      const auto packed = pack_or_fail(view_of(w, 1, 96), options);
      const auto back = unpacked(packed);
      for (std::size_t g = 0; g < 3; ++g) {
        float max = 0;
        for (std::size_t c = 32 * g; c < 32 * g + 32; ++c) max = std::max(max, std::abs(w[c]));
        const float scale = bf16_to_f32(f32_to_bf16(max / 7));
        double best = 0, naive = 0;
        for (std::size_t c = 32 * g; c < 32 * g + 32; ++c) {
          const double weight = weighted ? importance[c] : 1;
          const float level = scale == 0 ? 0 : std::min(std::max(std::nearbyint(w[c] / scale), -8.0F), 7.0F);
          best += weight * std::pow(double{back[c]} - double{w[c]}, 2);
          naive += weight * std::pow(double{level} * double{scale} - double{w[c]}, 2);
        }
        REQUIRE(best <= naive * 1.0001);
        if (naive > 0) searched += best / naive, plain += 1;
      }
    }
  }
  CHECK(searched < 0.9 * plain);  // and it is worth its while
}

TEST_CASE("quantize: tiny and huge weights", "[tensor][quantize]") {
  for (const float size : {0x1p-149F, 0x1p-133F, 0x1p-126F, 0x1p-40F, 0x1p40F, 0x1.fcp127F}) {
    std::vector<float> w(64);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = (i % 2 == 0 ? 1.0F : -0.5F) * size;
    for (const Options& options : kAll) {
      if (size > weight_type(options.type).max_abs) continue;
      const auto packed = pack_or_fail(
          view_of(w, 1, 64), {.type = options.type, .group = options.group, .column_importance = {}});
      const auto back = unpacked(packed);
      INFO(weight_type(options.type).name << " group " << options.group << " size " << size);
      for (std::size_t i = 0; i < w.size(); ++i) {
        REQUIRE(std::isfinite(back[i]));
        // Numbers below 2^-14 are spaced evenly in fp16.
        const float spacing = options.type == PackedWeights::fp16 ? 0x1p-24F : 0.0F;
        if (size >= 0x1p-100F) REQUIRE(std::abs(back[i] - w[i]) <= std::max(0.08F * size, spacing / 2));
      }
    }
  }
}

TEST_CASE("quantize: the same bytes for any number of threads", "[tensor][quantize]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  const auto w = random_weights(200, 100, random);
  for (const Options& options : kAll) {
    PackOptions pack_options{
        .type = options.type, .group = options.group, .n_threads = 1, .column_importance = {}};
    const auto one = pack_or_fail(view_of(w, 200, 100), pack_options);
    for (const int n : {2, 3, 8, 100}) {
      pack_options.n_threads = n;
      CHECK(same_bytes(one, pack_or_fail(view_of(w, 200, 100), pack_options)));
    }
  }
}

TEST_CASE("quantize: a weight that is not finite is named", "[tensor][quantize]") {
  std::vector<float> w(40 * 50, 1.0F);
  for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::max()}) {
    w[33 * 50 + 49] = w[34 * 50] = value;
    for (const Options& options : kAll) {
      const auto packed = pack(
          view_of(w, 40, 50),
          {.type = options.type, .group = options.group, .n_threads = 2, .column_importance = {}}, "layer.w");
      REQUIRE_FALSE(packed.ok());
      CHECK(packed.error().code == ErrorCode::bad_checkpoint);
      for (const char* word : {"\"layer.w\"", "row 33", "column 49"}) {
        INFO(packed.error().detail << " / " << word);
        CHECK(packed.error().detail.find(word) != std::string::npos);
      }
    }
  }
}

TEST_CASE("quantize: arguments that are refused", "[tensor][quantize]") {
  for (const Options& bad : std::vector<Options>{{PackedWeights::bf16, 64},
                                                 {PackedWeights::fp16, 64},
                                                 {PackedWeights::int4, 0},
                                                 {PackedWeights::int4, 64},
                                                 {PackedWeights::int8, 16},
                                                 {PackedWeights::int8, 96}}) {
    const auto shape = packed_shape(bad.type, bad.group, 1, 1);
    REQUIRE_FALSE(shape.ok());
    CHECK(shape.error().code == ErrorCode::invalid_argument);
  }
  for (const int value : {-1, static_cast<int>(std::size(kWeightTypes)), 1 << 30}) {
    const auto shape = packed_shape(static_cast<PackedWeights>(value), 0, 1, 1);
    REQUIRE_FALSE(shape.ok());
    CHECK(shape.error().detail.find(std::to_string(value)) != std::string::npos);
  }
  constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();
  CHECK_FALSE(packed_shape(PackedWeights::int8, 64, kHuge, 1).ok());
  CHECK_FALSE(packed_shape(PackedWeights::int8, 64, 1, kHuge / 16).ok());
  CHECK(packed_shape(PackedWeights::bf16, 0, std::size_t{1} << 30, std::size_t{1} << 30).ok());
  const std::vector<float> w(8, 1.0F), importance(7, 1.0F);
  CHECK_FALSE(
      pack(view_of(w, 1, 8), {.type = PackedWeights::int4, .group = 32, .column_importance = importance}, "w")
          .ok());
}
