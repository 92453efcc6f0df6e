// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "cli/eval/commands.hpp"
#include "cli/eval/comparison_out.hpp"
#include "cli/eval/data_rows.hpp"
#include "cli/eval/figures_text.hpp"
#include "cli/eval/run_folder.hpp"
#include "evaluation/files.hpp"
#include "wire/fields_in.hpp"

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

/// Sets that are in both, of files that are not the same.
std::vector<std::string> other_data(const RunDescription& a, const RunDescription& b) {
  std::vector<std::string> sets;
  for (const RunDescription::Data& in_a : a.data) {
    const auto in_b = std::find_if(b.data.begin(), b.data.end(), [&in_a](const RunDescription::Data& data) {
      return data.set.name == in_a.set.name;
    });
    if (in_b != b.data.end() && in_b->checksum != in_a.checksum) sets.push_back(in_a.set.name);
  }
  return sets;
}

std::vector<OtherOption> other_options(const RunDescription& a, const RunDescription& b) {
  std::map<std::string, OtherOption> options;
  const auto read = [&options](const std::string& json, std::string OtherOption::*value) {
    for (const JsonValue::Member& member : members_of(JsonValue::parse(json), "options", "an object")) {
      OtherOption& option =
          options.try_emplace(member.key, OtherOption{member.key, "null", "null"}).first->second;
      option.*value = member.value.raw();
    }
  };
  read(a.options_json, &OtherOption::a);
  read(b.options_json, &OtherOption::b);
  std::vector<OtherOption> out;
  for (auto& [name, option] : options)
    if (option.a != option.b) out.push_back(std::move(option));
  return out;
}

/// What run.json says of both, where there is one.
void describe_runs(const CompareFlags& flags, ComparisonReport& report) {
  report.a.folder = flags.a;
  report.b.folder = flags.b;
  const auto a = find_run(flags.a), b = find_run(flags.b);
  if (a) report.a.info = a->info;
  if (b) report.b.info = b->info;
  if (!a || !b) return;
  report.other_data = other_data(*a, *b);
  report.other_options = other_options(*a, *b);
}

void check_interval(const evaluation::ModeComparison& mode) {
  if (!mode.f1 || !mode.f1->interval)
    throw UsageError(
        "--fail-above: there is no interval of F1; expected labelled rows, some of them harmful, and "
        "--resamples above 0");
}

/// How far F1 may fall by the lower end of an interval.
double fall_of(const std::optional<evaluation::Interval>& interval) {
  return interval ? std::max(0.0, -interval->low) : 0;
}

/// Throws UsageError when the rows cannot answer for the whole of run A.
Gate gate_of(double limit, const ComparisonReport& report) {
  const std::size_t n_missing = report.pairing.only_a.size(), n_other = report.pairing.different_gold.size();
  if (n_missing + n_other > 0)
    throw UsageError("--fail-above: of the rows of A, " + std::to_string(n_missing) + " are not in B and " +
                     std::to_string(n_other) + " have other gold answers there; expected the same data");
  if (!report.other_data.empty())
    throw UsageError("--fail-above: A and B judged different files of " +
                     counted(static_cast<std::int64_t>(report.other_data.size()), "set") + " (" +
                     bounded_name(report.other_data.front()) + (report.other_data.size() > 1 ? ", ..." : "") +
                     "), so that rows with the same id may have other texts; expected the same data");
  const evaluation::ModeComparison& strict = report.comparison.all.strict;
  const evaluation::ModeComparison& loose = report.comparison.all.loose;
  check_interval(strict);
  if (loose.f1) check_interval(loose);  // a set may be without harmful rows in loose mode alone
  Gate gate{limit, fall_of(strict.f1_bound), fall_of(loose.f1_bound)};
  const double by_bootstrap =
      std::max(fall_of(strict.f1->interval), loose.f1 ? fall_of(loose.f1->interval) : 0);
  gate.is_for_few_rows = !gate.is_passed() && by_bootstrap <= limit;
  return gate;
}

void run_compare(const CompareFlags& flags) {
  const std::vector<evaluation::Record> a = load_predictions(flags.a), b = load_predictions(flags.b);
  ComparisonReport report;
  describe_runs(flags, report);
  report.bootstrap = flags.bootstrap;
  report.limit = flags.limit;
  report.texts = texts_of(read_data(flags.data, std::numeric_limits<std::size_t>::max()));
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
                   "of the 95 % interval shown for all rows, in strict or in loose mode")
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
