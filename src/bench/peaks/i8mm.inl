// SPDX-License-Identifier: Apache-2.0
// The most that the matrix instructions can do, as generic.inl. Included after packed_i8mm.inl.
namespace {

constexpr std::size_t kMatrixSums = 16;

/// n_rounds of kPeakSteps times kMatrixSums instructions on vectors of +1 and -1 in turn; returns how many
/// instructions that was.
template <class Sum, class T>
double run_matrix_peak(std::size_t n_rounds, Sum zero, T one, T minus_one) {
  constexpr std::size_t kValues = 16 / sizeof(T);
  T x[kPeakSteps][kValues];
  for (std::size_t i = 0; i < kPeakSteps; ++i)
    for (T& value : x[i]) value = i % 2 == 0 ? one : minus_one;
  Sum sums[kMatrixSums];
  for (Sum& sum : sums) sum = zero;
  for (std::size_t round = 0; round < n_rounds; ++round) {
    hide_from_optimiser(x);
    const uint8x16_t w = vld1q_u8(reinterpret_cast<const std::uint8_t*>(x[0]));
    for (const auto& step : x) {
      const uint8x16_t values = vld1q_u8(reinterpret_cast<const std::uint8_t*>(step));
      for (Sum& sum : sums) sum = mul_add(sum, w, values);
    }
  }
  Sum stored[kMatrixSums];
  for (std::size_t i = 0; i < kMatrixSums; ++i) stored[i] = sums[i];
  hide_from_optimiser(stored);
  return static_cast<double>(n_rounds) * kPeakSteps * kMatrixSums;
}

/// 2 x 2 sums of 8 (4) products; a multiply-add counts 2.
double peak_int8_i8mm(std::size_t n_rounds) noexcept {
  return 64 * run_matrix_peak(n_rounds, vdupq_n_s32(0), std::int8_t{1}, std::int8_t{-1});
}
double peak_bf16_i8mm(std::size_t n_rounds) noexcept {
  return 32 * run_matrix_peak(n_rounds, vdupq_n_f32(0.0F), std::uint16_t{0x3f80}, std::uint16_t{0xbf80});
}

}  // namespace
