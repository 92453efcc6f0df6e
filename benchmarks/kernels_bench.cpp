// SPDX-License-Identifier: Apache-2.0
// Every kernel of every instruction set of this machine, on one thread, with the share of the roofline that
// it reaches: the larger of operations over the measured peak and bytes over the measured bandwidth, over the
// time it took.
//   kernels_bench --benchmark_filter='amx/gemm_int8'
#include <benchmark/benchmark.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "bench/peaks.hpp"
#include "kernels/isa.hpp"
#include "model/attention.hpp"
#include "model/config.hpp"
#include "tensor/packed_matrix.hpp"
#include "util/aligned_buffer.hpp"
#include "util/workers.hpp"

using namespace qwen3guard::detail;
using qwen3guard::PackedWeights;
using qwen3guard::bench::Peaks;

namespace {

/// Weights of one row of x come from memory, not from a cache: so many bytes of copies of the matrix take
/// turns.
constexpr std::size_t kColdBytes = std::size_t{1} << 29;

const Peaks& peaks_of(const KernelTable& table) {
  static std::map<std::string, Peaks> known;
  const auto found = known.find(table.name);
  if (found != known.end()) return found->second;
  Team one(1);
  return known.emplace(table.name, measure_peaks(*qwen3guard::bench::peak_loops(table.name).value(), one))
      .first->second;
}

/// Counters of one run that does `ops` operations of a peak (in 1e9 a second) and moves `bytes` from memory.
void set_counters(benchmark::State& state, const KernelTable& table, double ops, double peak_gops,
                  double bytes) {
  const double read = peaks_of(table).read_gb_s;
  const double limit_s = std::max(ops / (peak_gops * 1e9), bytes / (read * 1e9));
  state.counters["Gop/s"] = benchmark::Counter(ops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  if (bytes > 0)
    state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["roofline"] = benchmark::Counter(limit_s, benchmark::Counter::kIsIterationInvariantRate);
}

template <class T>
AlignedBuffer<T> filled(std::size_t n, T value) {
  AlignedBuffer<T> out(n);
  std::fill_n(out.data(), n, value);
  return out;
}

std::vector<float> random_floats(std::size_t n) {
  std::mt19937 random(1);
  std::vector<float> out(n);
  for (float& v : out) v = static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F;
  return out;
}

void packed_product(benchmark::State& state, const KernelTable& table, PackedShape shape, std::size_t m) {
  const std::size_t n_copies = m > 1 ? 1 : std::max<std::size_t>(1, kColdBytes / shape.data_bytes());
  const WeightType& type = weight_type(shape.type);
  const auto w = filled<std::uint8_t>(shape.data_bytes() * n_copies, type.element ? 0x3f : 0x81);
  const auto scales = filled<std::uint16_t>(shape.n_scales() * n_copies + 1, 0x3c00);
  const std::size_t ldx = shape.k() + 64;
  const auto x = filled<std::uint8_t>(m * ldx * sizeof(float), 1);
  const std::vector<float> x_scales(m * shape.n_groups(), 1.0F);
  const std::vector<std::int32_t> starts(m * shape.n_groups(), 3);
  std::vector<float> y(m * shape.rows);
  std::size_t copy = 0;
  for (auto _ : state) {
    (table.*type.gemm)({.w = w.data() + copy * shape.data_bytes(),
                        .panel_bytes = shape.panel_bytes(),
                        .w_scales = scales.data() + copy * shape.n_scales(),
                        .x = x.data(),
                        .ldx = ldx,
                        .x_scales = x_scales.data(),
                        .x_starts = starts.data(),
                        .y = y.data(),
                        .ldy = shape.rows,
                        .m = m,
                        .n = shape.rows,
                        .k = shape.k(),
                        .group = shape.group_cols()});
    benchmark::DoNotOptimize(y.data());
    copy = (copy + 1) % n_copies;
  }
  const Peaks& peaks = peaks_of(table);
  const double ops = 2.0 * static_cast<double>(m * shape.rows * shape.k());
  const double bytes = static_cast<double>(shape.data_bytes() + 2 * shape.n_scales());
  set_counters(state, table, ops, peaks.of(type.x), m > 1 ? 0 : bytes);
}

/// A kernel over n floats in the first-level cache: `flops` a float.
template <class Run>
void elementwise(benchmark::State& state, const KernelTable& table, double flops, const Run& run) {
  constexpr std::size_t kFloats = 3072;
  const std::vector<float> x = random_floats(kFloats), w = random_floats(kFloats);
  std::vector<float> y(kFloats);
  std::vector<std::int8_t> q(kFloats);
  std::vector<std::uint16_t> h(kFloats);
  for (auto _ : state) {
    // Kernels that work in place would drive the values to zero or infinity; the copy is part of the time.
    std::memcpy(y.data(), x.data(), kFloats * sizeof(float));
    run(x.data(), w.data(), y.data(), q.data(), h.data(), kFloats);
    benchmark::DoNotOptimize(y.data());
    benchmark::DoNotOptimize(q.data());
    benchmark::DoNotOptimize(h.data());
  }
  set_counters(state, table, flops * kFloats, peaks_of(table).fp32_gflops, 0);
}

void attention_block(benchmark::State& state, const KernelTable& table, KvType type, std::size_t n_queries,
                     std::size_t n_keys) {
  ModelConfig config;
  config.n_layers = 1;
  config.n_heads = 16;
  config.n_kv_heads = 8;
  config.head_dim = 128;
  KvCache cache(config, n_keys, type);
  cache.prepare(n_keys);
  const std::vector<float> row = random_floats(128);
  for (std::size_t t = 0; t < n_keys; ++t) {
    for (std::size_t head = 0; head < 8; ++head) cache.store(0, head, t, row.data(), row.data(), table);
  }
  cache.advance(n_keys);
  const std::vector<float> queries = random_floats(n_queries * 2048);
  std::vector<float> q;
  AlignedBuffer<float> scratch(attention_scratch_floats(config, 1));
  for (auto _ : state) {
    q = queries;
    AttentionPiece piece{{q.data(), n_queries, 2048}, n_keys - n_queries, &cache};
    attention({&piece, 1}, 0, {config, table, Workers(), scratch.span()});
    benchmark::DoNotOptimize(q.data());
  }
  const double seen = static_cast<double>(n_keys) - (static_cast<double>(n_queries) - 1) / 2;
  const Peaks& peaks = peaks_of(table);
  set_counters(state, table, 4.0 * static_cast<double>(n_queries) * seen * 2048,
               type == KvType::bf16 ? peaks.bf16_gflops : peaks.fp32_gflops, 0);
}

void register_table(const KernelTable& table) {
  const std::string prefix = std::string(table.name) + "/";
  const auto add = [&](const std::string& name, auto body) {
    benchmark::RegisterBenchmark((prefix + name).c_str(), body);
  };
  for (const PackedShape& shape :
       {PackedShape{PackedWeights::int8, 3072, 1024, 64}, PackedShape{PackedWeights::int8, 3072, 1024, 128},
        PackedShape{PackedWeights::int8, 1024, 3072, 64}, PackedShape{PackedWeights::int4, 3072, 1024, 32},
        PackedShape{PackedWeights::bf16, 3072, 1024, 0}, PackedShape{PackedWeights::fp16, 3072, 1024, 0}}) {
    for (const std::size_t m : {1UL, 4UL, 8UL, 16UL, 128UL}) {
      const WeightType& type = weight_type(shape.type);
      const std::string group = type.has_scales() ? "/group:" + std::to_string(shape.group) : "";
      add(std::string("gemm_") + type.name + "/m:" + std::to_string(m) + "/n:" + std::to_string(shape.rows) +
              "/k:" + std::to_string(shape.cols) + group,
          [&table, shape, m](benchmark::State& state) { packed_product(state, table, shape, m); });
    }
  }
  for (const KvFormat& format : kKvFormats) {
    const std::string name = std::string("attention_") + format.name;
    for (const auto& [n_queries, n_keys] : std::initializer_list<std::pair<std::size_t, std::size_t>>{
             {1, 512}, {1, 1024}, {1, 8192}, {128, 512}, {128, 1024}, {128, 8192}}) {
      add(name + "/queries:" + std::to_string(n_queries) + "/keys:" + std::to_string(n_keys),
          [&table, type = format.type, n_queries = n_queries, n_keys = n_keys](benchmark::State& state) {
            attention_block(state, table, type, n_queries, n_keys);
          });
    }
  }
  using F = const float*;
  const auto map = [&](const std::string& name, double flops, auto run) {
    add(name, [&table, flops, run](benchmark::State& state) { elementwise(state, table, flops, run); });
  };
  map("rms_norm", 4,
      [&table](F x, F w, float* y, auto*, auto*, std::size_t n) { table.rms_norm(y, x, w, n, 1e-6F); });
  map("silu_mul", 14, [&table](F x, F, float* y, auto*, auto*, std::size_t n) { table.silu_mul(y, x, n); });
  map("softmax_max", 1, [&table](F x, F, float* y, auto*, auto*, std::size_t n) { y[0] = table.max(x, n); });
  map("softmax_exp_sum", 13,
      [&table](F, F, float* y, auto*, auto*, std::size_t n) { y[0] = table.exp_sum(y, n, 5.0F); });
  map("rotate", 3, [&table](F, F w, float* y, auto*, auto*, std::size_t n) { table.rotate(y, w, n / 2); });
  map("add", 1, [&table](F x, F, float* y, auto*, auto*, std::size_t n) { table.add(y, x, n); });
  map("round_bf16", 1,
      [&table](F x, F, float*, auto*, auto* h, std::size_t n) { table.round_bf16(h, x, n); });
  map("round_f16", 1, [&table](F x, F, float*, auto*, auto* h, std::size_t n) { table.round_f16(h, x, n); });
  map("quantise_q8", 6, [&table](F x, F, float*, auto* q, auto*, std::size_t n) {
    float scales[48];
    std::int32_t starts[48];
    table.quantise_q8(q, scales, starts, x, n, 64, kQ8Offset);
  });
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) register_table(*table);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
