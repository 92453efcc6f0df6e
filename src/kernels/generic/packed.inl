// SPDX-License-Identifier: Apache-2.0
// Products with packed weights (packed_args.hpp), once, over the types of an instruction set's idot_*.hpp:
//   IVec      kLanes int32: broadcast
//   Bytes     4 kLanes bytes: load, low_nibbles, high_nibbles
//   Weights   weights in the form dot() wants: prepare(Bytes)
//   Quad      4 activations, for every lane: load
//   dot(IVec acc, Weights w, Quad x): acc[i] += sum over j < 4 of w[i][j] * x[j], w unsigned, x signed
//   to_float(IVec); store_i8(p, Vec of integers)
//   Lines     2 kLanes bfloat16 weights: load;  Pair: 2 bfloat16 activations, for every lane: load
//   dot_pairs(Vec acc, Lines w, Pair x): acc[i] += w[i][0] * x[0] + w[i][1] * x[1]
//   store_bf16(p, Vec), store_f16(p, Vec): rounded to nearest even
//   kTile, kBf16Tile, kF16Tile: the register tiles of products (TileShape below)
//   kSignedBytes: prepare(Bytes) takes the offset of q8 off, and w in dot() is signed
// Included after kernels.inl, inside no namespace.
namespace {

using qwen3guard::detail::kPanelRows;
using qwen3guard::detail::PackedArgs;

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kVecsPerPanel = kPanelRows / kLanes;

/// Writes the kPanels panels' columns of one row of y, cut at args.n.
template <std::size_t kPanels>
void store_row(const PackedArgs& a, std::size_t row, std::size_t panel, const Vec* sums) {
  float* y = a.y + row * a.ldy + panel * kPanelRows;
  const std::size_t n_left = a.n - panel * kPanelRows;
  for (std::size_t v = 0; v < kPanels * kVecsPerPanel; ++v) {
    const std::size_t begin = v * kLanes;
    if (begin + kLanes <= n_left) {
      const Vec out = a.accumulate ? add(Vec::load(y + begin), sums[v]) : sums[v];
      out.store(y + begin);
    } else if (begin < n_left) {
      Vec out = sums[v];
      if (a.accumulate) out = add(load_tail<F32>(y + begin, n_left - begin), out);
      store_tail(out, y + begin, n_left - begin);
    }
  }
}

/// One line of a panel holds 4 (q8) or 8 (q4) columns.
struct Q8 {
  static constexpr std::size_t kLineCols = 4;
  static constexpr bool kHasOffset = !kSignedBytes;
};
struct Q4 {
  static constexpr std::size_t kLineCols = 8;
  static constexpr bool kHasOffset = true;
};

/// acc += one line of every panel times kRows rows of x.
template <class Type, std::size_t kRows, std::size_t kPanels>
inline void dot_line(IVec (&acc)[kRows][kPanels * kVecsPerPanel], const std::uint8_t* line,
                     std::size_t panel_bytes, const std::int8_t* x, std::size_t ldx) {
  constexpr std::size_t kVecs = kPanels * kVecsPerPanel;
  Bytes bytes[kVecs];
  for (std::size_t v = 0; v < kVecs; ++v) {
    const std::size_t offset = v % kVecsPerPanel * kLanes * 4;
    bytes[v] = Bytes::load(line + v / kVecsPerPanel * panel_bytes + offset);
  }
  if constexpr (Type::kLineCols == 4) {
    Weights w[kVecs];
    for (std::size_t v = 0; v < kVecs; ++v) w[v] = prepare(bytes[v]);
    for (std::size_t r = 0; r < kRows; ++r) {
      const Quad quad = Quad::load(x + r * ldx);
      for (std::size_t v = 0; v < kVecs; ++v) acc[r][v] = dot(acc[r][v], w[v], quad);
    }
  } else {
    Weights low[kVecs], high[kVecs];
    for (std::size_t v = 0; v < kVecs; ++v) {
      low[v] = prepare(low_nibbles(bytes[v]));
      high[v] = prepare(high_nibbles(bytes[v]));
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const Quad first = Quad::load(x + r * ldx), second = Quad::load(x + r * ldx + 4);
      for (std::size_t v = 0; v < kVecs; ++v) acc[r][v] = dot(dot(acc[r][v], low[v], first), high[v], second);
    }
  }
}

/// A tile of the product: kRows rows of x with kPanels panels. Integer sums per group start at minus the
/// weights' offset times the sum of x, which takes the offset out again; they are exact, so only the order of
/// the groups rounds, and that is the same in every kernel: results do not depend on the tile.
template <class Type, std::size_t kRows, std::size_t kPanels>
void quantised_tile(const PackedArgs& a, std::size_t row, std::size_t panel) {
  constexpr std::size_t kVecs = kPanels * kVecsPerPanel;
  const std::size_t n_groups = a.k / a.group;
  const auto* line = static_cast<const std::uint8_t*>(a.w) + panel * a.panel_bytes;
  const std::int8_t* x = static_cast<const std::int8_t*>(a.x) + row * a.ldx;
  const std::uint16_t* scales = a.w_scales + panel * n_groups * kPanelRows;
  Vec sums[kRows][kVecs];
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t v = 0; v < kVecs; ++v) sums[r][v] = Vec::zero();
  for (std::size_t g = 0; g < n_groups; ++g) {
    IVec acc[kRows][kVecs];
    for (std::size_t r = 0; r < kRows; ++r) {
      const IVec start = IVec::broadcast(Type::kHasOffset ? a.x_starts[(row + r) * n_groups + g] : 0);
      for (std::size_t v = 0; v < kVecs; ++v) acc[r][v] = start;
    }
    const std::int8_t* group_end = x + a.group;
    for (; x < group_end; x += Type::kLineCols, line += kLineBytes)
      dot_line<Type, kRows, kPanels>(acc, line, a.panel_bytes, x, a.ldx);
    Vec w_scale[kVecs];
    for (std::size_t v = 0; v < kVecs; ++v) {
      const std::size_t p = v / kVecsPerPanel;
      w_scale[v] = Vec::load_bf16(scales + (p * n_groups + g) * kPanelRows + v % kVecsPerPanel * kLanes);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vec x_scale = Vec::broadcast(a.x_scales[(row + r) * n_groups + g]);
      for (std::size_t v = 0; v < kVecs; ++v)
        sums[r][v] = fma(to_float(acc[r][v]), mul(w_scale[v], x_scale), sums[r][v]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) store_row<kPanels>(a, row + r, panel, sums[r]);
}

template <std::size_t kRows, std::size_t kPanels>
void bf16_tile(const PackedArgs& a, std::size_t row, std::size_t panel) {
  constexpr std::size_t kVecs = kPanels * kVecsPerPanel;
  const auto* line = static_cast<const std::uint16_t*>(a.w) + panel * (a.panel_bytes / 2);
  const std::uint16_t* x = static_cast<const std::uint16_t*>(a.x) + row * a.ldx;
  Vec sums[kRows][kVecs];
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t v = 0; v < kVecs; ++v) sums[r][v] = Vec::zero();
  for (std::size_t i = 0; i < a.k; i += 2, line += kLineBytes / 2) {
    Lines lines[kVecs];
    for (std::size_t v = 0; v < kVecs; ++v) {
      lines[v] = Lines::load(line + v / kVecsPerPanel * (a.panel_bytes / 2) + v % kVecsPerPanel * kLanes * 2);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const Pair pair = Pair::load(x + r * a.ldx + i);
      for (std::size_t v = 0; v < kVecs; ++v) sums[r][v] = dot_pairs(sums[r][v], lines[v], pair);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) store_row<kPanels>(a, row + r, panel, sums[r]);
}

/// Asks for memory that is read soon. Nothing is read, so it may be anywhere.
inline void prefetch(const void* p) {
#ifdef __GNUC__
  __builtin_prefetch(p);
#else
  (void)p;
#endif
}

/// Weights are widened to float32, so that products and sums are those of float32. A sum has one accumulator,
/// and takes the columns in order: results do not depend on the tile.
template <std::size_t kRows, std::size_t kPanels>
void f16_tile(const PackedArgs& a, std::size_t row, std::size_t panel) {
  constexpr std::size_t kVecs = kPanels * kVecsPerPanel;
  // A single row waits for memory, and its many instructions let the CPU look less far ahead than two short
  // ones of bfloat16 would: measured on Zen 5, where 16 and 64 lines are worse.
  constexpr std::size_t kLinesAhead = 32;
  const auto* line = static_cast<const std::uint16_t*>(a.w) + panel * (a.panel_bytes / 2);
  const float* x = static_cast<const float*>(a.x) + row * a.ldx;
  Vec sums[kRows][kVecs];
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t v = 0; v < kVecs; ++v) sums[r][v] = Vec::zero();
  for (std::size_t i = 0; i < a.k; i += 2, line += kLineBytes / 2) {
    if constexpr (kRows == 1) {
      for (std::size_t p = 0; p < kPanels; ++p)
        prefetch(line + p * (a.panel_bytes / 2) + kLinesAhead * (kLineBytes / 2));
    }
    for (std::size_t j = 0; j < 2; ++j) {
      const std::uint16_t* column = line + j * kPanelRows;
      Vec w[kVecs];
      for (std::size_t v = 0; v < kVecs; ++v)
        w[v] = Vec::load_f16(column + v / kVecsPerPanel * (a.panel_bytes / 2) + v % kVecsPerPanel * kLanes);
      for (std::size_t r = 0; r < kRows; ++r) {
        const Vec broadcast = Vec::broadcast(x[r * a.ldx + i + j]);
        for (std::size_t v = 0; v < kVecs; ++v) sums[r][v] = fma(w[v], broadcast, sums[r][v]);
      }
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) store_row<kPanels>(a, row + r, panel, sums[r]);
}

/// How a product is cut into register tiles, and what computes one.
template <class Type>
struct QuantisedTile {
  static constexpr TileShape kShape = kTile;
  template <std::size_t kRows, std::size_t kPanels>
  static void run(const PackedArgs& a, std::size_t row, std::size_t panel) {
    quantised_tile<Type, kRows, kPanels>(a, row, panel);
  }
};
struct Bf16Tile {
  static constexpr TileShape kShape = kBf16Tile;
  template <std::size_t kRows, std::size_t kPanels>
  static void run(const PackedArgs& a, std::size_t row, std::size_t panel) {
    bf16_tile<kRows, kPanels>(a, row, panel);
  }
};
struct F16Tile {
  static constexpr TileShape kShape = kF16Tile;
  template <std::size_t kRows, std::size_t kPanels>
  static void run(const PackedArgs& a, std::size_t row, std::size_t panel) {
    f16_tile<kRows, kPanels>(a, row, panel);
  }
};

/// The last n_rows < kRows + 1 rows.
template <class Tile, std::size_t kRows, std::size_t kPanels>
void last_rows(const PackedArgs& a, std::size_t row, std::size_t panel, std::size_t n_rows) {
  if constexpr (kRows > 0) {
    if (n_rows == kRows) {
      Tile::template run<kRows, kPanels>(a, row, panel);
    } else {
      last_rows<Tile, kRows - 1, kPanels>(a, row, panel, n_rows);
    }
  }
}

template <class Tile, std::size_t kPanels>
void all_rows(const PackedArgs& a, std::size_t first_row, std::size_t panel) {
  constexpr std::size_t kRows = Tile::kShape.rows;
  std::size_t row = first_row;
  for (; row + kRows <= a.m; row += kRows) Tile::template run<kRows, kPanels>(a, row, panel);
  last_rows<Tile, kRows - 1, kPanels>(a, row, panel, a.m - row);
}

/// Rows [first_row, m): the weights of a tile's panels stay in the first-level cache while the rows pass.
template <class Tile>
void packed_product_from(const PackedArgs& a, std::size_t first_row) {
  constexpr TileShape kShape = Tile::kShape;
  const std::size_t n_panels = (a.n + kPanelRows - 1) / kPanelRows;
  std::size_t panel = 0;
  // One or two rows are bound by the weights' way from memory: more panels at a time keep more loads under
  // way.
  if (first_row + 1 == a.m) {
    for (; panel + kShape.row_panels <= n_panels; panel += kShape.row_panels)
      Tile::template run<1, kShape.row_panels>(a, first_row, panel);
  } else if (kShape.pair_panels > kShape.panels && first_row + 2 == a.m) {
    for (; panel + kShape.pair_panels <= n_panels; panel += kShape.pair_panels)
      Tile::template run<2, kShape.pair_panels>(a, first_row, panel);
  }
  for (; panel + kShape.panels <= n_panels; panel += kShape.panels)
    all_rows<Tile, kShape.panels>(a, first_row, panel);
  for (; panel < n_panels; ++panel) all_rows<Tile, 1>(a, first_row, panel);
}

template <class Tile>
void packed_product(const PackedArgs& a) noexcept {
  packed_product_from<Tile>(a, 0);
}

/// Oracle: tests/unit/kernels/packed_test.cpp. One group: scale = max|x| / 127, q = round(x / scale).
void quantise_q8(std::int8_t* q, float* scales, std::int32_t* starts, const float* x, std::size_t n,
                 std::size_t group, std::int32_t offset) noexcept {
  for (std::size_t begin = 0; begin < n; begin += group, ++scales, ++starts) {
    const Vec zero = Vec::zero();
    Vec peak = zero, poison = zero;
    for (std::size_t i = begin; i < begin + group; i += kLanes) {
      const Vec v = Vec::load(x + i);
      peak = max(peak, max(v, sub(zero, v)));
      poison = fma(v, zero, poison);  // NaN when a value is not finite: max() may lose it
    }
    const float scale = peak.max_lane() * (1.0F / 127.0F) + poison.sum();
    const Vec inverse = Vec::broadcast(scale > 0 ? 1.0F / scale : 0.0F);
    const Vec low = Vec::broadcast(-127.0F), high = Vec::broadcast(127.0F);
    Vec sum = zero;
    for (std::size_t i = begin; i < begin + group; i += kLanes) {
      const Vec v = max(min(round(mul(Vec::load(x + i), inverse)), high), low);
      store_i8(q + i, v);
      sum = add(sum, v);  // integers below 2^24: exact
    }
    *scales = scale;
    *starts = -offset * static_cast<std::int32_t>(sum.sum());
  }
}

/// y[i] = x[i] rounded to 16 bits, kLanes at a time, by `store`.
template <void (*store)(std::uint16_t*, Vec)>
void round_to(std::uint16_t* y, const float* x, std::size_t n) noexcept {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, Vec::load(x + i));
  if (i < n) {
    std::uint16_t padded[kLanes];
    store(padded, load_tail<F32>(x + i, n - i));
    memcpy(y + i, padded, (n - i) * sizeof(std::uint16_t));
  }
}

/// Turns x [2 half] by a table of `half` cosines and sines. Oracle: rope in forward.
void rotate(float* x, const float* table, std::size_t half) noexcept {
  for (std::size_t i = 0; i < half; i += kLanes) {
    const bool whole = i + kLanes <= half;
    const std::size_t n = whole ? kLanes : half - i;
    const auto get = [&](const float* p) { return whole ? Vec::load(p) : load_tail<F32>(p, n); };
    const Vec a = get(x + i), b = get(x + half + i), c = get(table + i), s = get(table + half + i);
    const Vec first = sub(mul(a, c), mul(b, s)), second = add(mul(b, c), mul(a, s));
    if (whole) {
      first.store(x + i);
      second.store(x + half + i);
    } else {
      store_tail(first, x + i, n);
      store_tail(second, x + half + i, n);
    }
  }
}

}  // namespace
