// SPDX-License-Identifier: Apache-2.0
#include "bench/peaks.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>

#include "qwen3guard/quote.hpp"
#include "util/aligned_buffer.hpp"
#include "util/error.hpp"

namespace qwen3guard::bench {

// Q3G_ISAS is Q3G_EACH(name) for each instruction set of this build (CMakeLists.txt).
// clang-format off
#define Q3G_EACH(isa) namespace isa { extern const PeakLoops kPeakLoops; }
Q3G_ISAS
#undef Q3G_EACH
// clang-format on

namespace {

using detail::AlignedBuffer;
using detail::Team;

struct NamedLoops {
  std::string_view isa;
  const PeakLoops* loops;
};
#define Q3G_EACH(isa) {#isa, &isa::kPeakLoops},
constexpr NamedLoops kAllLoops[] = {Q3G_ISAS};
#undef Q3G_EACH

/// Parts of a loop per thread: a thread that comes late, or is interrupted, leaves its parts to the others.
constexpr std::size_t kPartsPerThread = 8;

template <class Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// 10^9 operations a second of one of the peak loops.
double measure_ops(double (*peak)(std::size_t) noexcept, Team& team, const PeakOptions& options) {
  const std::size_t n_parts = kPartsPerThread * static_cast<std::size_t>(team.n_threads());
  const double part_s = options.repeat_ms / 1000 / static_cast<double>(kPartsPerThread);
  // As many rounds as fill a part's time; the first call also wakes the unit.
  std::size_t n_rounds = 16;
  for (double s = 0; s < part_s / 4 && n_rounds < (std::size_t{1} << 40); n_rounds *= 2)
    s = seconds_of([&] { peak(n_rounds); });
  double best = 0;
  for (int i = 0; i < options.n_repeats; ++i) {
    double ops_of_part = 0;
    const double s = seconds_of([&] {
      team.run(n_parts, [&](std::size_t part) {
        const double ops = peak(n_rounds);
        if (part == 0) ops_of_part = ops;
      });
    });
    best = std::max(best, ops_of_part * static_cast<double>(n_parts) / s);
  }
  return best * 1e-9;
}

AlignedBuffer<float> largest_buffer(std::size_t n_bytes) {
  constexpr std::size_t kLeastBytes = std::size_t{1} << 20;
  for (; n_bytes > kLeastBytes; n_bytes /= 2) {
    try {
      return AlignedBuffer<float>(n_bytes / sizeof(float));
    } catch (const std::bad_alloc&) {  // a smaller one will do
    }
  }
  return AlignedBuffer<float>(kLeastBytes / sizeof(float));
}

double measure_read(const PeakLoops& loops, Team& team, const PeakOptions& options) {
  AlignedBuffer<float> buffer = largest_buffer(options.buffer_bytes);
  const std::size_t n_parts = kPartsPerThread * static_cast<std::size_t>(team.n_threads());
  const std::size_t n_part = buffer.size() / n_parts;
  team.run(n_parts, [&](std::size_t part) { std::fill_n(buffer.data() + part * n_part, n_part, 1.0F); });
  const double n_bytes = static_cast<double>(n_part * n_parts * sizeof(float));
  std::atomic<float> sink{0};
  double best = 0, total_s = 0;
  for (int i = 0; i < options.n_repeats || total_s < options.repeat_ms / 1000; ++i) {
    const double s = seconds_of([&] {
      team.run(n_parts, [&](std::size_t part) {
        sink.store(loops.sum(buffer.data() + part * n_part, n_part), std::memory_order_relaxed);
      });
    });
    best = std::max(best, n_bytes / s);
    total_s += s;
  }
  return best * 1e-9;
}

}  // namespace

Result<const PeakLoops*> peak_loops(std::string_view isa) {
  for (const NamedLoops& one : kAllLoops)
    if (one.isa == isa) return one.loops;
  return detail::error(ErrorCode::unsupported_isa, "peaks: this build has no instruction set ", quote(isa));
}

double Peaks::of(detail::Arithmetic arithmetic) const noexcept {
  switch (arithmetic) {
    case detail::Arithmetic::int8:
      return int8_gops;
    case detail::Arithmetic::bf16:
      return bf16_gflops;
    case detail::Arithmetic::fp32:
      break;
  }
  return fp32_gflops;
}

Peaks measure_peaks(const PeakLoops& loops, Team& team, const PeakOptions& options) {
  const Team::Call call(team);
  return {.int8_gops = measure_ops(loops.int8, team, options),
          .bf16_gflops = measure_ops(loops.bf16, team, options),
          .fp32_gflops = measure_ops(loops.fp32, team, options),
          .read_gb_s = measure_read(loops, team, options)};
}

}  // namespace qwen3guard::bench
