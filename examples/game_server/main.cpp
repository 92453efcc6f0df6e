// SPDX-License-Identifier: Apache-2.0
// A game server in real time: chat rooms on one guard, judged in what a frame has left. The guard runs on the
// game's own thread and gives the time back before the frame ends. Where the machine has no time for it,
// verdicts come late, and what was said is held back until they are there.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <qwen3guard/qwen3guard.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "report.hpp"
#include "room.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using namespace qwen3guard;

struct Flags {
  std::string guard = "nano-stream";
  int rooms = 200;
  double seconds = 10, frame_ms = 16;
  std::uint32_t seed = 1;
};

constexpr const char* kUsage =
    "usage: game_server [--guard MODEL] [--rooms N] [--seconds S] [--frame-ms MS] [--seed N]\n"
    "  Chat rooms on one guard, judged within the frames of a game. MODEL: a name in the library, or a "
    "path.\n";

/// The frame's share that the game itself needs, simulated by being busy.
constexpr double kGameShare = 0.25;
/// Left over at the end, for what the operating system does.
constexpr double kReserve_ms = 2;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Guard load(const std::string& name) {
  return (name.find('/') == std::string::npos ? Guard::load_embedded(name) : Guard::load(name)).value();
}

int run(const Flags& flags) {
  const Guard guard = load(flags.guard);
  StreamBatch batch = StreamBatch::open(guard).value();
  StreamOptions options;
  options.context = ContextPolicy::slide;  // rooms never close
  options.max_tokens = std::min(1024, guard.info().max_context_tokens);
  std::vector<game_server::Room> rooms;
  for (int i = 0; i < flags.rooms; ++i)
    rooms.emplace_back(batch.add(options).value(), flags.seed + static_cast<std::uint32_t>(i));

  game_server::Report report;
  const Clock::time_point start = Clock::now();
  const auto frame_time =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(flags.frame_ms));
  for (Clock::time_point frame = start; ms_since(start) < flags.seconds * 1000; frame += frame_time) {
    std::this_thread::sleep_until(frame);
    const Clock::time_point begin = Clock::now();
    while (ms_since(begin) < kGameShare * flags.frame_ms) {
    }
    for (game_server::Room& room : rooms) room.talk(batch, ms_since(start)).throw_if_error();
    batch.step(flags.frame_ms - kReserve_ms - ms_since(begin), false);
    for (game_server::Room& room : rooms) {
      for (const StreamEvent& event : batch.poll(room.id()).value()) {
        room.take(event);
        if (event.kind == StreamEvent::Kind::overdue) continue;
        report.verdict_ms.push_back(event.waited_ms);
        report.n_late += event.is_late ? 1 : 0;
      }
    }
    report.oldest_waiting_ms = std::max(report.oldest_waiting_ms, batch.stats().oldest_waiting_ms);
    report.frame_ms.push_back(ms_since(begin));
    if (report.frame_ms.back() > flags.frame_ms) ++report.n_dropped_frames;
  }

  const StreamBatchStats stats = batch.stats();
  const double seconds = ms_since(start) / 1000;
  std::size_t n_lines = 0, n_answers = 0, n_holds = 0, n_held = 0;
  for (const game_server::Room& room : rooms) {
    n_lines += room.n_flagged_lines();
    n_answers += room.n_flagged_answers();
    n_holds += room.n_holds();
    n_held += room.is_held() ? 1 : 0;
  }
  std::printf("%d rooms, %.1f s, %zu frames of %.1f ms\n", flags.rooms, seconds, report.frame_ms.size(),
              flags.frame_ms);
  std::printf("verdicts: %zu, %s, %zu late\n", report.verdict_ms.size(),
              game_server::percentiles(report.verdict_ms).c_str(), report.n_late);
  std::printf("waiting:  %.0f ms at most; %zu times something was held back, in %zu rooms it still is\n",
              report.oldest_waiting_ms, n_holds, n_held);
  std::printf("frames:   %s, %zu dropped\n", game_server::percentiles(report.frame_ms).c_str(),
              report.n_dropped_frames);
  std::printf("tokens:   %llu judged, %.0f a second, in %llu steps\n",
              static_cast<unsigned long long>(stats.n_tokens), static_cast<double>(stats.n_tokens) / seconds,
              static_cast<unsigned long long>(stats.n_steps));
  std::printf("memory:   %.0f KiB a room\n",
              static_cast<double>(stats.memory_bytes) / 1024 / std::max(1, flags.rooms));
  std::printf("flagged:  %zu lines of players, %zu answers\n", n_lines, n_answers);
  return 0;
}

/// False when the arguments are not understood.
bool parse(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    char* end = nullptr;
    const double number = std::strtod(value, &end);
    const bool is_number = end != value && *end == '\0' && number >= 0;
    if (name == "--guard") {
      flags.guard = value;
    } else if (name == "--rooms" && is_number && number <= 100000) {
      flags.rooms = static_cast<int>(number);
    } else if (name == "--seconds" && is_number) {
      flags.seconds = number;
    } else if (name == "--frame-ms" && is_number && number > 0) {
      flags.frame_ms = number;
    } else if (name == "--seed" && is_number && number < 4e9) {
      flags.seed = static_cast<std::uint32_t>(number);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (argc == 2 && std::string_view(argv[1]) == "--help") return std::fputs(kUsage, stdout), 0;
  if (!parse(argc, argv, flags)) return std::fputs(kUsage, stderr), 2;
  try {
    return run(flags);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "game_server: %s\n", e.what());
    return 2;
  }
}
