// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/counts_out.hpp"

namespace qwen3guard::cli {

void put_share(JsonOut& json, const char* key, const std::optional<double>& value) {
  json.key(key);
  if (value) {
    json.number(*value);
  } else {
    json.null();
  }
}

void put_interval(JsonOut& json, const char* key, const std::optional<evaluation::Interval>& interval) {
  json.key(key);
  if (interval) {
    json.begin_array().number(interval->low).number(interval->high).end_array();
  } else {
    json.null();
  }
}

void put_count_members(JsonOut& json, const evaluation::Counts& counts) {
  put_share(json, "f1", counts.f1());
  put_share(json, "precision", counts.precision());
  put_share(json, "recall", counts.recall());
  put_share(json, "false_alarm_rate", counts.false_alarm_rate());
  json.key("tp").integer(counts.tp);
  json.key("fp").integer(counts.fp);
  json.key("fn").integer(counts.fn);
  json.key("tn").integer(counts.tn);
}

void put_counts(JsonOut& json, const char* key, const evaluation::Counts& counts) {
  json.key(key).begin_object();
  put_count_members(json, counts);
  json.end_object();
}

}  // namespace qwen3guard::cli
