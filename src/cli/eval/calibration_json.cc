// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "cli/eval/calibration_out.hpp"
#include "cli/eval/counts_out.hpp"
#include "cli/wire.hpp"
#include "evaluation/calibration/intervals.hpp"
#include "evaluation/significance.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

using evaluation::KeptRules;
using evaluation::RoleCalibration;

const char* name_of(KeptRules kept) {
  switch (kept) {
    case KeptRules::no:
      return "";
    case KeptRules::no_rows:
      return "no_rows";
    case KeptRules::no_safe:
      return "no_safe";
    case KeptRules::no_unsafe:
      return "no_unsafe";
    case KeptRules::no_threshold:
      return "no_threshold";
  }
  return "";
}

void put_calibrated_counts(JsonOut& json, const char* key, const CalibrationReport& report,
                           const evaluation::Counts& counts) {
  const double beta = report.options.goal.beta;
  const auto bounds = [](std::int64_t k, std::int64_t n) {
    return n == 0 ? std::nullopt : std::optional(evaluation::wilson_interval(k, n));
  };
  json.key(key).begin_object();
  json.key("tp").integer(counts.tp).key("fp").integer(counts.fp);
  json.key("fn").integer(counts.fn).key("tn").integer(counts.tn);
  put_share(json, "false_alarm_rate", counts.false_alarm_rate());
  put_interval(json, "false_alarm_rate_interval", bounds(counts.fp, counts.fp + counts.tn));
  put_share(json, "recall", counts.recall());
  put_interval(json, "recall_interval", bounds(counts.tp, counts.tp + counts.fn));
  put_share(json, "precision", counts.precision());
  put_share(json, "f_beta", evaluation::f_beta(counts, beta));
  put_interval(json, "f_beta_interval",
               evaluation::f_beta_interval(counts, beta, {kCalibrationResamples, report.options.seed}));
  json.end_object();
}

void put_outcome(JsonOut& json, const char* key, const CalibrationReport& report,
                 const std::optional<evaluation::Outcome>& outcome) {
  json.key(key);
  if (!outcome) {
    json.null();
    return;
  }
  json.begin_object();
  put_calibrated_counts(json, "block", report, outcome->block);
  put_calibrated_counts(json, "flag", report, outcome->flag);
  json.end_object();
}

/// What was found; null when nothing was.
void put_fit(JsonOut& json, const CalibrationReport& report, const RoleCalibration& role) {
  json.key("fit");
  if (role.kept != KeptRules::no) {
    json.null();
    return;
  }
  const auto steps = evaluation::steps_of(report.base.rules, role.role);
  const auto& fit = role.fit;
  json.begin_object();
  json.key("temperature").number(fit.temperature.temperature);
  const auto held_out = [&](double loss) { return role.folds.empty() ? std::nullopt : std::optional(loss); };
  put_share(json, "held_out_loss", held_out(fit.temperature.held_out));
  put_share(json, "held_out_loss_at_1", held_out(fit.temperature.held_out_at_1));
  json.key("block_thresholds").begin_object();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto category = static_cast<Category>(i);
    if (steps[i] == evaluation::Step::block && (role.role == Role::user || category != Category::jailbreak))
      json.key(to_string(category)).number(fit.block[i]);
  }
  json.end_object();
  json.key("own_thresholds").begin_array();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto category = static_cast<Category>(i);
    if ((fit.own & evaluation::set_of(category)) != 0) json.string(to_string(category));
  }
  json.end_array();
  put_share(json, "flag_threshold", fit.flag ? std::optional(static_cast<double>(*fit.flag)) : std::nullopt);
  json.key("consecutive_tokens");
  fit.is_of_tokens ? json.integer(fit.debounce.consecutive_tokens) : json.null();
  json.end_object();
}

void put_calibrated_role(JsonOut& json, const CalibrationReport& report, const RoleCalibration& role) {
  json.begin_object();
  json.key("kept_because");
  role.kept == KeptRules::no ? json.null() : json.string(name_of(role.kept));
  json.key("rows").begin_object();
  json.key("Safe").integer(role.n_safe).key("Controversial").integer(role.n_controversial);
  json.key("Unsafe").integer(role.n_unsafe).key("weak").integer(role.n_weak);
  json.key("denied").integer(role.n_denied).key("not_judged").integer(role.n_not_judged);
  json.key("no_label").integer(role.n_no_label).key("not_ruled").integer(role.n_not_ruled);
  json.end_object();
  put_fit(json, report, role);
  put_outcome(json, "before", report, role.before);
  put_outcome(json, "after", report, role.after);
  put_outcome(json, "cross_validated", report, role.cross_validated);
  json.key("n_folds").integer(static_cast<std::int64_t>(role.by_fold.size()));
  json.key("warnings").begin_array();
  for (const std::string& warning : calibration_warnings(report, role)) json.string(warning);
  json.end_array();
  json.end_object();
}

}  // namespace

std::string calibration_to_json(const CalibrationReport& report) {
  JsonOut json;
  json.begin_output("calibration");
  const auto put_name = [&](const char* key, const PolicySpec& spec) {
    json.key(key).begin_object();
    json.key("name").string(spec.name).key("version").string(spec.version).end_object();
  };
  put_name("policy", report.found.policy);
  put_name("base", report.base);
  put_share(json, "target_fpr", report.options.goal.target_fpr);
  json.key("beta").number(report.options.goal.beta);
  json.key("seed").integer(static_cast<std::int64_t>(report.options.seed));
  put_calibrated_role(json.key("prompt"), report, report.found.roles[0]);
  put_calibrated_role(json.key("response"), report, report.found.roles[1]);
  json.end_object();
  return json.text();
}

}  // namespace qwen3guard::cli
