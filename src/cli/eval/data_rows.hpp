// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_DATA_ROWS_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_DATA_ROWS_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluation/record.hpp"
#include "evaluation/set_metrics.hpp"
#include "qwen3guard/conversation.hpp"

namespace qwen3guard::cli {

/// Bytes [begin, end) of a message.
struct ByteSpan {
  std::int64_t begin = 0, end = 0;
};

/// A labelled conversation; docs/evaluation.md has the form of its line.
struct DataRow {
  std::size_t line = 0;  ///< 1-based
  std::string id;        ///< as JSON; without one in the file "line N"
  std::string language;
  std::vector<Message> messages;
  evaluation::Gold gold;
  std::optional<ByteSpan> unsafe_bytes;  ///< of the last message
};

/// A file of them.
struct DataSet {
  std::string name;  ///< the file's stem
  std::string path, checksum;
  std::vector<DataRow> rows;
  std::vector<evaluation::BadRow> bad_rows;  ///< what cannot be judged or scored; no line is in neither
};

/// Reads a data file; `limit`: the first so many good rows of it. Throws UsageError when the file cannot be
/// read.
[[nodiscard]] DataSet read_data(const std::string& path, std::size_t limit);

/// Reads several, whose names must be different. Throws as read_data().
[[nodiscard]] std::vector<DataSet> read_data(const std::vector<std::string>& paths, std::size_t limit);

/// The judged messages of rows, by set and id.
using RowTexts = std::map<std::pair<std::string, std::string>, std::string>;
[[nodiscard]] RowTexts texts_of(std::vector<DataSet> sets);

/// Names the bad rows on stderr: the first ones of each file, and how many there are.
void report_bad_rows(const std::vector<DataSet>& sets);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_DATA_ROWS_HPP
