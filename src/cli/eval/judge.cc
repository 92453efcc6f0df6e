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
  // The batch in which an earlier run ended is judged as a whole again: what is judged beside a row moves the
  // last bits of its scores, and predictions must not depend on where a run was broken off
  // (as long as --batch stays the same).
  const std::size_t first = n_before < rows.size() ? n_before - n_before % batch_rows : n_before;
  Progress progress(rows.size(), first);
  const InterruptCatcher interrupts;
  std::vector<std::vector<Message>> conversations;
  std::vector<JudgedRow> judged;
  for (std::size_t begin = first; begin < rows.size() && !InterruptCatcher::is_interrupted();) {
    const std::size_t n = std::min(batch_rows, rows.size() - begin);
    conversations.clear();
    for (const RowOfSet& one : rows.subspan(begin, n)) conversations.push_back(one.row->messages);
    ClassifyOptions watched = options;
    watched.progress = [&](std::size_t n_done, std::size_t) {
      progress.show(begin - first + n_done);
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
    const std::size_t n_known = n_before > begin ? n_before - begin : 0;
    if (judged.size() > n_known) take(std::span(judged).subspan(n_known));
    if (judged.size() < n) return false;
    begin += n;
    progress.show(begin - first);
  }
  return !InterruptCatcher::is_interrupted();
}

}  // namespace qwen3guard::cli
