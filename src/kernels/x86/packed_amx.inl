// SPDX-License-Identifier: Apache-2.0
// Products with packed weights on the tile registers of AMX. A tile is 16 rows of 64 bytes, and 16 packed
// lines are one: weights are loaded as they are stored. Few rows go through the vector kernels of packed.inl;
// q8 and q4 round in the same way in both. Tile registers hold nothing between calls: each call configures
// and releases them. Source: Intel SDM volume 1, chapter 18. Tile numbers are digits because some compilers
// paste them into assembly.
namespace {

constexpr std::size_t kTileSide = 16;
/// Fewer rows are faster with vectors. Measured on weights from memory, 3072 x 1024; where the two meet:
/// int8 at 4 rows, bf16 at 2 (of which attention has many, on few columns), int4 at 32 for the whole product,
/// and a remainder of int4 never, because its weights have to be unpacked for it.
constexpr std::size_t kMinRowsQ8 = 5, kMinRowsBf16 = 3, kMinProductRowsQ4 = 40;

struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t n_rows[16] = {};
};

/// What was stored at p is in memory from here on.
inline void keep_stores(const void* p) {
#ifdef _MSC_VER
  (void)p;
  _ReadWriteBarrier();
#else
  __asm__ volatile("" : : "r"(p) : "memory");
#endif
}

/// Tiles 0-3: sums [x_rows, 16]; 4-5: x, x_rows rows of step_bytes; 6-7: weights, step_bytes / 4 lines.
inline void configure_tiles(std::size_t x_rows, std::size_t step_bytes) {
  TileConfig config;
  for (std::size_t t = 0; t < 8; ++t) {
    const bool is_x = t == 4 || t == 5, is_w = t >= 6;
    config.row_bytes[t] = static_cast<std::uint16_t>(is_x ? step_bytes : kLineBytes);
    config.n_rows[t] = static_cast<std::uint8_t>(is_w ? step_bytes / 4 : x_rows);
  }
  // GCC before 13 takes the instruction for one that reads 8 bytes, and would drop the stores to the others.
  keep_stores(&config);
  _tile_loadconfig(&config);
}

/// Where the lines of one panel are (unpacked to bytes), and its scales.
struct AmxPanel {
  const std::uint8_t* lines;
  const std::uint16_t* scales;  // [n_groups, 16]
};

/// Groups whose integer sums are kept before they are scaled and added up: 16 KiB for two panels.
constexpr std::size_t kGroupsAtOnce = 8;
constexpr std::size_t kTileInts = kTileSide * kTileSide;

/// One step of a group: x (tile 4 or 5) times the weights of two panels (tiles 6 and 7).
#define Q3G_AMX_STEP(x_tile, sum0, sum1, column)                         \
  do {                                                                   \
    _tile_loadd(x_tile, x + (column), a.ldx);                            \
    _tile_loadd(6, panels[0].lines + (column)*kPanelRows, kLineBytes);   \
    _tile_dpbsud(sum0, x_tile, 6);                                       \
    if constexpr (kPanels == 2) {                                        \
      _tile_loadd(7, panels[1].lines + (column)*kPanelRows, kLineBytes); \
      _tile_dpbsud(sum1, x_tile, 7);                                     \
    }                                                                    \
  } while (false)

