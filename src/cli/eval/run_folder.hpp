// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_RUN_FOLDER_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_RUN_FOLDER_HPP

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/eval/judge.hpp"
#include "cli/eval/metrics_out.hpp"
#include "cli/wire.hpp"
#include "evaluation/append_file.hpp"
#include "evaluation/run_metrics.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::cli {

/// What was run, and on what: the contents of run.json.
struct RunDescription {
  RunInfo info;
  /// What the model says of some fixed prompts, by which weights are told apart.
  std::vector<SeverityProbabilities> probe;
  std::string policy_json;
  std::string options_json;  ///< other options on which predictions depend, as a JSON object
  struct Data {
    evaluation::SetInput set;
    std::string file, checksum;
    std::size_t n_rows = 0;
  };
  std::vector<Data> data;
};

[[nodiscard]] std::string run_to_json(const RunDescription& run);
/// Throws UsageError: "PATH: ...".
[[nodiscard]] RunDescription read_run(std::string_view text, const std::string& path);

/// What run.json says of a finished or broken run; empty when the folder has none (predictions of another
/// program). Throws UsageError.
[[nodiscard]] std::optional<RunDescription> find_run(const std::string& folder);

/// Calls visit(record, line) for each prediction of a folder. Throws UsageError: a run that is not complete,
/// which would look like a smaller one, and what for_each_prediction() throws.
void load_predictions(const std::string& folder,
                      const std::function<void(evaluation::Record record, const JsonValue& line)>& visit);
/// All of them. Throws UsageError.
[[nodiscard]] std::vector<evaluation::Record> load_predictions(const std::string& folder);

/// Writes metrics.json anew. Throws UsageError.
void save_metrics(const std::string& folder, const std::string& json);

/// A folder into which a run writes its predictions, one line a row, in the order of the rows. What is in it
/// survives the process. One process at a time.
class RunFolder {
 public:
  /// Begins a run, or, with `resume`, goes on with the one that is there, if any. Throws UsageError: there is
  /// one and it was not asked for; it is of another model, policy or data, or has other options; another
  /// process is writing it.
  RunFolder(const std::string& folder, const RunDescription& run, std::span<const RowOfSet> rows,
            bool resume);

  /// How many of the rows have their predictions already: the first ones.
  [[nodiscard]] std::size_t n_done() const noexcept { return n_done_; }
  /// Throws UsageError; then nothing was written.
  void append(const std::string& lines, std::size_t n_lines);

 private:
  void keep_complete_lines(const std::string& text, std::span<const RowOfSet> rows);

  std::string path_;
  std::optional<evaluation::AppendFile> predictions_;
  std::size_t n_done_ = 0;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_RUN_FOLDER_HPP
