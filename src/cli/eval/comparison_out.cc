// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/comparison_out.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "cli/eval/conclusion.hpp"
#include "cli/eval/counts_out.hpp"
#include "cli/wire.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::cli {
namespace {

using evaluation::FigureDifference;
using evaluation::GroupComparison;
using evaluation::ModeComparison;
using evaluation::PairedCounts;
using evaluation::Record;

void put_compared_run(JsonOut& json, const char* key, const ComparedRun& run) {
  json.key(key).begin_object();
  json.key("folder").string(run.folder);
  put_model(json.key("model"), run.info);
  json.key("policy");
  if (run.info.policy_name.empty()) {
    json.null();
  } else {
    json.begin_object().key("name").string(run.info.policy_name);
    json.key("version").string(run.info.policy_version).end_object();
  }
  json.end_object();
}

/// In what the runs differ besides model and policy.
void put_differences(JsonOut& json, const ComparisonReport& report) {
  json.key("other_data").begin_array();
  for (const std::string& set : report.other_data) json.string(set);
  json.end_array().key("other_options").begin_array();
  for (const OtherOption& option : report.other_options) {
    json.begin_object().key("option").string(option.name);
    json.key("a").raw(option.a);
    json.key("b").raw(option.b).end_object();
  }
  json.end_array();
}

void put_paired(JsonOut& json, const char* key, const PairedCounts& counts) {
  json.key(key).begin_object();
  json.key("both").integer(counts.both);
  json.key("only_a").integer(counts.only_a);
  json.key("only_b").integer(counts.only_b);
  json.key("neither").integer(counts.neither);
  json.key("p").number(evaluation::mcnemar_p(counts.only_a, counts.only_b));
  const evaluation::ShareDifference difference = evaluation::share_difference(counts);
  const bool has_rows = counts.n() > 0;
  put_share(json, "difference", has_rows ? std::optional(difference.value) : std::nullopt);
  put_interval(json, "interval", has_rows ? std::optional(difference.interval) : std::nullopt);
  json.end_object();
}

void put_figure(JsonOut& json, const char* key, const std::optional<FigureDifference>& figure) {
  json.key(key);
  if (!figure) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("a").number(figure->a);
  json.key("b").number(figure->b);
  json.key("difference").number(figure->b - figure->a);
  put_interval(json, "interval", figure->interval);
  json.end_object();
}

void put_mode_comparison(JsonOut& json, const char* key, const ModeComparison& mode) {
  json.key(key).begin_object();
  put_counts(json, "a", mode.counts_a);
  put_counts(json, "b", mode.counts_b);
  put_paired(json, "right", mode.right);
  put_paired(json, "harm_found", mode.found);
  put_paired(json, "false_alarms", mode.false_alarms);
  put_figure(json, "f1", mode.f1);
  put_interval(json, "f1_bound", mode.f1_bound);
  json.end_object();
}

/// Rows by what A (rows) and B (columns) say; the first name is that of the value 0.
template <class Enum, std::size_t n>
void put_cross_table(JsonOut& json, const char* key, const evaluation::CrossTable<n>& table) {
  json.key(key).begin_object().key("labels").begin_array();
  for (std::size_t i = 0; i < n; ++i) json.string(to_string(static_cast<Enum>(i)));
  json.end_array().key("counts").begin_array();
  for (const auto& row : table) {
    json.begin_array();
    for (const std::int64_t count : row) json.integer(count);
    json.end_array();
  }
  json.end_array().end_object();
}

void put_compared_scores(JsonOut& json, const GroupComparison& group) {
  json.key("p_unsafe");
  if (group.scores.n == 0) {
    json.null();
  } else {
    json.begin_object();
    json.key("n").integer(group.scores.n);
    json.key("mean_difference").number(group.scores.mean_difference);
    json.key("mean_absolute_difference").number(group.scores.mean_absolute_difference);
    json.key("max_absolute_difference").number(group.scores.max_absolute_difference);
    json.end_object();
  }
  json.key("speed");
  if (group.speed.n == 0) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("n").integer(group.speed.n);
  json.key("ms_a").number(group.speed.ms_a);
  json.key("ms_b").number(group.speed.ms_b);
  json.key("times_as_fast").number(group.speed.ms_a / group.speed.ms_b);
  json.end_object();
}

void put_group(JsonOut& json, const GroupComparison& group) {
  json.begin_object();
  json.key("n").integer(group.n);
  json.key("n_labelled").integer(group.n_labelled);
  json.key("n_agreed").integer(group.n_agreed());
  json.key("n_milder").integer(group.n_milder());
  json.key("n_harsher").integer(group.n_harsher());
  json.key("n_not_judged_a").integer(group.n_not_judged_a());
  json.key("n_not_judged_b").integer(group.n_not_judged_b());
  put_share(json, "kappa", group.kappa());
  put_cross_table<Severity>(json, "severities", group.severities);
  json.key("n_actions_changed").integer(group.n_actions_changed());
  put_cross_table<Action>(json, "actions", group.actions);
  put_mode_comparison(json, "strict", group.strict);
  put_mode_comparison(json, "loose", group.loose);
  put_figure(json, "auc", group.auc);
  put_compared_scores(json, group);
  json.key("categories").begin_object();
  for (const auto& [category, comparison] : group.categories) {
    json.key(to_string(category)).begin_object();
    put_paired(json, "found", comparison.found);
    put_paired(json, "named", comparison.named);
    json.end_object();
  }
  json.end_object();
  json.key("n_both_named").integer(group.n_both_named);
  json.key("n_first_category_changed").integer(group.n_first_category_changed);
  put_paired(json, "refusals", group.refusals);
  json.end_object();
}

void put_groups(JsonOut& json, const char* key, const std::map<std::string, GroupComparison>& groups) {
  json.key(key).begin_object();
  for (const auto& [name, group] : groups) put_group(json.key(name), group);
  json.end_object();
}

/// Members of the object that is open: which row it is. Ids are JSON already.
void put_place(JsonOut& json, const Record& record) {
  json.key("set").string(record.set);
  json.key("line").integer(static_cast<std::int64_t>(record.line));
  json.key("id").raw(record.id);
}

template <class Rows, class RecordOf>
void put_places(JsonOut& json, const char* key, const Rows& rows, std::size_t limit,
                const RecordOf& record_of) {
  json.key(key).begin_object();
  json.key("n").integer(static_cast<std::int64_t>(rows.size()));
  json.key("first").begin_array();
  for (std::size_t i = 0; i < std::min(limit, rows.size()); ++i) {
    json.begin_object();
    put_place(json, record_of(rows[i]));
    json.end_object();
  }
  json.end_array().end_object();
}

void put_said(JsonOut& json, const char* key, const evaluation::Prediction& prediction) {
  json.key(key).begin_object();
  put_severity(json.key("severity"), prediction.severity);
  json.key("action").string(to_string(prediction.action));
  json.key("rule").string(to_string(prediction.rule));
  json.key("scores");
  if (prediction.scores) {
    json.begin_object().key("strict").number(prediction.scores->strict);
    json.key("loose").number(prediction.scores->loose).end_object();
  } else {
    json.null();
  }
  json.end_object();
}

void put_disagreements(JsonOut& json, const ComparisonReport& report) {
  const auto& found = report.comparison.disagreements;
  json.key("n_disagreements").integer(static_cast<std::int64_t>(found.size()));
  json.key("disagreements").begin_array();
  for (std::size_t i = 0; i < std::min(report.limit, found.size()); ++i) {
    const Record& a = *found[i].pair.a;
    json.begin_object();
    json.key("change").string(evaluation::to_string(found[i].change));
    put_place(json, a);
    json.key("label");
    if (a.gold.label) {
      json.string(to_string(*a.gold.label));
    } else {
      json.null();
    }
    put_said(json, "a", a.prediction);
    put_said(json, "b", found[i].pair.b->prediction);
    const auto text = report.texts.find({a.set, a.id});
    if (text != report.texts.end()) json.key("text").string(text->second);
    json.end_object();
  }
  json.end_array();
}

void put_gate(JsonOut& json, const std::optional<Gate>& gate) {
  json.key("gate");
  if (!gate) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("limit").number(gate->limit);
  json.key("fall_strict").number(gate->fall_strict);
  json.key("fall_loose").number(gate->fall_loose);
  json.key("too_few_rows").boolean(gate->is_for_few_rows);
  json.key("passed").boolean(gate->is_passed());
  json.end_object();
}

}  // namespace

