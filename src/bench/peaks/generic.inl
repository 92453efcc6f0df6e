// SPDX-License-Identifier: Apache-2.0
// What a core can do at most: the multiply-adds of packed.inl and of its Vec on operands that never leave the
// registers and the first-level cache, and a sum that does nothing but read. Included after packed.inl.
namespace {

/// Sums enough to hide the latency of any of the instructions, and few enough for the registers.
constexpr std::size_t kPeakRows = kLanes == 8 ? 2 * kTile.rows : kTile.rows;
constexpr std::size_t kPeakVecs = kVecsPerPanel > 2 ? kVecsPerPanel : 2;
/// Steps of a round; each takes other activations, +1 and -1 in turn, so that sums stay small.
constexpr std::size_t kPeakSteps = 256;
/// Multiply-adds of 32-bit lanes in a round, counted twice.
constexpr double kPeakLaneOps = 2.0 * kPeakSteps * kPeakRows * kPeakVecs * kLanes;

/// The compiler must take memory that p points to for unknown: otherwise it would compute the result.
inline void hide_from_optimiser(const void* p) {
#ifdef __GNUC__
  __asm__ volatile("" : : "r"(p) : "memory");
#else
  (void)p;
#endif
}

/// T: what a 32-bit lane consists of; kT of them. Operands [steps][rows][kT] and [vecs][lanes][kT].
template <class T, std::size_t kT>
struct PeakOperands {
  T x[kPeakSteps][kPeakRows][kT];
  T w[kPeakVecs][kLanes][kT];

  PeakOperands(T one, T minus_one) {
    for (std::size_t i = 0; i < kPeakSteps; ++i)
      for (auto& row : x[i])
        for (T& value : row) value = i % 2 == 0 ? one : minus_one;
    for (auto& vec : w)
      for (auto& lane : vec)
        for (T& value : lane) value = one;
  }
};

/// n_rounds of kPeakSteps times kPeakRows x kPeakVecs sums: sum = op(sum, load_w(...), load_x(...)).
template <class Sum, class Operands, class LoadW, class LoadX, class Op, class Total>
double run_peak(std::size_t n_rounds, Sum zero, const Operands& operands, const LoadW& load_w,
                const LoadX& load_x, const Op& op, const Total& total_of) {
  Sum sums[kPeakRows][kPeakVecs];
  for (auto& row : sums)
    for (Sum& sum : row) sum = zero;
  for (std::size_t round = 0; round < n_rounds; ++round) {
    hide_from_optimiser(&operands);
    decltype(load_w(&operands.w[0][0][0])) w[kPeakVecs];
    for (std::size_t v = 0; v < kPeakVecs; ++v) w[v] = load_w(&operands.w[v][0][0]);
    for (const auto& step : operands.x) {
      for (std::size_t r = 0; r < kPeakRows; ++r) {
        const auto x = load_x(&step[r][0]);
        for (std::size_t v = 0; v < kPeakVecs; ++v) sums[r][v] = op(sums[r][v], w[v], x);
      }
    }
  }
  float total = 0;
  for (auto& row : sums)
    for (Sum& sum : row) total += total_of(sum);
  volatile float sink = total;
  (void)sink;
  return static_cast<double>(n_rounds) * kPeakLaneOps;
}

double peak_int8(std::size_t n_rounds) noexcept {
  const PeakOperands<std::int8_t, 4> operands(1, -1);
  return 4 * run_peak(
                 n_rounds, IVec::broadcast(0), operands,
                 [](const std::int8_t* p) {
                   return prepare(Bytes::load(reinterpret_cast<const std::uint8_t*>(p)));
                 },
                 Quad::load, [](IVec sum, Weights w, Quad x) { return dot(sum, w, x); },
                 [](IVec sum) { return to_float(sum).sum(); });
}

double peak_bf16(std::size_t n_rounds) noexcept {
  const PeakOperands<std::uint16_t, 2> operands(0x3f80, 0xbf80);
  return 2 * run_peak(
                 n_rounds, Vec::zero(), operands, Lines::load, Pair::load,
                 [](Vec sum, Lines w, Pair x) { return dot_pairs(sum, w, x); },
                 [](Vec sum) { return sum.sum(); });
}

double peak_fp32(std::size_t n_rounds) noexcept {
  const PeakOperands<float, 1> operands(1.0F, -1.0F);
  return run_peak(
      n_rounds, Vec::zero(), operands, Vec::load, [](const float* p) { return Vec::broadcast(*p); },
      [](Vec sum, Vec w, Vec x) { return fma(w, x, sum); }, [](Vec sum) { return sum.sum(); });
}

/// Sum of x: as fast as memory delivers.
float sum_of(const float* x, std::size_t n) noexcept {
  Vec acc[8];
  for (Vec& a : acc) a = Vec::zero();
  std::size_t i = 0;
  for (; i + 8 * kLanes <= n; i += 8 * kLanes) {
    for (std::size_t j = 0; j < 8; ++j) acc[j] = add(acc[j], Vec::load(x + i + j * kLanes));
  }
  float total = 0;
  for (const Vec& a : acc) total += a.sum();
  for (; i < n; ++i) total += x[i];
  return total;
}

}  // namespace
