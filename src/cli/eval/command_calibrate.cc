// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "cli/eval/calibration_out.hpp"
#include "cli/eval/commands.hpp"
#include "cli/eval/examples_in.hpp"
#include "cli/eval/judge.hpp"
#include "cli/load_policy.hpp"
#include "evaluation/files.hpp"

namespace qwen3guard::cli {
namespace {

struct CalibrateFlags {
  ModelFlags model;
  std::string predictions, base = "strict", out, report, name, version;
  std::vector<std::string> data;
  std::optional<double> target_fpr, beta;
  std::int32_t n_folds = 5;
  std::uint32_t seed = 1;
  bool force = false, json = false;
};

evaluation::FitOptions checked_options(const CalibrateFlags& flags) {
  if (flags.target_fpr.has_value() == flags.beta.has_value())
    throw UsageError(flags.beta
                         ? "--target-fpr and --f-beta are both given; expected one of them"
                         : "neither --target-fpr nor --f-beta is given; expected one of them, as what a "
                           "threshold is to reach");
  if (flags.target_fpr && !(*flags.target_fpr > 0 && *flags.target_fpr < 1))
    throw UsageError(
        "--target-fpr must be more than 0 and less than 1; 0.01 is one false alarm in 100 safe texts");
  if (flags.beta && !(*flags.beta > 0 && *flags.beta <= 100))
    throw UsageError(
        "--f-beta must be more than 0 and at most 100; with 2, recall counts for twice as much as precision");
  if (flags.n_folds < 2) throw UsageError("--folds must be at least 2");
  evaluation::FitOptions out;
  out.goal.target_fpr = flags.target_fpr;
  out.goal.beta = flags.beta.value_or(1);
  out.n_folds = flags.n_folds;
  out.seed = flags.seed;
  return out;
}

void check_outputs(const CalibrateFlags& flags) {
  if (!flags.report.empty() && flags.report == flags.out)
    throw UsageError("--out and --report name the same file");
  for (const std::string& path : {flags.out, flags.report}) {
    if (!flags.force && !path.empty() && evaluation::exists(path))
      throw UsageError(printable(path) + ": the file exists; --force replaces it");
    if (path.empty()) continue;
    const Status writable = evaluation::check_output(path, flags.force);
    if (!writable.ok()) throw UsageError(writable.error().detail);
  }
}

std::vector<evaluation::Example> judged_rows(const CalibrateFlags& flags, const PolicySpec& base) {
  if (flags.data.empty()) throw UsageError("--model judges the rows of --data FILE..., and there is none");
  const std::vector<DataSet> sets = read_data(flags.data, std::numeric_limits<std::size_t>::max());
  report_bad_rows(sets);
  if (rows_of(sets).empty()) throw UsageError("the data has no row that can be judged");
  return judge_examples(load_guard(flags.model), base, sets);
}

std::vector<evaluation::Example> calibration_rows(const CalibrateFlags& flags, const PolicySpec& base) {
  if (flags.predictions.empty() == flags.model.model.empty())
    throw UsageError(
        flags.predictions.empty()
            ? "neither --predictions nor --model is given; expected the folder of an eval run, or "
              "a model and --data to judge"
            : "--predictions and --model are both given; expected one of them");
  if (flags.predictions.empty()) return judged_rows(flags, base);
  auto rows = read_examples(flags.predictions, flags.data);
  if (rows.empty()) throw UsageError(printable(flags.predictions) + ": has no predictions");
  return rows;
}

PolicySpec named(PolicySpec spec, const CalibrateFlags& flags) {
  constexpr std::size_t kMaxNameBytes = 63;
  constexpr const char* kSuffix = "-calibrated";
  if (!flags.name.empty()) {
    spec.name = flags.name;
  } else if (!spec.name.ends_with(kSuffix)) {
    spec.name =
        spec.name.size() + std::string(kSuffix).size() > kMaxNameBytes ? "calibrated" : spec.name + kSuffix;
  }
  if (!flags.version.empty()) spec.version = flags.version;
  return spec;
}

/// When no role could be calibrated, there is nothing to write.
void refuse_nothing(const CalibrationReport& report) {
  std::string why;
  for (const auto& role : report.found.roles) {
    if (role.kept == evaluation::KeptRules::no) return;
    for (const std::string& warning : calibration_warnings(report, role))
      why += (role.role == Role::user ? " Prompts: " : " Responses: ") + warning;
  }
  throw UsageError("nothing was calibrated, and no policy is written." + why);
}

void calibrate_policy(const CalibrateFlags& flags) {
  const evaluation::FitOptions options = checked_options(flags);
  check_outputs(flags);
  const PolicySpec base = load_policy(flags.base).spec();
  const auto rows = calibration_rows(flags, base);
  evaluation::Calibration found = evaluation::calibrate(base, rows, options).value();
  found.policy = named(std::move(found.policy), flags);
  const bool has_texts =
      std::all_of(rows.begin(), rows.end(), [](const auto& row) { return !row.text.empty(); });
  const CalibrationReport report{base, found, options, has_texts};
  refuse_nothing(report);

  const Policy policy = Policy::make(found.policy).value();
  evaluation::write_file(flags.out, policy.to_json(), flags.force).throw_if_error();
  const std::string json = calibration_to_json(report);
  if (!flags.report.empty()) evaluation::write_file(flags.report, json + '\n', flags.force).throw_if_error();
  if (flags.json) return print_line(json);
  print_text(calibration_to_text(report));
  print_line(escaped(flags.out) + ": policy " + escaped(policy.name()) + ", version " +
             escaped(policy.version()));
}

}  // namespace

void add_calibrate_command(CLI::App& app) {
  auto flags = std::make_shared<CalibrateFlags>();
  CLI::App* command = app.add_subcommand(
      "calibrate",
      "fit a policy's thresholds to labelled rows, and say what they are worth (docs/calibration.md)");
  command->add_option(
      "--predictions", flags->predictions,
      "the folder of an eval run to learn from; of a Stream checkpoint, a run with --token-verdicts");
  add_model_flags(*command, flags->model);
  command->get_option("--model")->required(false);
  command->add_option(
      "--data", flags->data,
      "labelled rows, as for eval: to be judged by --model; beside --predictions, the texts of its rows, "
      "for the base policy's lists and to keep equal texts together");
  command->add_option(
      "--target-fpr", flags->target_fpr,
      "the share of safe rows that may be blocked, such as 0.01; thresholds are as low as it allows");
  command->add_option(
      "--f-beta", flags->beta,
      "instead: the thresholds with the highest F-beta; 1: precision and recall count the same");
  command
      ->add_option(
          "--policy", flags->base,
          "what the new policy has its mode, its categories that are off, its lists and all else from: " +
              std::string(kPolicyForm))
      ->capture_default_str();
  command->add_option("--out", flags->out, "the policy's file to write")->required();
  command->add_option("--name", flags->name,
                      "the new policy's name; default: that of the base and \"-calibrated\"");
  command->add_option("--version", flags->version, "the new policy's version; default: that of the base");
  command->add_option("--folds", flags->n_folds, "parts of the rows for cross-validation")
      ->capture_default_str();
  command->add_option("--seed", flags->seed, "of the parts and the intervals")->capture_default_str();
  command->add_option("--report", flags->report, "a file to write with all figures, as one JSON object");
  command->add_flag("--json", flags->json, "print that JSON instead of the text");
  command->add_flag("--force", flags->force, "replace files that exist");
  command->callback([flags] { calibrate_policy(*flags); });
}

}  // namespace qwen3guard::cli
