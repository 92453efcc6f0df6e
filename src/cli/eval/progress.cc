// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/progress.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/platform.hpp"

namespace qwen3guard::cli {
namespace {

/// A terminal that can go back to the beginning of its line.
bool has_moving_line() {
  const char* term = std::getenv("TERM");
  return is_terminal(stderr) && (term == nullptr || std::string_view(term) != "dumb");
}

std::string clock_text(double seconds) {
  constexpr long kMinute = 60, kHour = 3600;
  const long s = std::lround(seconds);
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%ld:%02ld:%02ld", s / kHour, s % kHour / kMinute, s % kMinute);
  return buffer.data();
}

}  // namespace

Progress::Progress(std::size_t n_total, std::size_t n_before)
    : n_total_(n_total),
      n_before_(n_before),
      is_terminal_(has_moving_line()),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (is_line_open_) std::fputc('\n', stderr);
}

std::string Progress::line(std::size_t n_done, double seconds) const {
  constexpr std::size_t kBarWidth = 24;
  const std::size_t n_all = n_before_ + n_done;
  const double rate = seconds > 0 ? static_cast<double>(n_done) / seconds : 0;
  const std::size_t n_filled = n_total_ == 0 ? kBarWidth : kBarWidth * n_all / n_total_;
  std::string out;
  if (is_terminal_) out = "[" + std::string(n_filled, '=') + std::string(kBarWidth - n_filled, ' ') + "] ";
  std::array<char, 160> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%3zu %%  %zu of %zu rows  %.1f rows/s",
                n_total_ == 0 ? 100 : 100 * n_all / n_total_, n_all, n_total_, rate);
  out += buffer.data();
  if (n_all < n_total_ && rate > 0)
    out += "  " + clock_text(static_cast<double>(n_total_ - n_all) / rate) + " left";
  return out;
}

void Progress::show(std::size_t n_done) {
  constexpr std::chrono::milliseconds kBarInterval(200);
  constexpr std::chrono::seconds kLineInterval(30);
  const Clock::time_point now = Clock::now();
  const bool is_end = n_before_ + n_done == n_total_;
  // A run that takes a moment needs no line in a log.
  if (!is_terminal_ && now - last_ < kLineInterval) return;
  if (is_terminal_ && !is_end && now - last_ < kBarInterval) return;
  if (is_line_open_ && is_end && n_last_ == n_done) return;
  last_ = now;
  n_last_ = n_done;
  const std::string text = line(n_done, std::chrono::duration<double>(now - start_).count());
  if (is_terminal_) {
    // What is left of a longer line before it is cleared.
    std::fprintf(stderr, "\r%s\033[K", text.c_str());
    std::fflush(stderr);
    is_line_open_ = true;
  } else {
    std::fprintf(stderr, "qwen3guard: %s\n", text.c_str());
  }
}

}  // namespace qwen3guard::cli
