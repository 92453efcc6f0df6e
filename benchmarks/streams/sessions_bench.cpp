// SPDX-License-Identifier: Apache-2.0
// Many live sessions on one guard:  sessions_bench MODEL [SESSIONS [SECONDS [TOKENS_PER_SECOND]]]
// Sessions write at a fixed rate each, as language models do; a thread of the batch judges. Prints what was
// judged, how long verdicts took, and what a session holds. Without a rate: as fast as it goes.
#include <thread>

#include "streams_common.hpp"

namespace {

using namespace qwen3guard;

struct Plan {
  std::string model;
  std::size_t n_sessions = 1000;
  double seconds = 10, rate = 0;
};

void run(const Plan& plan) {
  const Guard guard = streams::load(plan.model);
  StreamBatch batch = StreamBatch::open(guard).value();
  StreamOptions options;
  options.context = ContextPolicy::slide;
  options.max_tokens = std::min(1024, guard.info().max_context_tokens);
  std::vector<StreamId> ids;
  for (std::size_t i = 0; i < plan.n_sessions; ++i) {
    ids.push_back(batch.add(options).value());
    batch.push_prompt(ids.back(), "Please write a short story about a ferry.").throw_if_error();
  }
  while (batch.step() > 0 || batch.stats().n_waiting_sessions > 0) {
  }
  for (const StreamId id : ids) static_cast<void>(batch.poll(id).value());
  const auto words = streams::prose_ids(*guard.tokenizer(), 4096);
  std::vector<double> waited_ms;
  const std::uint64_t n_before = batch.stats().n_tokens, n_late_before = batch.stats().n_late;
  const auto start = streams::Clock::now();
  if (plan.rate > 0) {
    batch.start().throw_if_error();
    // Session i writes its k-th token at (k + i / n) / rate.
    const double gap_ms = 1000 / (plan.rate * static_cast<double>(plan.n_sessions));
    std::size_t n_pushed = 0, n_polled = 0;
    while (streams::ms_since(start) < plan.seconds * 1000) {
      while (static_cast<double>(n_pushed) * gap_ms <= streams::ms_since(start)) {
        const StreamId id = ids[n_pushed % ids.size()];
        batch.push_tokens(id, {&words[n_pushed / ids.size() % words.size()], 1}, 100).throw_if_error();
        ++n_pushed;
      }
      // Each session looks every tenth of a second or so; latency is measured where verdicts are made.
      for (std::size_t i = 0; i < ids.size() / 100 + 1; ++i) {
        for (const StreamEvent& event : batch.poll(ids[n_polled++ % ids.size()]).value())
          waited_ms.push_back(event.waited_ms);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    batch.stop();
  } else {
    for (std::size_t k = 0; streams::ms_since(start) < plan.seconds * 1000; ++k) {
      for (const StreamId id : ids)
        batch.push_tokens(id, {&words[k % words.size()], 1}, 1000).throw_if_error();
      while (batch.step() > 0) {
      }
      for (const StreamId id : ids) {
        for (const StreamEvent& event : batch.poll(id).value()) waited_ms.push_back(event.waited_ms);
      }
    }
  }
  const double seconds = streams::ms_since(start) / 1000;
  const StreamBatchStats stats = batch.stats();
  std::printf(
      "{\"sessions\": %zu, \"tokens_per_second\": %.0f, \"verdict_p50_ms\": %.2f, \"verdict_p99_ms\": %.2f, "
      "\"late\": %llu, \"bytes_per_session\": %.0f}\n",
      stats.n_sessions, static_cast<double>(stats.n_tokens - n_before) / seconds,
      streams::percentile(waited_ms, 50), streams::percentile(waited_ms, 99),
      static_cast<unsigned long long>(stats.n_late - n_late_before),
      static_cast<double>(stats.memory_bytes) / static_cast<double>(stats.n_sessions));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2 || argc > 5)
      return std::fputs("usage: sessions_bench MODEL [SESSIONS [SECONDS [TOKENS_PER_SECOND]]]\n", stderr), 2;
    Plan plan;
    plan.model = argv[1];
    if (argc > 2) plan.n_sessions = std::max(1UL, std::strtoul(argv[2], nullptr, 10));
    if (argc > 3) plan.seconds = std::strtod(argv[3], nullptr);
    if (argc > 4) plan.rate = std::strtod(argv[4], nullptr);
    run(plan);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
