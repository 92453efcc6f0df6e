// SPDX-License-Identifier: Apache-2.0
// Products with packed weights by the matrix instructions of I8MM and BF16: one takes 8 bytes of two rows of
// weights and of two rows of x and adds to 2 x 2 sums, twice the work of a dot product. Two lines of a panel,
// zipped, are such pairs of rows of weights. Included after packed.inl, whose kernels do a single row of x:
// integers are exact, and BFMMLA rounds as two BFDOT do (Arm Architecture Reference Manual, BFMatMulAdd), so
// a row does not depend on whether it has a partner.
namespace {

/// Rows of x come in pairs: with three of them 24 sums, two vectors of weights and three of x fit the
/// registers.
constexpr std::size_t kMatrixPairs = 3;

/// [weight row][row of x] += over 8 bytes of both.
inline int32x4_t mul_add(int32x4_t acc, uint8x16_t w, uint8x16_t x) {
  return vusmmlaq_s32(acc, w, vreinterpretq_s8_u8(x));
}
inline float32x4_t mul_add(float32x4_t acc, uint8x16_t w, uint8x16_t x) {
  return vbfmmlaq_f32(acc, vreinterpretq_bf16_u8(w), vreinterpretq_bf16_u8(x));
}

/// The sums of one row of x, as the other kernels have them.
template <std::size_t kRow>
inline IVec row_of(int32x4_t a, int32x4_t b) {
  return {kRow == 0 ? vuzp1q_s32(a, b) : vuzp2q_s32(a, b)};
}
template <std::size_t kRow>
inline Vec row_of(float32x4_t a, float32x4_t b) {
  return {kRow == 0 ? vuzp1q_f32(a, b) : vuzp2q_f32(a, b)};
}

/// The next 8 bytes of four rows of weights, 4 of each in `first` and in `second`, as two pairs of rows.
struct RowPairs {
  uint8x16_t low, high;
};
inline RowPairs zipped(uint8x16_t first, uint8x16_t second) {
  const uint32x4_t a = vreinterpretq_u32_u8(first), b = vreinterpretq_u32_u8(second);
  return {vreinterpretq_u8_u32(vzip1q_u32(a, b)), vreinterpretq_u8_u32(vzip2q_u32(a, b))};
}

/// Two lines of bytes, or of bfloat16.
struct TwoLines {
  static constexpr std::size_t kStepBytes = 2 * kLineBytes;
  static RowPairs load(const std::uint8_t* p) { return zipped(vld1q_u8(p), vld1q_u8(p + kLineBytes)); }
};
/// The two halves of one line of nibbles.
struct OneNibbleLine {
  static constexpr std::size_t kStepBytes = kLineBytes;
  static RowPairs load(const std::uint8_t* p) {
    const Bytes bytes = Bytes::load(p);
    return zipped(low_nibbles(bytes).v, high_nibbles(bytes).v);
  }
};

/// Sums of a panel: acc[i][2 v], acc[i][2 v + 1] are those of the i-th pair of rows of x with the v-th vector
/// of weight rows.
template <class Sum, std::size_t kPairs>
using PanelSums = Sum[kPairs][2 * kVecsPerPanel];

/// acc += n_bytes of 2 kPairs rows of x. Moves `line` on.
template <class Step, class Sum, std::size_t kPairs>
inline void multiply(PanelSums<Sum, kPairs>& acc, const std::uint8_t*& line, const std::uint8_t* x,
                     std::size_t x_stride, std::size_t n_bytes) {
  for (std::size_t i = 0; i < n_bytes; i += 8, line += Step::kStepBytes) {
    uint8x16_t xs[kPairs];
    for (std::size_t p = 0; p < kPairs; ++p) {
      const std::uint8_t* row = x + 2 * p * x_stride + i;
      xs[p] = vcombine_u8(vld1_u8(row), vld1_u8(row + x_stride));
    }
    for (std::size_t v = 0; v < kVecsPerPanel; ++v) {
      const RowPairs w = Step::load(line + v * 16);
      for (std::size_t p = 0; p < kPairs; ++p) {
        acc[p][2 * v] = mul_add(acc[p][2 * v], w.low, xs[p]);
        acc[p][2 * v + 1] = mul_add(acc[p][2 * v + 1], w.high, xs[p]);
      }
    }
  }
}

/// quantised_tile of packed.inl for kPairs pairs of rows.
template <class Type, std::size_t kPairs>
void quantised_pairs(const PackedArgs& a, std::size_t row, std::size_t panel) {
  using Step = std::conditional_t<Type::kLineCols == 4, TwoLines, OneNibbleLine>;
  const std::size_t n_groups = a.k / a.group;
  const auto* line = static_cast<const std::uint8_t*>(a.w) + panel * a.panel_bytes;
  const auto* x = static_cast<const std::uint8_t*>(a.x) + row * a.ldx;
  const std::uint16_t* w_scales = a.w_scales + panel * n_groups * kPanelRows;
  Vec sums[2 * kPairs][kVecsPerPanel];
  for (auto& of_row : sums)
    for (Vec& sum : of_row) sum = Vec::zero();
  for (std::size_t g = 0; g < n_groups; ++g, x += a.group, w_scales += kPanelRows) {
    PanelSums<int32x4_t, kPairs> acc;
    for (std::size_t p = 0; p < kPairs; ++p) {
      const std::int32_t* starts = a.x_starts + (row + 2 * p) * n_groups + g;
      const int32x4_t start = vzip1q_s32(vdupq_n_s32(starts[0]), vdupq_n_s32(starts[n_groups]));
      for (int32x4_t& sum : acc[p]) sum = start;
    }
    multiply<Step>(acc, line, x, a.ldx, a.group);
    for (std::size_t v = 0; v < kVecsPerPanel; ++v) {
      const Vec w_scale = Vec::load_bf16(w_scales + v * kLanes);
      for (std::size_t p = 0; p < kPairs; ++p) {
        const float* x_scales = a.x_scales + (row + 2 * p) * n_groups + g;
        const int32x4_t low = acc[p][2 * v], high = acc[p][2 * v + 1];
        const Vec first = mul(w_scale, Vec::broadcast(x_scales[0]));
        const Vec second = mul(w_scale, Vec::broadcast(x_scales[n_groups]));
        sums[2 * p][v] = fma(to_float(row_of<0>(low, high)), first, sums[2 * p][v]);
        sums[2 * p + 1][v] = fma(to_float(row_of<1>(low, high)), second, sums[2 * p + 1][v]);
      }
    }
  }
  for (std::size_t r = 0; r < 2 * kPairs; ++r) store_row<1>(a, row + r, panel, sums[r]);
}

/// bf16_tile of packed.inl for kPairs pairs of rows.
template <std::size_t kPairs>
void bf16_pairs(const PackedArgs& a, std::size_t row, std::size_t panel) {
  const auto* line = static_cast<const std::uint8_t*>(a.w) + panel * a.panel_bytes;
  const auto* x = static_cast<const std::uint8_t*>(a.x) + row * a.ldx * 2;
  PanelSums<float32x4_t, kPairs> acc;
  for (auto& of_pair : acc)
    for (float32x4_t& sum : of_pair) sum = vdupq_n_f32(0.0F);
  multiply<TwoLines>(acc, line, x, a.ldx * 2, a.k * 2);
  for (std::size_t p = 0; p < kPairs; ++p) {
    Vec first[kVecsPerPanel], second[kVecsPerPanel];
    for (std::size_t v = 0; v < kVecsPerPanel; ++v) {
      first[v] = row_of<0>(acc[p][2 * v], acc[p][2 * v + 1]);
      second[v] = row_of<1>(acc[p][2 * v], acc[p][2 * v + 1]);
    }
    store_row<1>(a, row + 2 * p, panel, first);
    store_row<1>(a, row + 2 * p + 1, panel, second);
  }
}

template <class Type>
struct QuantisedPairs {
  using Single = QuantisedTile<Type>;
  template <std::size_t kPairs>
  static void run(const PackedArgs& a, std::size_t row, std::size_t panel) {
    quantised_pairs<Type, kPairs>(a, row, panel);
  }
};
struct Bf16Pairs {
  using Single = Bf16Tile;
  template <std::size_t kPairs>
  static void run(const PackedArgs& a, std::size_t row, std::size_t panel) {
    bf16_pairs<kPairs>(a, row, panel);
  }
};

template <class Pairs>
void matrix_product(const PackedArgs& a) noexcept {
  const std::size_t n_panels = (a.n + kPanelRows - 1) / kPanelRows;
  for (std::size_t panel = 0; panel < n_panels; ++panel) {
    std::size_t row = 0;
    for (; row + 2 * kMatrixPairs <= a.m; row += 2 * kMatrixPairs)
      Pairs::template run<kMatrixPairs>(a, row, panel);
    for (; row + 2 <= a.m; row += 2) Pairs::template run<1>(a, row, panel);
    if (row < a.m) Pairs::Single::template run<1, 1>(a, row, panel);
  }
}

}  // namespace
