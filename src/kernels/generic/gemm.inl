// SPDX-License-Identifier: Apache-2.0
// Products of plain matrices for a build without Eigen, over the same type Vec; included after kernels.inl.
// Sums are cut at every kGemmColumns columns, so that a result depends on the length of its sum alone.
namespace {

using qwen3guard::detail::GemmArgs;

/// So many columns of four rows of b stay in the first-level cache, of kGemmRows rows of a in the second.
constexpr std::size_t kGemmColumns = 1024, kGemmRows = 48;

/// kVectors rows of a with kRows rows of b over the columns [begin, end).
template <std::size_t kVectors, std::size_t kRows>
void gemm_tile(const GemmArgs& g, std::size_t i, std::size_t j, std::size_t begin, std::size_t end) {
  Vec acc[kVectors][kRows];
  for (std::size_t v = 0; v < kVectors; ++v)
    for (std::size_t r = 0; r < kRows; ++r) acc[v][r] = Vec::zero();
  const float* a = g.a + i * g.lda;
  const float* b = g.b + j * g.ldb;
  std::size_t l = begin;
  for (; l + kLanes <= end; l += kLanes) {
    Vec as[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) as[v] = Vec::load(a + v * g.lda + l);
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vec bs = Vec::load(b + r * g.ldb + l);
      for (std::size_t v = 0; v < kVectors; ++v) acc[v][r] = fma(bs, as[v], acc[v][r]);
    }
  }
  if (l < end) {
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vec bs = load_tail<F32>(b + r * g.ldb + l, end - l);
      for (std::size_t v = 0; v < kVectors; ++v)
        acc[v][r] = fma(bs, load_tail<F32>(a + v * g.lda + l, end - l), acc[v][r]);
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    for (std::size_t r = 0; r < kRows; ++r) {
      float* c = g.c + (i + v) * g.ldc + j + r;
      *c = begin == 0 ? acc[v][r].sum() : *c + acc[v][r].sum();
    }
  }
}

/// Rows of a at a time. With four rows of b there are as many sums as fit the registers: AVX2 has 16, NEON
/// and AVX-512 have 32.
constexpr std::size_t kGemmVectors = !Vec::kPairs ? 1 : kLanes == 8 ? 3 : 4;

/// The rows [first, last) of a with kRows rows of b.
template <std::size_t kRows>
void gemm_rows(const GemmArgs& g, std::size_t first, std::size_t last, std::size_t j, std::size_t begin,
               std::size_t end) {
  std::size_t i = first;
  for (; i + kGemmVectors <= last; i += kGemmVectors) gemm_tile<kGemmVectors, kRows>(g, i, j, begin, end);
  for (; i < last; ++i) gemm_tile<1, kRows>(g, i, j, begin, end);
}

bool gemm_nt_by_dots(const GemmArgs& g) noexcept {
  for (std::size_t first = 0; first < g.m; first += kGemmRows) {
    const std::size_t last = g.m - first < kGemmRows ? g.m : first + kGemmRows;
    std::size_t begin = 0;
    do {
      const std::size_t end = g.k - begin < kGemmColumns ? g.k : begin + kGemmColumns;
      std::size_t j = 0;
      for (; j + 4 <= g.n; j += 4) gemm_rows<4>(g, first, last, j, begin, end);
      for (; j < g.n; ++j) gemm_rows<1>(g, first, last, j, begin, end);
      begin = end;
    } while (begin < g.k);
  }
  return true;
}

bool gemm_nn_add_by_rows(const GemmArgs& g) noexcept {
  for (std::size_t i = 0; i < g.m; ++i) {
    if (g.ldb == g.n) {
      add_weighted_rows(g.c + i * g.ldc, g.a + i * g.lda, g.b, g.k, g.n);
      continue;
    }
    for (std::size_t l = 0; l < g.k; ++l)
      add_weighted_rows(g.c + i * g.ldc, g.a + i * g.lda + l, g.b + l * g.ldb, 1, g.n);
  }
  return true;
}

}  // namespace
