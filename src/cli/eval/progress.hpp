// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_PROGRESS_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_PROGRESS_HPP

#include <chrono>
#include <cstddef>
#include <string>

namespace qwen3guard::cli {

/// How far a long run is, on stderr: a bar that moves on a terminal, else a line every half a minute.
class Progress {
 public:
  /// n_before: of the n_total rows, those that an earlier run has judged.
  Progress(std::size_t n_total, std::size_t n_before);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Ends the bar's line.
  ~Progress();

  /// n_done: of this run. Cheap: most calls show nothing.
  void show(std::size_t n_done);

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::string line(std::size_t n_done, double seconds) const;

  std::size_t n_total_, n_before_, n_last_ = 0;
  bool is_terminal_, is_line_open_ = false;
  Clock::time_point start_, last_;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_PROGRESS_HPP
