// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "cli/eval/comparison_out.hpp"
#include "cli/eval/conclusion.hpp"
#include "cli/eval/figures_text.hpp"
#include "cli/eval/text_table.hpp"

namespace qwen3guard::cli {
namespace {

using evaluation::Disagreement;
using evaluation::GroupComparison;
using evaluation::ModeComparison;
using evaluation::PairedCounts;
using evaluation::Prediction;
using evaluation::Record;
using evaluation::RecordPair;

constexpr std::size_t kLineWidth = 100;

/// Cells are added a row at a time.
class Rows {
 public:
  explicit Rows(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].cells.push_back(cells[i]);
  }
  /// "" without rows.
  [[nodiscard]] std::string text() const {
    return columns_.front().cells.empty() ? "" : table_text(columns_);
  }

 private:
  std::vector<Column> columns_;
};

Column left(const char* title) { return {title, {}, true}; }
Column right(const char* title) { return {title, {}, false}; }

/// "openai_moderation line 12, "abc"", in at most so many bytes.
std::string place_of(const Record& record, std::size_t max_bytes) {
  return printable(bounded_name(record.set) + ":" + std::to_string(record.line) + " " + record.id, max_bytes);
}

std::string signed_decimal(double value, int decimals) {
  const std::string text = decimal(value, decimals);
  return text.starts_with('-') || text.find_first_not_of("0.") == std::string::npos ? text : "+" + text;
}

/// Rounded outwards: what is left open is not shown as 0.
std::string interval_cell(const std::optional<evaluation::Interval>& interval) {
  if (!interval) return "-";
  constexpr double kScale = 1000, kRounding = 1e-9;
  const double low = std::floor(interval->low * kScale + kRounding) / kScale;
  const double high = std::ceil(interval->high * kScale - kRounding) / kScale;
  return "[" + signed_decimal(low, 3) + ", " + signed_decimal(high, 3) + "]";
}

std::string run_line(const char* name, const ComparedRun& run) {
  std::string out = std::string(name) + "  " + printable(run.folder, 40);
  if (run.info.model)
    out += "  " + printable(run.info.model_name, 30) + " (" + to_string(run.info.model->kind) + ", " +
           run.info.model->weight_dtype + ")";
  if (!run.info.policy_name.empty())
    out += ", policy " + printable(run.info.policy_name + " " + run.info.policy_version, 30);
  return out + "\n";
}

/// Rows that are not compared: how many, and the first few.
template <class Items, class RecordOf>
std::string left_out_line(const char* what, const Items& rows, const RecordOf& record_of) {
  if (rows.empty()) return "";
  constexpr std::size_t kNamed = 3, kPlaceBytes = 60;
  std::string out =
      std::string(what) + ", not compared: " + counted(static_cast<std::int64_t>(rows.size()), "row") + "\n";
  for (std::size_t i = 0; i < std::min(kNamed, rows.size()); ++i)
    out += "   " + place_of(record_of(rows[i]), kPlaceBytes) + "\n";
  if (rows.size() > kNamed) out += "   ...\n";
  return out;
}

/// In what the runs differ besides model and policy.
std::string differences_text(const ComparisonReport& report) {
  constexpr std::size_t kValueBytes = 20;
  std::string out;
  for (const OtherOption& option : report.other_options)
    out += (out.empty() ? "Options differ: " : ", ") + printable(option.name, kValueBytes) + " " +
           printable(option.a, kValueBytes) + " in A, " + printable(option.b, kValueBytes) + " in B";
  if (!out.empty()) out += "\n";
  for (const std::string& set : report.other_data)
    out += "Warning: " + bounded_name(set) + ": A and B judged different files; texts may differ\n";
  return out;
}

std::string head_text(const ComparisonReport& report) {
  const GroupComparison& all = report.comparison.all;
  std::string out = run_line("A", report.a) + run_line("B", report.b) + differences_text(report) + "\n" +
                    counted(all.n, "row") + " in both runs, " + grouped(all.n_labelled) + " with a label\n";
  const auto itself = [](const Record* record) -> const Record& { return *record; };
  out += left_out_line("Only in A", report.pairing.only_a, itself);
  out += left_out_line("Only in B", report.pairing.only_b, itself);
  out += left_out_line("Gold answers differ", report.pairing.different_gold,
                       [](const RecordPair& pair) -> const Record& { return *pair.a; });
  return out;
}

std::vector<std::string> mode_cells(const std::string& name, const GroupComparison& group,
                                    const ModeComparison& mode) {
  const auto f1 = mode.f1;
  return {name,
          grouped(mode.right.n()),
          decimal_or_dash(mode.counts_a.f1()),
          decimal_or_dash(mode.counts_b.f1()),
          f1 ? signed_decimal(f1->b - f1->a, 3) : "-",
          interval_cell(mode.f1_bound),
          grouped(mode.right.only_a),
          grouped(mode.right.only_b),
          p_value(evaluation::mcnemar_p(mode.right.only_a, mode.right.only_b)),
          group.auc ? signed_decimal(group.auc->b - group.auc->a, 3) : "-"};
}

/// F1 of the sets, and of all rows.
std::string mode_text(const evaluation::Comparison& comparison, ModeComparison GroupComparison::*mode,
                      const char* title) {
  if (comparison.all.n_labelled == 0) return "";
  Rows rows({left("set"), right("rows"), right("F1 A"), right("F1 B"), right("B - A"), right("95 %"),
             right("only A*"), right("only B*"), right("p"), right("AUC B - A")});
  for (const auto& [name, group] : comparison.sets)
    if (group.n_labelled > 0) rows.add(mode_cells(bounded_name(name), group, group.*mode));
  if (comparison.sets.size() > 1) rows.add(mode_cells("all rows", comparison.all, comparison.all.*mode));
  return "\n" + std::string(title) + "\n" + rows.text();
}

std::vector<std::string> paired_cells(const std::string& name, const PairedCounts& counts) {
  const evaluation::ShareDifference difference = evaluation::share_difference(counts);
  return {name,
          grouped(counts.n()),
          grouped(counts.both),
          grouped(counts.only_a),
          grouped(counts.only_b),
          grouped(counts.neither),
          signed_decimal(difference.value, 3),
          interval_cell(difference.interval),
          p_value(evaluation::mcnemar_p(counts.only_a, counts.only_b))};
}

/// Harm found, false alarms, and refusals that are recognised, of all rows.
std::string found_text(const GroupComparison& all) {
  Rows rows({left("over all sets"), right("rows"), right("both"), right("only A"), right("only B"),
             right("neither"), right("B - A"), right("95 %"), right("p")});
  const auto add = [&rows](const char* name, const PairedCounts& counts) {
    if (counts.n() > 0) rows.add(paired_cells(name, counts));
  };
  add("harm found, strict", all.strict.found);
  add("harm found, loose", all.loose.found);
  add("false alarms, strict", all.strict.false_alarms);
  add("false alarms, loose", all.loose.false_alarms);
  if (all.refusals.n() > all.refusals.neither) add("refusals, right", all.refusals);
  const std::string text = rows.text();
  return text.empty() ? "" : "\n" + text;
}

std::string severities_text(const GroupComparison& all) {
  std::vector<Severity> shown = {Severity::safe, Severity::controversial, Severity::unsafe};
  if (all.n_not_judged_a() + all.n_not_judged_b() > 0) shown.push_back(Severity::not_judged);
  std::vector<Column> columns = {left("")};
  for (const Severity b : shown) columns.push_back(right(b == Severity::safe ? "B Safe" : to_string(b)));
  Rows rows(std::move(columns));
  for (const Severity a : shown) {
    std::vector<std::string> cells = {std::string("A ") + to_string(a)};
    for (const Severity b : shown)
      cells.push_back(grouped(all.severities[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)]));
    rows.add(cells);
  }
  std::string out = "\n" + rows.text() + "Same severity: " + grouped(all.n_agreed()) + " of " +
                    counted(all.n, "row") + " (" +
                    in_percent(static_cast<double>(all.n_agreed()) / static_cast<double>(all.n));
  if (const auto kappa = all.kappa()) out += ", kappa " + decimal(*kappa, 3);
  return out + "); milder in B: " + grouped(all.n_milder()) + ", harsher: " + grouped(all.n_harsher()) + "\n";
}

