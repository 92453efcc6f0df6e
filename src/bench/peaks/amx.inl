// SPDX-License-Identifier: Apache-2.0
// The most that the tile unit can do, as generic.inl: four independent sums keep it busy. Included after
// packed_amx.inl. Tile numbers are digits because some compilers paste them into assembly.
namespace {

/// Fills the six operand tiles with `fill` bytes and the sums with zeros.
inline void fill_tiles(const void* fill) {
  configure_tiles(kTileSide, kLineBytes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, fill, kLineBytes);
  _tile_loadd(5, fill, kLineBytes);
  _tile_loadd(6, fill, kLineBytes);
  _tile_loadd(7, fill, kLineBytes);
}

inline void drop_tiles() {
  alignas(64) float sums[kTileSide * kTileSide];
  _tile_stored(0, sums, kLineBytes);
  _tile_release();
  volatile float sink = sums[0];
  (void)sink;
}

/// Multiply-adds of one instruction on bytes, counted twice.
constexpr double kTileOps = 2.0 * kTileSide * kTileSide * kLineBytes;

double peak_int8_amx(std::size_t n_rounds) noexcept {
  alignas(64) std::uint8_t ones[kTileSide * kLineBytes];
  memset(ones, 1, sizeof ones);
  hide_from_optimiser(ones);
  fill_tiles(ones);
  for (std::size_t round = 0; round < n_rounds; ++round) {
    _tile_dpbsud(0, 4, 6);
    _tile_dpbsud(1, 4, 7);
    _tile_dpbsud(2, 5, 6);
    _tile_dpbsud(3, 5, 7);
  }
  drop_tiles();
  return static_cast<double>(n_rounds) * 4 * kTileOps;
}

double peak_bf16_amx(std::size_t n_rounds) noexcept {
  alignas(64) std::uint16_t ones[kTileSide * kLineBytes / 2];
  for (std::uint16_t& value : ones) value = 0x3f80;
  hide_from_optimiser(ones);
  fill_tiles(ones);
  for (std::size_t round = 0; round < n_rounds; ++round) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  drop_tiles();
  return static_cast<double>(n_rounds) * 4 * kTileOps / 2;
}

}  // namespace
