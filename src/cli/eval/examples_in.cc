// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/examples_in.hpp"

#include <limits>
#include <set>
#include <span>
#include <utility>

#include "cli/cli.hpp"
#include "cli/errors.hpp"
#include "cli/eval/judge.hpp"
#include "cli/eval/run_folder.hpp"
#include "evaluation/files.hpp"
#include "wire/fields_in.hpp"
#include "wire/verdict_in.hpp"

namespace qwen3guard::cli {
namespace {

/// Texts of rows, by set and id.
struct KnownTexts {
  RowTexts texts;
  std::set<std::string> sets;
};

KnownTexts read_texts(const std::vector<std::string>& data) {
  KnownTexts out;
  std::vector<DataSet> sets = read_data(data, std::numeric_limits<std::size_t>::max());
  for (const DataSet& set : sets) out.sets.insert(set.name);
  out.texts = texts_of(std::move(sets));
  return out;
}

evaluation::Example read_example(evaluation::Record record, const JsonValue& line, const KnownTexts& known) {
  evaluation::Example out;
  out.role = record.role;
  out.gold = std::move(record.gold);
  const auto verdict = line.find("verdict");  // read_prediction() has seen it
  if (!verdict->find("error")) {
    try {
      out.verdict = read_verdict(*verdict);
    } catch (const LineError& e) {
      throw LineError(e.code, std::string("verdict.") + e.what());
    }
  }
  out.verdict.role = out.role;
  const auto text = known.texts.find(std::pair(record.set, record.id));
  if (text != known.texts.end()) {
    out.text = text->second;
    out.group = out.text;
  } else if (known.sets.contains(record.set)) {
    fail("", "the row " + printable(record.id) + " is not in the data of the set " + printable(record.set));
  } else {
    // The same text gives the same numbers.
    const auto probabilities = verdict->find("probabilities"), tokens = verdict->find("tokens");
    if (probabilities && tokens) out.group = std::string(probabilities->raw()) + std::string(tokens->raw());
  }
  return out;
}

}  // namespace

std::vector<evaluation::Example> read_examples(const std::string& folder,
                                               const std::vector<std::string>& data) {
  const KnownTexts known = read_texts(data);
  std::vector<evaluation::Example> out;
  std::set<std::string> unused = known.sets;
  load_predictions(folder, [&](evaluation::Record record, const JsonValue& line) {
    unused.erase(record.set);
    out.push_back(read_example(std::move(record), line, known));
  });
  if (!unused.empty())
    throw UsageError(printable(folder) + ": has no predictions of the set " + quote(*unused.begin()) +
                     ", whose data were given");
  return out;
}

std::vector<evaluation::Example> judge_examples(const Guard& guard, const PolicySpec& base,
                                                const std::vector<DataSet>& sets) {
  constexpr std::size_t kBatchRows = 64;
  PolicySpec without_lists = base;
  without_lists.lists = {};
  ClassifyOptions options;
  options.policy = Policy::make(std::move(without_lists)).value();
  options.keep_token_verdicts = guard.info().kind == ModelKind::stream;
  const std::vector<RowOfSet> rows = rows_of(sets);
  std::vector<evaluation::Example> out;
  out.reserve(rows.size());
  const bool is_complete =
      judge_rows(guard, options, rows, kBatchRows, 0, [&](std::span<const JudgedRow> judged) {
        for (const JudgedRow& one : judged) {
          evaluation::Example example;
          const Message& message = one.row->messages.back();
          example.gold = one.row->gold;
          if (one.verdict.ok()) example.verdict = *one.verdict;
          example.role = example.verdict.role = message.role;
          example.text = example.group = message.content;
          out.push_back(std::move(example));
        }
      });
  if (!is_complete) {
    print_warning("interrupted; nothing is written");
    throw CLI::RuntimeError(kExitInterrupted);
  }
  return out;
}

}  // namespace qwen3guard::cli
