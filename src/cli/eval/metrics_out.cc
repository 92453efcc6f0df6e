// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/metrics_out.hpp"

#include <algorithm>
#include <array>

#include "cli/errors.hpp"
#include "cli/eval/counts_out.hpp"
#include "cli/eval/figures_text.hpp"
#include "cli/eval/text_table.hpp"

namespace qwen3guard::cli {
namespace {

using evaluation::BadRow;
using evaluation::CategoryMetrics;
using evaluation::Counts;
using evaluation::CurvePoint;
using evaluation::kLatencyBinCount;
using evaluation::LatencyBin;
using evaluation::ModeScores;
using evaluation::Reliability;
using evaluation::ReliabilityBin;
using evaluation::RunMetrics;
using evaluation::SetMetrics;
using evaluation::StreamingMetrics;

void put_mode_scores(JsonOut& json, const char* key, const ModeScores& scores) {
  json.key(key).begin_object();
  put_count_members(json, scores.counts);
  put_interval(json, "f1_interval", scores.f1_interval);
  json.end_object();
}

const char* to_string(Mode mode) { return mode == Mode::strict ? "strict" : "loose"; }

/// Rows by severity.
void put_severities(JsonOut& json, const char* key,
                    const std::array<std::int64_t, kSeverityCount + 1>& counts, bool with_not_judged) {
  json.key(key).begin_object();
  for (const Severity severity : {Severity::safe, Severity::controversial, Severity::unsafe})
    json.key(qwen3guard::to_string(severity)).integer(counts[static_cast<std::size_t>(severity)]);
  if (with_not_judged) json.key("not_judged").integer(counts[0]);
  json.end_object();
}

void put_curve(JsonOut& json, const std::vector<CurvePoint>& curve) {
  json.key("curve").begin_array();
  for (const CurvePoint& point : curve) {
    json.begin_object();
    json.key("threshold").number(point.threshold);
    json.key("precision").number(point.precision);
    json.key("recall").number(point.recall);
    put_share(json, "false_alarm_rate", point.false_alarm_rate);
    json.end_object();
  }
  json.end_array();
}

void put_reliability(JsonOut& json, const std::optional<Reliability>& reliability) {
  json.key("reliability");
  if (!reliability) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("ece").number(reliability->ece);
  json.key("brier").number(reliability->brier);
  json.key("n").integer(reliability->n);
  json.key("bins").begin_array();
  for (const ReliabilityBin& bin : reliability->bins) {
    json.begin_object();
    json.key("low").number(bin.low);
    json.key("high").number(bin.high);
    json.key("n").integer(bin.n);
    put_share(json, "mean_score", bin.mean_score);
    put_share(json, "unsafe_rate", bin.positive_rate);
    json.end_object();
  }
  json.end_array().end_object();
}

void put_categories(JsonOut& json, const SetMetrics& set) {
  json.key("categories").begin_object();
  for (std::size_t i = 0; i < set.categories.size(); ++i) {
    const CategoryMetrics& one = set.categories[i];
    if (one.n == 0) continue;
    json.key(qwen3guard::to_string(static_cast<Category>(i))).begin_object();
    json.key("n").integer(one.n);
    put_share(json, "recall_strict", one.recall_strict());
    put_share(json, "recall_loose", one.recall_loose());
    json.key("named").integer(one.n_named);
    put_share(json, "named_rate", one.named_rate());
    json.end_object();
  }
  json.end_object();
  json.key("category_confusion");
  if (!set.category_confusion) {
    json.null();
    return;
  }
  json.begin_object().key("labels").begin_array();
  for (std::int32_t i = 0; i < kCategoryCount; ++i)
    json.string(qwen3guard::to_string(static_cast<Category>(i)));
  json.end_array().key("counts").begin_array();
  for (const auto& row : set.category_confusion->counts) {
    json.begin_array();
    for (const std::int64_t n : row) json.integer(n);
    json.end_array();
  }
  json.end_array().key("accuracy").number(set.category_confusion->accuracy);
  json.end_object();
}

void put_refusal(JsonOut& json, const std::optional<Counts>& counts) {
  json.key("refusal");
  if (!counts) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("n").integer(counts->n());
  put_count_members(json, *counts);
  json.key("accuracy")
      .number(static_cast<double>(counts->tp + counts->tn) / static_cast<double>(counts->n()));
  json.end_object();
}

void put_streaming(JsonOut& json, const std::optional<StreamingMetrics>& streaming) {
  json.key("streaming");
  if (!streaming) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("n").integer(streaming->n);
  json.key("n_not_located").integer(streaming->n_not_located);
  json.key("mean_tokens").number(streaming->mean_tokens);
  json.key("bins").begin_object();
  for (std::size_t i = 0; i < kLatencyBinCount; ++i)
    json.key(evaluation::to_string(static_cast<LatencyBin>(i))).integer(streaming->bins[i]);
  json.end_object();
  json.key("exact_hit_rate").number(streaming->exact_hit_rate);
  json.key("first_128_stop_rate").number(streaming->first_128_stop_rate);
  json.key("intervals").begin_object();
  put_interval(json, "exact_hit_rate", streaming->exact_hit_interval);
  put_interval(json, "first_128_stop_rate", streaming->first_128_interval);
  json.end_object().end_object();
}

void put_languages(JsonOut& json, const SetMetrics& set) {
  json.key("languages").begin_object();
  for (const auto& [language, metrics] : set.languages) {
    json.key(language).begin_object();
    json.key("n").integer(metrics.n);
    put_counts(json, "strict", metrics.strict);
    put_counts(json, "loose", metrics.loose);
    json.end_object();
  }
  json.end_object();
}

void put_actions_and_speed(JsonOut& json, const SetMetrics& set) {
  json.key("actions");
  if (set.actions) {
    json.begin_object();
    put_counts(json, "block", set.actions->block);
    put_counts(json, "flag", set.actions->flag);
    json.end_object();
  } else {
    json.null();
  }
  json.key("speed");
  if (set.speed) {
    json.begin_object();
    json.key("rows_per_s").number(set.speed->rows_per_s);
    json.key("tokens_per_s").number(set.speed->tokens_per_s);
    json.key("ms_per_row").begin_object().key("mean").number(set.speed->mean_ms_per_row).end_object();
    json.end_object();
  } else {
    json.null();
  }
}

/// How many rows there are, and of which kind.
void put_row_counts(JsonOut& json, const SetMetrics& set) {
  json.key("n").integer(set.n);
  json.key("n_bad").integer(static_cast<std::int64_t>(set.bad_rows.size()));
  json.key("bad_rows").begin_array();
  for (const BadRow& bad : set.bad_rows) {
    json.begin_object().key("line").integer(static_cast<std::int64_t>(bad.line));
    json.key("reason").string(bad.reason).end_object();
  }
  json.end_array();
  json.key("n_not_judged").integer(set.n_not_judged);
  json.key("n_by_list").integer(set.n_by_list);
  json.key("n_labelled").integer(set.n_labelled);
  put_severities(json, "gold", set.gold, false);
  put_severities(json, "predicted", set.predicted, true);
}

void put_set(JsonOut& json, const SetMetrics& set) {
  json.begin_object();
  put_row_counts(json, set);
  put_mode_scores(json, "strict", set.scores.strict);
  put_mode_scores(json, "loose", set.scores.loose);
  json.key("best");
  if (set.best) {
    json.begin_object()
        .key("mode")
        .string(to_string(set.best->mode))
        .key("f1")
        .number(set.best->f1)
        .end_object();
  } else {
    json.null();
  }
  json.key("published").begin_object();
  put_mode_scores(json, "strict", set.published.strict);
  put_mode_scores(json, "loose", set.published.loose);
  json.end_object();
  put_share(json, "auc", set.auc);
  put_interval(json, "auc_interval", set.auc_interval);
  put_share(json, "auc_loose", set.auc_loose);
  if (set.at_operating_point) {
    put_mode_scores(json, "at_operating_point", *set.at_operating_point);
  } else {
    json.key("at_operating_point").null();
  }
  put_curve(json, set.curve);
  put_reliability(json, set.reliability);
  put_languages(json, set);
  put_categories(json, set);
  put_refusal(json, set.refusal);
  put_streaming(json, set.streaming);
  put_actions_and_speed(json, set);
  json.end_object();
}

void put_operating_point(JsonOut& json, const RunMetrics& metrics) {
  json.key("operating_point");
  if (!metrics.operating_point) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("safe_set").string(metrics.options.safe_set);
  json.key("target_fpr").number(metrics.options.target_fpr);
  json.key("threshold").number(metrics.operating_point->threshold);
  json.key("fpr").number(metrics.operating_point->false_alarm_rate);
  json.key("n").integer(metrics.operating_point->n);
  json.end_object();
}

// The table.

/// of(set): the value of a set, or nothing; mean: of the last line, which may have none.
template <class Of>
Column number_column(const RunMetrics& metrics, const char* title, const Of& of,
                     const std::optional<double>& mean = {}) {
  Column column{title, {}};
  column.n_spaces = 1;
  for (const SetMetrics& set : metrics.sets) column.cells.push_back(decimal_or_dash(of(set)));
  if (metrics.sets.size() > 1) column.cells.push_back(mean ? decimal_or_dash(mean) : "");
  return column;
}

void add_mode_columns(std::vector<Column>& columns, const RunMetrics& metrics, Mode mode) {
  const auto counts = [mode](const SetMetrics& set) -> const Counts& {
    return mode == Mode::strict ? set.scores.strict.counts : set.scores.loose.counts;
  };
  const std::size_t first = columns.size();
  columns.push_back(number_column(
      metrics, "F1", [&](const SetMetrics& set) { return counts(set).f1(); },
      mode == Mode::strict ? metrics.mean.strict_f1 : metrics.mean.loose_f1));
  columns.push_back(
      number_column(metrics, "P", [&](const SetMetrics& set) { return counts(set).precision(); }));
  columns.push_back(number_column(metrics, "R", [&](const SetMetrics& set) { return counts(set).recall(); }));
  columns.push_back(
      number_column(metrics, "FA", [&](const SetMetrics& set) { return counts(set).false_alarm_rate(); }));
  for (std::size_t i = first; i < columns.size(); ++i) columns[i].group = to_string(mode);
  columns[first].n_spaces = 2;
}

/// A line a set; with several, one more of the means.
std::vector<Column> table_columns(const RunMetrics& metrics) {
  const std::vector<SetMetrics>& sets = metrics.sets;
  std::vector<Column> columns = {{"set", {}}, {"rows", {}}};
  for (const SetMetrics& set : sets) {
    columns[0].cells.push_back(bounded_name(set.name));
    columns[1].cells.push_back(std::to_string(set.n));
  }
  if (sets.size() > 1) {
    columns[0].cells.push_back("mean of " + std::to_string(metrics.mean.n_sets));
    columns[1].cells.emplace_back("");
  }
  add_mode_columns(columns, metrics, Mode::strict);
  add_mode_columns(columns, metrics, Mode::loose);
  columns.push_back(number_column(
      metrics, "best",
      [](const SetMetrics& set) { return set.best ? std::optional(set.best->f1) : std::nullopt; },
      metrics.mean.best_f1));
  columns.back().n_spaces = 2;
  columns.push_back(number_column(
      metrics, "AUC", [](const SetMetrics& set) { return set.auc; }, metrics.mean.auc));
  if (metrics.operating_point)
    columns.push_back(number_column(metrics, "at t", [](const SetMetrics& set) {
      return set.at_operating_point ? set.at_operating_point->counts.f1() : std::nullopt;
    }));
  if (std::any_of(sets.begin(), sets.end(), [](const SetMetrics& set) { return set.refusal.has_value(); })) {
    columns.push_back(number_column(metrics, "refusal", [](const SetMetrics& set) {
      return set.refusal ? set.refusal->f1() : std::nullopt;
    }));
    columns.back().n_spaces = 2;
  }
  return columns;
}

std::string streaming_text(const RunMetrics& metrics) {
  std::string out;
  for (const SetMetrics& set : metrics.sets) {
    if (!set.streaming) continue;
    out += "\n" + bounded_name(set.name) + ", " + std::to_string(set.streaming->n) +
           " marked passages: exact hit " + in_percent(set.streaming->exact_hit_rate) +
           ", stopped within 128 tokens " + in_percent(set.streaming->first_128_stop_rate) + "\n";
    for (std::size_t i = 0; i < kLatencyBinCount; ++i)
      out += std::string(i == 0 ? "  " : ", ") + evaluation::to_string(static_cast<LatencyBin>(i)) + ": " +
             std::to_string(set.streaming->bins[i]);
    out += '\n';
  }
  return out;
}

/// What must not be overlooked.
std::string notes_text(const RunMetrics& metrics) {
  std::string out;
  for (const SetMetrics& set : metrics.sets) {
    if (!set.bad_rows.empty())
      out += bounded_name(set.name) + ": " + std::to_string(set.bad_rows.size()) + " bad rows left out\n";
    if (set.n_not_judged > 0)
      out += bounded_name(set.name) + ": " + std::to_string(set.n_not_judged) +
             " rows were not judged, and count against the model\n";
    if (set.n_by_list > 0)
      out += bounded_name(set.name) + ": a deny list decided " + std::to_string(set.n_by_list) + " rows\n";
  }
  return out.empty() ? out : "\n" + out;
}

}  // namespace

void put_model(JsonOut& json, const RunInfo& info) {
  if (!info.model) {
    json.null();
    return;
  }
  const ModelInfo& model = *info.model;
  json.begin_object();
  json.key("name").string(info.model_name);
  json.key("kind").string(qwen3guard::to_string(model.kind));
  json.key("architecture").string(model.architecture);
  json.key("n_parameters").integer(model.n_parameters);
  json.key("weight_dtype").string(model.weight_dtype);
  json.key("isa").string(model.isa);
  json.key("n_threads").integer(model.n_threads);
  json.end_object();
}

std::string metrics_to_json(const RunMetrics& metrics, const RunInfo& info) {
  JsonOut json;
  json.begin_output("metrics");
  put_model(json.key("model"), info);
  json.key("policy");
  if (info.policy_name.empty()) {
    json.null();
  } else {
    json.begin_object().key("name").string(info.policy_name);
    json.key("version").string(info.policy_version).end_object();
  }
  json.key("bootstrap").begin_object();
  json.key("n_resamples").integer(metrics.options.bootstrap.n_resamples);
  json.key("seed").integer(static_cast<std::int64_t>(metrics.options.bootstrap.seed)).end_object();
  put_operating_point(json, metrics);
  json.key("sets").begin_object();
  for (const SetMetrics& set : metrics.sets) put_set(json.key(set.name), set);
  json.end_object();
  json.key("mean").begin_object();
  put_share(json, "strict_f1", metrics.mean.strict_f1);
  put_share(json, "loose_f1", metrics.mean.loose_f1);
  put_share(json, "best_f1", metrics.mean.best_f1);
  put_share(json, "auc", metrics.mean.auc);
  json.key("n_sets").integer(metrics.mean.n_sets);
  json.end_object();
  return json.end_object().text();
}

std::string metrics_to_text(const RunMetrics& metrics, const RunInfo& info) {
  std::string out;
  if (info.model)
    out = escaped(info.model_name) + " (" + qwen3guard::to_string(info.model->kind) + ", " +
          info.model->weight_dtype + "), policy " + escaped(info.policy_name) + " " +
          escaped(info.policy_version) + "\n\n";
  out += table_text(table_columns(metrics));
  out +=
      "\nP: precision, R: recall, FA: false alarms among safe rows; best: F1 in the better mode of each "
      "set\n";
  if (metrics.operating_point)
    out += "at t: F1 at score >= " + decimal_or_dash(metrics.operating_point->threshold) + ", where " +
           in_percent(metrics.operating_point->false_alarm_rate) + " of the " +
           std::to_string(metrics.operating_point->n) + " Safe rows of " +
           bounded_name(metrics.options.safe_set) + " are flagged\n";
  return out + streaming_text(metrics) + notes_text(metrics);
}

}  // namespace qwen3guard::cli