/// Integer sums of n_groups groups from `begin` on: sums[panel][group] is a tile [16 rows, 16 outputs]. x is
/// loaded once for two panels, because its way from the second-level cache is what limits the products.
template <std::size_t kStepBytes, std::size_t kPanels>
void amx_integer_sums(std::int32_t (&sums)[kPanels][kGroupsAtOnce][kTileInts], const PackedArgs& a,
                      const std::int8_t* x, const AmxPanel* panels, std::size_t begin, std::size_t n_groups) {
  std::size_t g = 0;
  for (; g + 2 <= n_groups; g += 2) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const std::size_t first = (begin + g) * a.group;
    for (std::size_t i = first; i < first + a.group; i += kStepBytes) {
      Q3G_AMX_STEP(4, 0, 1, i);
      Q3G_AMX_STEP(5, 2, 3, i + a.group);
    }
    _tile_stored(0, sums[0][g], kLineBytes);
    _tile_stored(2, sums[0][g + 1], kLineBytes);
    if constexpr (kPanels == 2) {
      _tile_stored(1, sums[1][g], kLineBytes);
      _tile_stored(3, sums[1][g + 1], kLineBytes);
    }
  }
  if (g < n_groups) {
    _tile_zero(0);
    _tile_zero(1);
    const std::size_t first = (begin + g) * a.group;
    for (std::size_t i = first; i < first + a.group; i += kStepBytes) Q3G_AMX_STEP(4, 0, 1, i);
    _tile_stored(0, sums[0][g], kLineBytes);
    if constexpr (kPanels == 2) _tile_stored(1, sums[1][g], kLineBytes);
  }
}
#undef Q3G_AMX_STEP

/// In full, so that an array of registers stays in registers. Clang does that by itself.
#if defined(__GNUC__) && !defined(__clang__)
#define Q3G_UNROLL _Pragma("GCC unroll 16")
#else
#define Q3G_UNROLL
#endif

/// out[r] += the scaled sums of n_groups groups from `begin` on, in their order, of one panel.
template <bool kAllRows>
void amx_add_groups(float* out, const std::int32_t (&sums)[kGroupsAtOnce][kTileInts], const PackedArgs& a,
                    std::size_t row, std::size_t n_rows_used, const AmxPanel& panel, std::size_t begin,
                    std::size_t n_groups) {
  const std::size_t n_rows = kAllRows ? kTileSide : n_rows_used, stride = a.k / a.group;
  const std::int32_t* starts = a.x_starts + row * stride + begin;
  const float* scales = a.x_scales + row * stride + begin;
  __m512 totals[kTileSide];
  Q3G_UNROLL
  for (std::size_t r = 0; r < n_rows; ++r) totals[r] = _mm512_load_ps(out + r * kTileSide);
  for (std::size_t g = 0; g < n_groups; ++g) {
    const __m512 w_scale = Vec::load_bf16(panel.scales + (begin + g) * kPanelRows).v;
    Q3G_UNROLL
    for (std::size_t r = 0; r < n_rows; ++r) {
      const __m512i start = _mm512_set1_epi32(starts[r * stride + g]);
      const __m512i sum = _mm512_add_epi32(_mm512_load_si512(sums[g] + r * kTileSide), start);
      const __m512 scale = _mm512_mul_ps(w_scale, _mm512_set1_ps(scales[r * stride + g]));
      totals[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, totals[r]);
    }
  }
  Q3G_UNROLL
  for (std::size_t r = 0; r < n_rows; ++r) _mm512_store_ps(out + r * kTileSide, totals[r]);
}

/// n_rows <= 16 rows of x with one or two panels.
template <std::size_t kStepBytes, std::size_t kPanels>
void amx_quantised_rows(const PackedArgs& a, std::size_t panel_index, std::size_t row, std::size_t n_rows,
                        const AmxPanel* panels) {
  alignas(64) std::int32_t sums[kPanels][kGroupsAtOnce][kTileInts];
  alignas(64) float out[kPanels][kTileInts] = {};
  const std::size_t n_groups = a.k / a.group;
  const std::int8_t* x = static_cast<const std::int8_t*>(a.x) + row * a.ldx;
  for (std::size_t begin = 0; begin < n_groups; begin += kGroupsAtOnce) {
    const std::size_t n = n_groups - begin < kGroupsAtOnce ? n_groups - begin : kGroupsAtOnce;
    amx_integer_sums<kStepBytes, kPanels>(sums, a, x, panels, begin, n);
    for (std::size_t p = 0; p < kPanels; ++p) {
      if (n_rows == kTileSide) {
        amx_add_groups<true>(out[p], sums[p], a, row, n_rows, panels[p], begin, n);
      } else {
        amx_add_groups<false>(out[p], sums[p], a, row, n_rows, panels[p], begin, n);
      }
    }
  }
  for (std::size_t r = 0; r < n_rows; ++r) {
    Vec row_out[kPanels];
    for (std::size_t p = 0; p < kPanels; ++p) row_out[p] = Vec::load(out[p] + r * kTileSide);
    store_row<kPanels>(a, row + r, panel_index, row_out);
  }
}

