// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_JUDGE_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_JUDGE_HPP

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "cli/eval/data_rows.hpp"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// A row and what was said of it.
struct JudgedRow {
  const DataSet* set = nullptr;
  const DataRow* row = nullptr;
  Result<Verdict> verdict;
  double ms = 0;  ///< its share of its batch's time
};

/// A row of a set.
struct RowOfSet {
  const DataSet* set = nullptr;
  const DataRow* row = nullptr;
};

/// All rows of all sets, in their order.
[[nodiscard]] std::vector<RowOfSet> rows_of(const std::vector<DataSet>& sets);

/// Judges the rows behind the first n_before, which an earlier run has judged, in order and `batch_rows`
/// together, with a progress bar on stderr. Batches are those of one run over all of them. Calls take(rows)
/// for each batch. Ctrl-C ends it early: the leading rows of
/// the batch that were judged are taken, and the result is false. Throws what `take` throws.
[[nodiscard]] bool judge_rows(const Guard& guard, const ClassifyOptions& options,
                              std::span<const RowOfSet> rows, std::size_t batch_rows, std::size_t n_before,
                              const std::function<void(std::span<const JudgedRow>)>& take);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_JUDGE_HPP