std::string comparison_to_json(const ComparisonReport& report) {
  const evaluation::Comparison& comparison = report.comparison;
  JsonOut json;
  json.begin_output("comparison");
  put_compared_run(json, "a", report.a);
  put_compared_run(json, "b", report.b);
  put_differences(json, report);
  json.key("bootstrap").begin_object();
  json.key("n_resamples").integer(report.bootstrap.n_resamples);
  json.key("seed").integer(static_cast<std::int64_t>(report.bootstrap.seed)).end_object();
  const auto itself = [](const Record* record) -> const Record& { return *record; };
  const auto of_a = [](const evaluation::RecordPair& pair) -> const Record& { return *pair.a; };
  put_places(json, "only_a", report.pairing.only_a, report.limit, itself);
  put_places(json, "only_b", report.pairing.only_b, report.limit, itself);
  put_places(json, "different_gold", report.pairing.different_gold, report.limit, of_a);
  put_group(json.key("all"), comparison.all);
  put_groups(json, "sets", comparison.sets);
  put_groups(json, "languages", comparison.languages);
  put_disagreements(json, report);
  put_gate(json, report.gate);
  json.key("conclusion").string(conclusion_of(report.pairing, comparison, report.other_data));
  return json.end_object().text();
}

}  // namespace qwen3guard::cli
