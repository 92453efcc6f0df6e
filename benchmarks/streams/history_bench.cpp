// SPDX-License-Identifier: Apache-2.0
// What a token of a stream costs after few and after many others:  history_bench MODEL
// The weights are the same work at any length, so the difference to the first line is attention's share.
#include "streams_common.hpp"

int main(int argc, char** argv) {
  using namespace qwen3guard;
  try {
    if (argc != 2) return std::fputs("usage: history_bench MODEL\n", stderr), 2;
    const Guard guard = streams::load(argv[1]);
    const ModelInfo info = guard.info();
    constexpr std::size_t kTokens = 48;  // a measurement
    const std::vector<std::size_t> histories = {64, 512, 2048, 4096, 8000};
    const auto ids = streams::prose_ids(*guard.tokenizer(), 8000 + kTokens);
    StreamSession session = guard.open_stream().value();
    session.push_prompt("Go on.").throw_if_error();
    std::printf(
        "| tokens before | ms a token (median) | p99 | attention's share | KV MiB read "
        "|\n|---|---|---|---|---|\n");
    double first_ms = 0;
    std::vector<TokenVerdict> out(ids.size());
    for (const std::size_t history : histories) {
      auto at = static_cast<std::size_t>(session.verdicts().size());
      session.push_tokens(std::span(ids).subspan(at, history - at), out).throw_if_error();
      const StreamMark mark = session.mark();
      std::vector<double> times;
      for (std::size_t i = 0; i < kTokens; ++i) {
        const auto start = streams::Clock::now();
        session.push_tokens({&ids[history + i], 1}, out).throw_if_error();
        times.push_back(streams::ms_since(start));
      }
      session.rewind(mark).throw_if_error();
      const double ms = streams::percentile(times, 50);
      if (first_ms <= 0) first_ms = ms;
      const double kv_mib =
          static_cast<double>(info.kv_bytes_per_token) * static_cast<double>(history) / (1 << 20);
      std::printf("| %zu | %.3f | %.3f | %.0f %% | %.1f |\n", history, ms, streams::percentile(times, 99),
                  100 * (ms - first_ms) / ms, kv_mib);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
