// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/run_folder.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cli/cli.hpp"
#include "cli/eval/prediction_in.hpp"
#include "evaluation/files.hpp"
#include "wire/fields_in.hpp"
#include "wire/json_out.hpp"
#include "wire/values_in.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::cli {
namespace {

constexpr std::string_view kRunName = "run.json", kPredictionsName = "predictions.jsonl",
                           kMetricsName = "metrics.json";

template <class T>
T value_of(Result<T> result) {
  if (!result.ok()) throw UsageError(result.error().detail);
  return *std::move(result);
}

void check(const Status& status) {
  if (!status.ok()) throw UsageError(status.error().detail);
}

/// Instruction sets differ by the rounding of logits, other weights by more. Logits tell models apart that
/// are sure of the same thing, where probabilities are all next to 0 and 1.
bool is_close(const SeverityProbabilities& a, const SeverityProbabilities& b) {
  constexpr float kRounding = 0.05F;
  const auto log_odds = [](float p, float q) {
    constexpr float kSmallest = 1e-30F;
    return std::log(std::max(p, kSmallest) / std::max(q, kSmallest));
  };
  return std::abs(log_odds(a.unsafe, a.safe) - log_odds(b.unsafe, b.safe)) < kRounding &&
         std::abs(log_odds(a.controversial, a.safe) - log_odds(b.controversial, b.safe)) < kRounding;
}

bool is_same_model(const RunDescription& a, const RunDescription& b) {
  return a.info.model && b.info.model && a.info.model->kind == b.info.model->kind &&
         a.info.model->architecture == b.info.model->architecture &&
         a.info.model->n_parameters == b.info.model->n_parameters &&
         a.info.model->weight_dtype == b.info.model->weight_dtype &&
         std::equal(a.probe.begin(), a.probe.end(), b.probe.begin(), b.probe.end(), is_close);
}

/// "limit 10 (now null)": those of `before` that are not what they are `now`.
std::string other_options(const std::string& before, const std::string& now) {
  std::string out;
  const JsonValue options = JsonValue::parse(now);
  for (const JsonValue::Member& was : members_of(JsonValue::parse(before), "options", "an object")) {
    const auto is = options.find(was.key);
    if (is && is->raw() == was.value.raw()) continue;
    out += (out.empty() ? "" : ", ") + was.key + " " + std::string(was.value.raw());
    out += " (now " + (is ? std::string(is->raw()) : "not known") + ")";
  }
  return out.empty() ? "fewer options" : out;
}

/// Throws unless going on with `before` as `now` gives what one run would have.
void check_same(const RunDescription& before, const RunDescription& now, const std::string& path) {
  const auto fail_at = [&](const std::string& what) {
    throw UsageError(printable(path) + ": the run there " + what + "; choose another --out for this one");
  };
  if (!is_same_model(before, now)) fail_at("is of another model (" + before.info.model_name + ")");
  if (before.policy_json != now.policy_json)
    fail_at("has another policy (" + before.info.policy_name + " " + before.info.policy_version + ")");
  if (before.options_json != now.options_json)
    fail_at("has " + other_options(before.options_json, now.options_json));
  const auto is_same_data = [](const RunDescription::Data& a, const RunDescription::Data& b) {
    return a.set.name == b.set.name && a.checksum == b.checksum;
  };
  if (!std::equal(before.data.begin(), before.data.end(), now.data.begin(), now.data.end(), is_same_data))
    fail_at("is over other data files, or files that were changed since");
}

std::string text_of(const JsonValue& object, const char* key) {
  return read_text(member(object, "", key), key, InvalidUtf8::replace);
}

RunInfo read_model(const JsonValue& model) {
  constexpr double kMostParameters = 1e15;
  RunInfo out;
  out.model_name = text_of(model, "name");
  ModelInfo& info = out.model.emplace();
  info.kind = text_of(model, "kind") == to_string(ModelKind::gen) ? ModelKind::gen : ModelKind::stream;
  info.architecture = text_of(model, "architecture");
  info.n_parameters = static_cast<std::int64_t>(read_number(
      member(model, "model", "n_parameters"), "model.n_parameters", 0, kMostParameters, "a whole number"));
  info.weight_dtype = text_of(model, "weight_dtype");
  info.isa = text_of(model, "isa");
  info.n_threads = read_integer(member(model, "model", "n_threads"), "model.n_threads");
  return out;
}

}  // namespace

