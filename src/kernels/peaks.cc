// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/kernels/peaks.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>

#include "qwen3guard/detail/util/aligned_buffer.hpp"

namespace qwen3guard::detail {
namespace {

/// Parts of a loop per thread: a thread that comes late, or is interrupted, leaves its parts to the others.
constexpr std::size_t kPartsPerThread = 8;

template <class Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// 10^9 operations a second of one of the table's peak functions.
double measure_ops(double (*peak)(std::size_t) noexcept, ThreadTeam& team, const PeakOptions& options) {
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

double measure_read(const KernelTable& kernels, ThreadTeam& team, const PeakOptions& options) {
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
        sink.store(kernels.sum(buffer.data() + part * n_part, n_part), std::memory_order_relaxed);
      });
    });
    best = std::max(best, n_bytes / s);
    total_s += s;
  }
  return best * 1e-9;
}

}  // namespace

Peaks measure_peaks(const KernelTable& kernels, ThreadTeam& team, const PeakOptions& options) {
  const ThreadTeam::Call call(team);
  return {.int8_gops = measure_ops(kernels.peak_int8, team, options),
          .bf16_gflops = measure_ops(kernels.peak_bf16, team, options),
          .fp32_gflops = measure_ops(kernels.peak_fp32, team, options),
          .read_gb_s = measure_read(kernels, team, options)};
}

}  // namespace qwen3guard::detail