/// Scores, actions and named categories, a line each.
std::string changes_text(const GroupComparison& all) {
  std::string out;
  constexpr std::size_t kPlaceBytes = 80;
  if (const auto& scores = all.scores; scores.n > 0) {
    out += "P(Unsafe): B - A is " + signed_decimal(scores.mean_difference, 4) + " on average, " +
           decimal(scores.mean_absolute_difference, 4) + " either way, at most " +
           decimal(scores.max_absolute_difference, 4);
    if (scores.max_absolute_difference > 0)
      out += "\n           at " + place_of(*scores.max_pair.a, kPlaceBytes);
    out += "\n";
  }
  std::string moves;
  for (std::size_t a = 0; a < evaluation::kActionCells; ++a)
    for (std::size_t b = 0; b < evaluation::kActionCells; ++b)
      if (a != b && all.actions[a][b] > 0)
        moves += std::string(moves.empty() ? ": " : ", ") + to_string(static_cast<Action>(a)) + " -> " +
                 to_string(static_cast<Action>(b)) + " " + grouped(all.actions[a][b]);
  out += "Actions changed: " + grouped(all.n_actions_changed()) + moves + "\n";
  if (all.n_both_named > 0)
    out += "Another category named first: " + grouped(all.n_first_category_changed) + " of " +
           counted(all.n_both_named, "row") + " for which both name one\n";
  return out;
}