template <std::size_t kStepBytes>
void amx_q8(const PackedArgs& a, std::size_t first_row, std::size_t n_rows) {
  const std::size_t n_panels = (a.n + kPanelRows - 1) / kPanelRows, n_groups = a.k / a.group;
  const std::size_t side = n_rows < kTileSide ? n_rows : kTileSide;
  const auto panel_at = [&](std::size_t p) {
    return AmxPanel{static_cast<const std::uint8_t*>(a.w) + p * a.panel_bytes,
                    a.w_scales + p * n_groups * kPanelRows};
  };
  configure_tiles(side, kStepBytes);
  std::size_t p = 0;
  for (; p + 2 <= n_panels; p += 2) {
    const AmxPanel panels[] = {panel_at(p), panel_at(p + 1)};
    for (std::size_t r = 0; r < n_rows; r += side)
      amx_quantised_rows<kStepBytes, 2>(a, p, first_row + r, side, panels);
  }
  if (p < n_panels) {
    const AmxPanel panel = panel_at(p);
    for (std::size_t r = 0; r < n_rows; r += side)
      amx_quantised_rows<kStepBytes, 1>(a, p, first_row + r, side, &panel);
  }
  _tile_release();
}

/// Four-bit lines of one panel as byte lines.
inline void unpack_q4(std::uint8_t* lines, const std::uint8_t* packed, std::size_t n_lines) {
  for (std::size_t i = 0; i < n_lines; ++i) {
    const Bytes bytes = Bytes::load(packed + i * kLineBytes);
    _mm512_store_si512(lines + 2 * i * kLineBytes, low_nibbles(bytes).v);
    _mm512_store_si512(lines + (2 * i + 1) * kLineBytes, high_nibbles(bytes).v);
  }
  keep_stores(lines);  // the intrinsics for tile loads do not say that they read memory
}

/// Whole tiles of rows, then one smaller tile, or vectors when it would have fewer than min_rows.
template <class Run, class Rest>
void in_tiles(const PackedArgs& a, std::size_t min_rows, const Run& run, const Rest& rest) {
  const std::size_t whole = a.m / kTileSide * kTileSide, left = a.m - whole;
  if (whole > 0) run(std::size_t{0}, whole);
  if (left >= min_rows) {
    run(whole, left);
  } else if (left > 0) {
    rest(whole);
  }
}

void gemm_q8_amx(const PackedArgs& a) noexcept {
  in_tiles(
      a, kMinRowsQ8,
      [&](std::size_t row, std::size_t n) {
        if (a.group % 64 == 0) {
          amx_q8<64>(a, row, n);
        } else {
          amx_q8<32>(a, row, n);
        }
      },
      [&](std::size_t row) { packed_product_from<QuantisedTile<Q8>>(a, row); });
}

/// Panels are unpacked one after the other into a buffer on the stack. A matrix of more columns goes by
/// vectors.
void gemm_q4_amx(const PackedArgs& a) noexcept {
  constexpr std::size_t kMaxCols = 4096;
  if (a.m < kMinProductRowsQ4 || a.k > kMaxCols) return packed_product<QuantisedTile<Q4>>(a);
  in_tiles(
      a, kTileSide,
      [&](std::size_t first_row, std::size_t n_rows) {
        alignas(64) std::uint8_t lines[kMaxCols * kPanelRows];
        const std::size_t n_panels = (a.n + kPanelRows - 1) / kPanelRows, n_groups = a.k / a.group;
        const std::size_t side = n_rows < kTileSide ? n_rows : kTileSide;
        configure_tiles(side, 32);
        for (std::size_t p = 0; p < n_panels; ++p) {
          unpack_q4(lines, static_cast<const std::uint8_t*>(a.w) + p * a.panel_bytes, a.k / Q4::kLineCols);
          const AmxPanel panel{lines, a.w_scales + p * n_groups * kPanelRows};
          for (std::size_t r = 0; r < n_rows; r += side)
            amx_quantised_rows<32, 1>(a, p, first_row + r, side, &panel);
        }
        _tile_release();
      },
      [&](std::size_t row) { packed_product_from<QuantisedTile<Q4>>(a, row); });
}

