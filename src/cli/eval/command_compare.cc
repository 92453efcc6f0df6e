// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "cli/eval/commands.hpp"
#include "cli/eval/comparison_out.hpp"
#include "cli/eval/data_rows.hpp"
#include "cli/eval/run_folder.hpp"
#include "evaluation/files.hpp"

namespace qwen3guard::cli {
namespace {

constexpr int kExitGateFailed = 1;

struct CompareFlags {
  std::string a, b, out;
  std::vector<std::string> data;
  std::optional<double> fail_above;
  evaluation::BootstrapOptions bootstrap;
  std::size_t limit = 20;
  bool json = false;
};

RowTexts judged_texts(const std::vector<std::string>& files) {
  RowTexts texts;
  for (DataSet& set : read_data(files, std::numeric_limits<std::size_t>::max())) {
    for (DataRow& row : set.rows)
      texts.emplace(std::pair(set.name, row.id), std::move(row.messages.back().content));
  }
  return texts;
}

ComparedRun find_compared_run(const std::string& folder) {
  ComparedRun run{folder, {}};
  if (const auto description = find_run(folder)) run.info = description->info;
  return run;
}

double possible_fall(const evaluation::ModeComparison& mode) {
  if (!mode.f1 || !mode.f1->interval)
    throw UsageError(
        "--fail-above: there is no interval of F1; expected labelled rows, some of them harmful, and "
        "--resamples above 0");
  return std::max(0.0, -mode.f1->interval->low);
}

/// Throws UsageError when the rows cannot answer for the whole of run A.
Gate gate_of(double limit, const ComparisonReport& report) {
  const std::size_t n_missing = report.pairing.only_a.size(), n_other = report.pairing.different_gold.size();
  if (n_missing + n_other > 0)
    throw UsageError("--fail-above: of the rows of A, " + std::to_string(n_missing) + " are not in B and " +
                     std::to_string(n_other) + " have other gold answers there; expected the same data");
  // A set may be without harmful rows in loose mode alone.
  const bool has_loose = report.comparison.all.loose.f1.has_value();
  return {limit, possible_fall(report.comparison.all.strict),
          has_loose ? possible_fall(report.comparison.all.loose) : 0};
}

void run_compare(const CompareFlags& flags) {
  const std::vector<evaluation::Record> a = load_predictions(flags.a), b = load_predictions(flags.b);
  ComparisonReport report;
  report.a = find_compared_run(flags.a);
  report.b = find_compared_run(flags.b);
  report.bootstrap = flags.bootstrap;
  report.limit = flags.limit;
  report.texts = judged_texts(flags.data);
  report.pairing = evaluation::pair_records(a, b).value();
  if (report.pairing.pairs.empty())
    throw UsageError(printable(flags.a) + " and " + printable(flags.b) +
                     " have no row in common; expected sets and ids that are the same, with the same gold "
                     "answers");
  report.comparison = evaluation::compare(report.pairing, flags.bootstrap);
  if (flags.fail_above) report.gate = gate_of(*flags.fail_above, report);

  const std::string json = comparison_to_json(report);
  if (!flags.out.empty()) evaluation::write_file(flags.out, json + "\n", true).throw_if_error();
  if (flags.json) {
    print_line(json);
  } else {
    print_text(comparison_to_text(report, wants_color(stdout)));
  }
  if (report.gate && !report.gate->is_passed()) throw CLI::RuntimeError(kExitGateFailed);
}

}  // namespace

void add_compare_command(CLI::App& eval) {
  auto flags = std::make_shared<CompareFlags>();
  CLI::App* command = eval.add_subcommand(
      "compare", "say what run B does differently from run A: another model, quantisation or policy");
  command->add_option("A", flags->a, "the folder of a run, or with predictions that another program made")
      ->required();
  command->add_option("B", flags->b, "another, over the same data")->required();
  command->add_option("--data", flags->data,
                      "the data files of the runs: the texts of rows that differ are shown, too");
  command->add_option("--limit", flags->limit, "how many disagreements to list")->capture_default_str();
  command
      ->add_option("--fail-above", flags->fail_above,
                   "exit code 1 when F1 may fall by more than this share (0.01: one point), by the lower end "
                   "of its 95 % interval, in strict or in loose mode")
      ->check(CLI::Range(0.0, 1.0));
  command
      ->add_option("--resamples", flags->bootstrap.n_resamples,
                   "bootstrap resamples for intervals; 0: no intervals")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command->add_option("--seed", flags->bootstrap.seed, "of the resamples")->capture_default_str();
  command->add_option("--out", flags->out, "a file to write the comparison to, as JSON");
  command->add_flag("--json", flags->json, "print it as one JSON object instead of tables");
  command->callback([flags] { run_compare(*flags); });
}

}  // namespace qwen3guard::cli