std::string categories_text(const GroupComparison& all) {
  Rows rows({left("category"), right("rows"), right("A flags"), right("B flags"), right("only A"),
             right("only B"), right("p"), right("A names"), right("B names")});
  for (const auto& [category, comparison] : all.categories) {
    const PairedCounts& found = comparison.found;
    rows.add({to_string(category), grouped(found.n()), grouped(found.both + found.only_a),
              grouped(found.both + found.only_b), grouped(found.only_a), grouped(found.only_b),
              p_value(evaluation::mcnemar_p(found.only_a, found.only_b)),
              grouped(comparison.named.both + comparison.named.only_a),
              grouped(comparison.named.both + comparison.named.only_b)});
  }
  const std::string text = rows.text();
  return text.empty() ? ""
                      : "\n" + text +
                            "flags: strict; names: of the rows that both flag, those where the label's "
                            "category is named\n";
}

std::string languages_text(const evaluation::Comparison& comparison) {
  if (comparison.languages.size() < 2 || comparison.all.n_labelled == 0) return "";
  Rows rows({left("language"), right("rows"), right("F1 A"), right("F1 B"), right("B - A"), right("95 %"),
             right("only A*"), right("only B*"), right("p"), right("AUC B - A")});
  for (const auto& [name, group] : comparison.languages)
    if (group.n_labelled > 0) rows.add(mode_cells(bounded_name(name), group, group.strict));
  return "\nBy language, strict\n" + rows.text();
}

std::string said(const Prediction& prediction, bool with_action, bool color) {
  const bool by_list = prediction.rule == Rule::deny_list;
  std::string out = by_list ? "deny list"
                            : std::string(color_of(prediction.severity, color)) +
                                  to_string(prediction.severity) + std::string(color_off(color));
  if (prediction.scores) out += " " + decimal(prediction.scores->loose, 2);
  return with_action ? out + " " + to_string(prediction.action) : out;
}

/// `text` and spaces up to a width; what colours it takes none.
std::string padded(const std::string& colored, std::size_t plain_bytes, std::size_t width) {
  return colored + std::string(width - std::min(width, plain_bytes), ' ');
}

/// The beginning of a text that takes no more than so many columns, when a character is as wide as usual.
std::string_view first_columns(std::string_view text, std::size_t n_columns) {
  constexpr unsigned kContinuation = 0x80, kContinuationMask = 0xC0;
  constexpr unsigned kWide = 0xE2;  // begins characters from U+2000 on, of which most are wide
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if ((byte & kContinuationMask) == kContinuation) continue;
    used += byte >= kWide ? 2 : 1;
    if (used > n_columns) return text.substr(0, at);
  }
  return text;
}

/// Its beginning in quotes.
std::string shown_text(const std::string& text) {
  constexpr std::size_t kTextColumns = 80, kMostBytes = 400;
  const std::string_view shown = first_columns(text, kTextColumns);
  return quote(shown, kMostBytes) + (shown.size() < text.size() ? "..." : "");
}

