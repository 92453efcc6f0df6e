// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_GENERIC_TILE_SHAPE_HPP
#define QWEN3GUARD_SRC_KERNELS_GENERIC_TILE_SHAPE_HPP

#include <cstddef>

namespace {

/// The register tile of a product: so many rows of x with so many panels of weights; the panels of a single
/// row, and of two.
struct TileShape {
  std::size_t rows, panels, row_panels, pair_panels;
};

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_GENERIC_TILE_SHAPE_HPP
