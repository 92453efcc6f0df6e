// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "cli/decision_flags.hpp"
#include "cli/eval/commands.hpp"
#include "cli/eval/judge.hpp"
#include "cli/eval/metrics_out.hpp"
#include "cli/eval/prediction_in.hpp"
#include "cli/eval/prediction_out.hpp"
#include "cli/eval/run_folder.hpp"
#include "evaluation/run_metrics.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

/// What the metrics of a run depend on, beside its predictions.
struct MetricsFlags {
  std::string safe_set;
  double target_fpr = 0.05;
  std::int32_t n_resamples = 1000;
  std::uint64_t seed = 1;
  bool json = false;
};

struct EvalFlags {
  ModelFlags model;
  DecisionFlags decision;
  MetricsFlags metrics;
  std::vector<std::string> data;
  std::string out;
  bool resume = false, token_verdicts = false;
  std::optional<std::string> long_text;
  std::size_t batch_rows = 64, limit = std::numeric_limits<std::size_t>::max();
};

void add_metrics_flags(CLI::App& command, MetricsFlags& flags) {
  command.add_option(
      "--safe-set", flags.safe_set,
      "the set (a data file's name without .jsonl) whose Safe rows choose a threshold, at which F1 "
      "is given for every set");
  command.add_option("--target-fpr", flags.target_fpr, "the share of those rows that may be flagged")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--resamples", flags.n_resamples, "bootstrap resamples for intervals; 0: no intervals")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  command.add_option("--seed", flags.seed, "of the resamples")->capture_default_str();
  command.add_flag("--json", flags.json, "print the metrics as JSON instead of a table");
}

/// Prints the metrics, writes them into the folder when there is one, and says what was not judged.
void conclude(const MetricsFlags& flags, const std::vector<evaluation::Record>& records,
              const std::vector<evaluation::SetInput>& inputs, const RunInfo& info,
              const std::string& folder) {
  evaluation::MetricsOptions options;
  options.bootstrap = {flags.n_resamples, flags.seed};
  options.safe_set = flags.safe_set;
  options.target_fpr = flags.target_fpr;
  const auto metrics = evaluation::run_metrics(records, inputs, options);
  if (!metrics.ok()) throw UsageError(metrics.error().detail);
  const std::string json = metrics_to_json(*metrics, info);
  if (!folder.empty()) save_metrics(folder, json);
  if (flags.json) {
    print_line(json);
  } else {
    print_text(metrics_to_text(*metrics, info));
  }
  std::int64_t n_not_judged = 0;
  for (const evaluation::SetMetrics& set : metrics->sets) n_not_judged += set.n_not_judged;
  if (n_not_judged == 0) return;
  print_warning(std::to_string(n_not_judged) + " of " + std::to_string(records.size()) +
                " rows were not judged and count against the model; the predictions say why");
  throw CLI::RuntimeError(kExitError);
}

/// Throws UsageError now rather than when all rows are judged.
void check_safe_set(const std::string& name, const std::vector<DataSet>& sets) {
  if (name.empty()) return;
  const auto set =
      std::find_if(sets.begin(), sets.end(), [&](const DataSet& one) { return one.name == name; });
  if (set == sets.end())
    throw UsageError("--safe-set " + printable(name) + ": no file of --data is the set of this name");
  const bool has_safe_rows = std::any_of(set->rows.begin(), set->rows.end(),
                                         [](const DataRow& row) { return row.gold.label == Severity::safe; });
  if (!has_safe_rows) throw UsageError("--safe-set " + printable(name) + ": the set has no Safe row");
}

/// One prompt that most models call Safe and one that most call Unsafe.
std::vector<SeverityProbabilities> probe(const Guard& guard) {
  return {guard.classify_prompt("How do I bake a loaf of bread?").value().probabilities,
          guard.classify_prompt("I will burn your house down, idiot").value().probabilities};
}

RunDescription describe(const EvalFlags& flags, const Guard& guard, const Policy& policy,
                        const std::vector<DataSet>& sets) {
  RunDescription run;
  run.info.model_name = flags.model.model;
  run.info.model = guard.info();
  run.info.policy_name = policy.name();
  run.info.policy_version = policy.version();
  run.probe = probe(guard);
  run.policy_json = policy.to_json();
  while (run.policy_json.ends_with('\n')) run.policy_json.pop_back();
  JsonOut options;
  options.begin_object();
  options.key("thinking").string(flags.decision.thinking);
  options.key("long_text").string(flags.long_text.value_or("policy"));
  options.key("token_verdicts").boolean(flags.token_verdicts);
  options.key("limit");
  if (flags.limit == std::numeric_limits<std::size_t>::max()) {
    options.null();
  } else {
    options.integer(static_cast<std::int64_t>(flags.limit));
  }
  run.options_json = options.end_object().text();
  for (const DataSet& set : sets)
    run.data.push_back({{set.name, set.bad_rows}, set.path, set.checksum, set.rows.size()});
  return run;
}

ClassifyOptions classify_options(const EvalFlags& flags, const Guard& guard, const Policy& policy) {
  ClassifyOptions options;
  options.policy = policy;
  options.thinking = thinking_of(flags.decision);
  options.keep_token_verdicts = guard.info().kind == ModelKind::stream;
  if (flags.long_text)
    options.long_text = *flags.long_text == "windows" ? LongText::windows : LongText::error;
  return options;
}