std::string disagreements_text(const ComparisonReport& report, bool color) {
  const auto& found = report.comparison.disagreements;
  const std::size_t n = std::min(report.limit, found.size());
  if (n == 0) return "";
  constexpr std::size_t kLeastPlace = 30;
  std::size_t width_a = 0, width_b = 0;
  const auto is_action_only = [](const Disagreement& one) {
    return one.pair.a->prediction.severity == one.pair.b->prediction.severity;
  };
  for (std::size_t i = 0; i < n; ++i) {
    width_a = std::max(width_a, said(found[i].pair.a->prediction, is_action_only(found[i]), false).size());
    width_b = std::max(width_b, said(found[i].pair.b->prediction, is_action_only(found[i]), false).size());
  }
  const std::size_t used = 2 + width_a + 4 + width_b + 2;
  const std::size_t place = std::max(kLeastPlace, kLineWidth - std::min(kLineWidth, used));
  std::string out =
      "\nDisagreements, the worst for B first, with P(Unsafe): " + grouped(static_cast<std::int64_t>(n)) +
      " of " + grouped(static_cast<std::int64_t>(found.size())) + "\n";
  for (std::size_t i = 0; i < n; ++i) {
    const RecordPair& pair = found[i].pair;
    const bool only_action = is_action_only(found[i]);
    if (i == 0 || found[i].change != found[i - 1].change ||
        pair.a->gold.label != found[i - 1].pair.a->gold.label)
      out += std::string(to_string(found[i].change)) + ", " +
             (pair.a->gold.label ? std::string("labelled ") + to_string(*pair.a->gold.label) : "no label") +
             "\n";
    const auto cell = [&](const Record& record, std::size_t width) {
      return padded(said(record.prediction, only_action, color),
                    said(record.prediction, only_action, false).size(), width);
    };
    out += "  " + cell(*pair.a, width_a) + " -> " + cell(*pair.b, width_b) + "  " + place_of(*pair.a, place) +
           "\n";
    const auto text = report.texts.find({pair.a->set, pair.a->id});
    if (text != report.texts.end()) out += "    " + shown_text(text->second) + "\n";
  }
  return out;
}

/// Breaks a paragraph into lines.
std::string wrapped(const std::string& paragraph) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t begin = 0; begin < paragraph.size();) {
    const std::size_t end = std::min(paragraph.find(' ', begin), paragraph.size());
    if (column > 0 && column + 1 + (end - begin) > kLineWidth) {
      out += '\n';
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out.append(paragraph, begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return out + "\n";
}

std::string speed_text(const evaluation::SpeedComparison& speed) {
  if (speed.n == 0) return "";
  const auto rows = static_cast<double>(speed.n);
  return "Time a row: " + decimal(speed.ms_a / rows, 2) + " ms in A, " + decimal(speed.ms_b / rows, 2) +
         " ms in B\n";
}

std::string gate_text(const std::optional<Gate>& gate) {
  if (!gate) return "";
  return std::string("\nGate ") + (gate->is_passed() ? "passed" : "failed") + ": F1 may fall by " +
         decimal(gate->fall_strict, 3) + " (strict) and " + decimal(gate->fall_loose, 3) +
         " (loose), 95 %; allowed is " + decimal(gate->limit, 3) + "\n" +
         (gate->is_for_few_rows ? "The rows are too few to rule such a fall out; expected more of them\n"
                                : "");
}

}  // namespace

std::string comparison_to_text(const ComparisonReport& report, bool color) {
  const evaluation::Comparison& comparison = report.comparison;
  std::string out = head_text(report);
  out += mode_text(comparison, &GroupComparison::strict, "Strict: Controversial counts as Unsafe");
  out += mode_text(comparison, &GroupComparison::loose, "Loose: Controversial counts as Safe");
  if (comparison.all.n_labelled > 0)
    out += "* rows that only one run judges as labelled; p: McNemar's exact test of the two\n";
  out += found_text(comparison.all) + severities_text(comparison.all) + changes_text(comparison.all);
  out += speed_text(comparison.all.speed) + categories_text(comparison.all) + languages_text(comparison);
  out += disagreements_text(report, color);
  out += "\n" + wrapped(conclusion_of(report.pairing, comparison, report.other_data));
  return out + gate_text(report.gate);
}

}  // namespace qwen3guard::cli