std::string run_to_json(const RunDescription& run) {
  JsonOut json;
  json.begin_output("run");
  put_model(json.key("model"), run.info);
  json.key("probe").begin_array();
  for (const SeverityProbabilities& probabilities : run.probe) put_probabilities(json, probabilities);
  json.end_array();
  json.key("policy").raw(run.policy_json);
  json.key("options").raw(run.options_json);
  json.key("data").begin_array();
  for (const RunDescription::Data& data : run.data) {
    json.begin_object();
    json.key("set").string(data.set.name);
    json.key("file").string(data.file);
    json.key("checksum").string(data.checksum);
    json.key("n_rows").integer(static_cast<std::int64_t>(data.n_rows));
    json.key("bad_rows").begin_array();
    for (const evaluation::BadRow& bad : data.set.bad_rows) {
      json.begin_object().key("line").integer(static_cast<std::int64_t>(bad.line));
      json.key("reason").string(bad.reason).end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
  return json.end_object().text() + "\n";
}

RunDescription read_run(std::string_view text, const std::string& path) {
  RunDescription out;
  try {
    const JsonValue json = JsonValue::parse(text);
    const auto type = json.find("type");
    if (!type || type->raw() != R"("run")")
      fail("", "no description of a run; expected \"type\" to be \"run\"");
    out.info = read_model(member(json, "", "model"));
    for (const JsonValue& probabilities : read_items(json, "probe"))
      out.probe.push_back(read_probabilities(probabilities, "probe"));
    const JsonValue policy = member(json, "", "policy");
    out.policy_json = policy.raw();
    out.info.policy_name = text_of(policy, "name");
    out.info.policy_version = text_of(policy, "version");
    out.options_json = member(json, "", "options").raw();
    for (const JsonValue& data : read_items(json, "data")) {
      RunDescription::Data& one = out.data.emplace_back();
      one.set.name = text_of(data, "set");
      one.file = text_of(data, "file");
      one.checksum = text_of(data, "checksum");
      one.n_rows =
          static_cast<std::size_t>(std::max(read_integer(member(data, "data", "n_rows"), "data.n_rows"), 0));
      for (const JsonValue& bad : read_items(data, "bad_rows")) {
        const std::int32_t line = read_integer(member(bad, "data.bad_rows", "line"), "data.bad_rows.line");
        one.set.bad_rows.push_back({static_cast<std::size_t>(std::max(line, 0)), text_of(bad, "reason")});
      }
    }
  } catch (const JsonError& e) {
    throw UsageError(printable(path) + ": " + e.what());
  } catch (const LineError& e) {
    throw UsageError(printable(path) + ": " + e.what());
  }
  return out;
}

std::optional<RunDescription> find_run(const std::string& folder) {
  const std::string path = evaluation::join(folder, kRunName);
  if (!evaluation::exists(path)) return std::nullopt;
  return read_run(value_of(evaluation::read_file(path)).text, path);
}

void load_predictions(const std::string& folder,
                      const std::function<void(evaluation::Record record, const JsonValue& line)>& visit) {
  const std::string path = evaluation::join(folder, kPredictionsName);
  const std::string text = value_of(evaluation::read_file(path)).text;
  const std::size_t n_lines = for_each_prediction(text, path, visit);
  const auto run = find_run(folder);
  if (!run) return;
  std::size_t n_rows = 0;
  for (const RunDescription::Data& data : run->data) n_rows += data.n_rows;
  if (n_lines != n_rows)
    throw UsageError(printable(folder) + ": has " + std::to_string(n_lines) + " of " +
                     std::to_string(n_rows) + " predictions; eval with --resume makes the others");
}

std::vector<evaluation::Record> load_predictions(const std::string& folder) {
  std::vector<evaluation::Record> out;
  load_predictions(folder,
                   [&](evaluation::Record record, const JsonValue&) { out.push_back(std::move(record)); });
  return out;
}

void save_metrics(const std::string& folder, const std::string& json) {
  check(evaluation::write_file(evaluation::join(folder, kMetricsName), json + "\n", true));
}

RunFolder::RunFolder(const std::string& folder, const RunDescription& run, std::span<const RowOfSet> rows,
                     bool resume)
    : path_(evaluation::join(folder, kPredictionsName)) {
  check(evaluation::make_folder(folder));
  const std::string run_path = evaluation::join(folder, kRunName);
  const bool has_predictions = evaluation::exists(path_);
  if (!resume && has_predictions && !evaluation::exists(run_path))
    throw UsageError(printable(folder) + ": has " + std::string(kPredictionsName) + " without " +
                     std::string(kRunName) + "; choose another --out");
  if (!resume && (has_predictions || evaluation::exists(run_path)))
    throw UsageError(printable(folder) +
                     ": has a run; --resume goes on with it, and another --out begins one");
  // Everything else behind the lock: of two that begin at once, one does.
  predictions_.emplace(value_of(has_predictions ? evaluation::AppendFile::open(path_)
                                                : evaluation::AppendFile::create(path_)));
  const std::string text = value_of(predictions_->read());
  if (const auto before = find_run(folder)) {
    check_same(*before, run, run_path);
  } else if (text.empty()) {  // a new one, or it was killed before it began
    check(evaluation::write_file(run_path, run_to_json(run), false));
  } else {
    throw UsageError(printable(path_) + ": is there without " + std::string(kRunName) +
                     ", which says what it is of; choose another --out");
  }
  keep_complete_lines(text, rows);
}

/// A process that was killed may have left half a line at the end, a machine that lost power a bad one.
void RunFolder::keep_complete_lines(const std::string& text, std::span<const RowOfSet> rows) {
  std::size_t n_kept_bytes = 0;
  const auto at_line = [&] { return printable(path_) + ": line " + std::to_string(n_done_ + 1) + ": "; };
  while (n_kept_bytes < text.size()) {
    const std::size_t end = text.find('\n', n_kept_bytes);
    const bool is_last = end == std::string::npos || end + 1 == text.size();
    try {
      if (end == std::string::npos) break;
      const auto record = read_prediction(
          JsonValue::parse(std::string_view(text).substr(n_kept_bytes, end - n_kept_bytes)), 0);
      if (n_done_ == rows.size() || record.set != rows[n_done_].set->name ||
          record.id != rows[n_done_].row->id)
        throw UsageError(at_line() + "is not the prediction that belongs there; choose another --out");
    } catch (const JsonError& e) {
      if (!is_last) throw UsageError(at_line() + e.what());
      break;
    } catch (const LineError& e) {
      if (!is_last) throw UsageError(at_line() + e.what());
      break;
    }
    n_kept_bytes = end + 1;
    ++n_done_;
  }
  if (n_kept_bytes < text.size()) {
    print_warning(path_ + ": the last line was not complete, and is judged again");
    check(predictions_->truncate(n_kept_bytes));
  }
}

void RunFolder::append(const std::string& lines, std::size_t n_lines) {
  check(predictions_->append(lines));
  n_done_ += n_lines;
}

}  // namespace qwen3guard::cli
