// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/judge.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/eval/progress.hpp"
#include "cli/platform.hpp"

namespace qwen3guard::cli {

std::vector<RowOfSet> rows_of(const std::vector<DataSet>& sets) {
  std::vector<RowOfSet> out;
  for (const DataSet& set : sets) {
    for (const DataRow& row : set.rows) out.push_back({&set, &row});
  }
  return out;
}

bool judge_rows(const Guard& guard, const ClassifyOptions& options, std::span<const RowOfSet> rows,
                std::size_t batch_rows, std::size_t n_before,
                const std::function<void(std::span<const JudgedRow>)>& take) {
  using Clock = std::chrono::steady_clock;
  Progress progress(n_before + rows.size(), n_before);
  const InterruptCatcher interrupts;
  std::vector<std::vector<Message>> conversations;
  std::vector<JudgedRow> judged;
  for (std::size_t begin = 0; begin < rows.size() && !InterruptCatcher::is_interrupted();) {
    const std::size_t n = std::min(batch_rows, rows.size() - begin);
    conversations.clear();
    for (const RowOfSet& one : rows.subspan(begin, n)) conversations.push_back(one.row->messages);
    ClassifyOptions watched = options;
    watched.progress = [&](std::size_t n_done, std::size_t) {
      progress.show(begin + n_done);
      return !InterruptCatcher::is_interrupted();
    };
    const Clock::time_point start = Clock::now();
    auto verdicts = guard.classify_batch(conversations, watched);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    judged.clear();
    for (std::size_t i = 0; i < n; ++i) {
      // Rows are stored in order; one that was judged behind one that was not is judged again.
      if (!verdicts[i].ok() && verdicts[i].error().code == ErrorCode::cancelled) break;
      judged.push_back(
          {rows[begin + i].set, rows[begin + i].row, std::move(verdicts[i]), ms / static_cast<double>(n)});
    }
    take(judged);
    if (judged.size() < n) return false;
    begin += n;
    progress.show(begin);
  }
  return !InterruptCatcher::is_interrupted();
}

}  // namespace qwen3guard::cli