/// kRowTiles x kPanels tiles of sums; rows of x in steps of 32 bfloat16.
template <std::size_t kRowTiles, std::size_t kPanels>
void amx_bf16_tile(const PackedArgs& a, std::size_t row, std::size_t panel, std::size_t side) {
  const auto* w0 = static_cast<const std::uint8_t*>(a.w) + panel * a.panel_bytes;
  const auto* w1 = w0 + a.panel_bytes;
  const std::uint16_t* x0 = static_cast<const std::uint16_t*>(a.x) + row * a.ldx;
  const std::uint16_t* x1 = x0 + kTileSide * a.ldx;
  const std::size_t x_stride = a.ldx * 2;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::size_t i = 0; i < a.k; i += 32) {
    _tile_loadd(4, x0 + i, x_stride);
    _tile_loadd(6, w0 + i * kPanelRows * 2, kLineBytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kPanels == 2) {
      _tile_loadd(7, w1 + i * kPanelRows * 2, kLineBytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (kRowTiles == 2) {
      _tile_loadd(5, x1 + i, x_stride);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (kPanels == 2) _tile_dpbf16ps(3, 5, 7);
    }
  }
  alignas(64) float buffer[4][kTileSide * kTileSide];
  _tile_stored(0, buffer[0], kLineBytes);
  if constexpr (kPanels == 2) _tile_stored(1, buffer[1], kLineBytes);
  if constexpr (kRowTiles == 2) {
    _tile_stored(2, buffer[2], kLineBytes);
    if constexpr (kPanels == 2) _tile_stored(3, buffer[3], kLineBytes);
  }
  for (std::size_t t = 0; t < kRowTiles; ++t) {
    for (std::size_t r = 0; r < side; ++r) {
      Vec out[kPanels];
      for (std::size_t p = 0; p < kPanels; ++p) out[p] = Vec::load(buffer[2 * t + p] + r * kTileSide);
      store_row<kPanels>(a, row + t * kTileSide + r, panel, out);
    }
  }
}

template <std::size_t kPanels>
void amx_bf16_rows(const PackedArgs& a, std::size_t panel, std::size_t first_row, std::size_t n_rows,
                   std::size_t side) {
  std::size_t r = 0;
  for (; r + 2 * kTileSide <= n_rows; r += 2 * kTileSide)
    amx_bf16_tile<2, kPanels>(a, first_row + r, panel, side);
  if (r < n_rows) amx_bf16_tile<1, kPanels>(a, first_row + r, panel, side);
}

void gemm_bf16_amx(const PackedArgs& a) noexcept {
  in_tiles(
      a, kMinRowsBf16,
      [&](std::size_t first_row, std::size_t n_rows) {
        const std::size_t n_panels = (a.n + kPanelRows - 1) / kPanelRows;
        const std::size_t side = n_rows < kTileSide ? n_rows : kTileSide;
        configure_tiles(side, kLineBytes);
        std::size_t p = 0;
        for (; p + 2 <= n_panels; p += 2) amx_bf16_rows<2>(a, p, first_row, n_rows, side);
        if (p < n_panels) amx_bf16_rows<1>(a, p, first_row, n_rows, side);
        _tile_release();
      },
      [&](std::size_t row) { packed_product_from<Bf16Tile>(a, row); });
}

}  // namespace