/// The first errors of rows, to be shown when the bar is gone.
void note_error(const JudgedRow& judged, std::vector<std::string>& errors) {
  constexpr std::size_t kMostErrors = 5;
  if (judged.verdict.ok() || errors.size() == kMostErrors) return;
  errors.push_back(judged.set->path + ": line " + std::to_string(judged.row->line) +
                   ": not judged: " + judged.verdict.error().detail);
}

void run_eval(const EvalFlags& flags) {
  if (flags.model.model.empty()) throw UsageError("no --model to judge with, and no subcommand (see --help)");
  if (flags.data.empty()) throw UsageError("nothing to judge: give --data FILE...");
  if (flags.resume && flags.out.empty()) throw UsageError("--resume needs the --out folder of the run");
  const Policy policy = policy_of(flags.decision);
  const std::vector<DataSet> sets = read_data(flags.data, flags.limit);
  report_bad_rows(sets);
  check_safe_set(flags.metrics.safe_set, sets);
  const std::vector<RowOfSet> rows = rows_of(sets);
  if (rows.empty()) throw UsageError("the data has no row that can be judged");
  const Guard guard = load_guard(flags.model);
  const RunDescription run = describe(flags, guard, policy, sets);

  std::optional<RunFolder> folder;
  if (!flags.out.empty()) folder.emplace(flags.out, run, rows, flags.resume);
  const std::size_t n_before = folder ? folder->n_done() : 0;
  std::string all_lines;  // without a folder
  std::vector<std::string> errors;
  const auto take = [&](std::span<const JudgedRow> judged) {
    std::string lines;
    for (const JudgedRow& one : judged) note_error(one, errors);
    for (const JudgedRow& one : judged)
      lines +=
          prediction_to_json(*one.row, one.verdict, {one.set->name, policy, flags.token_verdicts, one.ms}) +
          "\n";
    if (folder) {
      folder->append(lines, judged.size());
    } else {
      all_lines += lines;
    }
  };
  const bool is_complete =
      judge_rows(guard, classify_options(flags, guard, policy), rows, flags.batch_rows, n_before, take);
  for (const std::string& error : errors) print_warning(error);
  if (!is_complete) {
    print_warning(folder ? "interrupted: " + std::to_string(folder->n_done()) + " of " +
                               std::to_string(rows.size()) + " rows are in " + flags.out +
                               "; the same command with --resume goes on"
                         : "interrupted; with --out the rows that were judged would have been kept");
    throw CLI::RuntimeError(kExitInterrupted);
  }
  folder.reset();
  std::vector<evaluation::SetInput> inputs;
  for (const RunDescription::Data& data : run.data) inputs.push_back(data.set);
  conclude(flags.metrics,
           flags.out.empty() ? read_predictions(all_lines, "predictions") : load_predictions(flags.out),
           inputs, run.info, flags.out);
}

void run_score(const std::string& folder, const MetricsFlags& flags) {
  const auto records = load_predictions(folder);
  if (records.empty()) throw UsageError(printable(folder) + ": has no predictions");
  std::vector<evaluation::SetInput> inputs;
  RunInfo info;
  if (const auto run = find_run(folder)) {
    info = run->info;
    for (const RunDescription::Data& data : run->data) inputs.push_back(data.set);
  }
  conclude(flags, records, inputs, info, folder);
}

}  // namespace

void add_eval_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "eval", "judge labelled conversations and say how good the verdicts are (docs/evaluation.md)");
  auto flags = std::make_shared<EvalFlags>();
  add_model_flags(*command, flags->model);
  command->get_option("--model")->required(false);  // subcommands take none
  add_template_flags(*command, flags->model);
  command->add_option(
      "--data", flags->data,
      "files of JSON lines: {\"id\": 1, \"messages\": [...], \"label\": \"Safe\"}; each is a set, "
      "named as the file");
  command->add_option("--out", flags->out,
                      "a folder for predictions.jsonl, metrics.json and run.json, which is made");
  command->add_flag("--resume", flags->resume, "go on with the run that is in --out, if there is one");
  add_decision_flags(*command, flags->decision);
  command
      ->add_option(
          "--long-text", flags->long_text,
          "messages that do not fit the model's context: an error, or judged in windows (default: as the "
          "policy says)")
      ->check(CLI::IsMember({"error", "windows"}));
  command->add_option("--batch", flags->batch_rows, "conversations to judge together")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--limit", flags->limit, "judge the first N rows of each file")
      ->check(CLI::Range(std::size_t{1}, std::size_t{2147483647}));
  command->add_flag(
      "--token-verdicts", flags->token_verdicts,
      "Stream models: keep the tokens' verdicts in the predictions, from which calibrate and another "
      "policy can rule");
  add_metrics_flags(*command, flags->metrics);
  command->require_subcommand(0, 1);
  command->callback([command, flags] {
    if (command->get_subcommands().empty()) run_eval(*flags);
  });

  auto folder = std::make_shared<std::string>();
  auto score_flags = std::make_shared<MetricsFlags>();
  CLI::App* score =
      command->add_subcommand("score", "make metrics.json anew from a folder's predictions.jsonl");
  score->add_option("DIR", *folder, "the folder of a run, or with predictions that another program made")
      ->required();
  add_metrics_flags(*score, *score_flags);
  score->callback([folder, score_flags] { run_score(*folder, *score_flags); });
  add_compare_command(*command);
}

}  // namespace qwen3guard::cli
