// SPDX-License-Identifier: Apache-2.0
#include "server/operations/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>

namespace qwen3guard::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Labels = std::map<std::string, std::string>;

/// Seconds: from the verdicts of small models to those of long texts by large ones.
Histogram::BucketBoundaries time_buckets() {
  return {.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30};
}

std::string name_of(const std::optional<Category>& category) {
  return category ? to_string(*category) : "none";
}

}  // namespace

class Metrics::Impl {
 public:
  prometheus::Registry registry;
  Family<Counter>& requests = counters("qwen3guard_http_requests_total", "Requests answered");
  Family<Histogram>& request_times =
      histograms("qwen3guard_http_request_seconds", "From a whole request to the end of its reply");
  Family<Counter>& verdicts =
      counters("qwen3guard_verdicts_total", "What was judged, by severity and by the category that decided");
  Family<Counter>& rulings = counters("qwen3guard_rulings_total",
                                      "What policies made of it, by action and by the rule that decided");
  Family<Counter>& unjudged =
      counters("qwen3guard_unjudged_total",
               "What could not be judged: an error or a block, unless --monitor-only lets it through");
  Family<Histogram>& verdict_times = histograms(
      "qwen3guard_verdict_seconds", "From the wish for a verdict to the verdict, waiting included");
  Family<Counter>& would_block =
      counters("qwen3guard_would_block_total", "Let through by --monitor-only, though it would be blocked");
  Family<Counter>& blocked = counters("qwen3guard_blocked_total", "Cut or replaced by the proxy");
  Family<Counter>& refused = counters("qwen3guard_refused_total", "Requests turned away, by reason");
  Family<Counter>& tokens = counters("qwen3guard_tokens_total", "Tokens of what was judged whole");
  Family<Counter>& reloads = counters("qwen3guard_reloads_total", "Files read again on a signal");
  Family<Gauge>& waiting = gauges("qwen3guard_waiting", "Conversations that wait for a verdict");
  Family<Gauge>& sessions = gauges("qwen3guard_sessions", "Streams that are open");
  Family<Gauge>& sessions_bytes = gauges("qwen3guard_sessions_bytes", "Memory of open streams");
  Family<Gauge>& stream_tokens = gauges("qwen3guard_stream_tokens", "Tokens of streams judged so far");
  Family<Gauge>& connections = gauges("qwen3guard_http_connections", "Connections that are open");
  Family<Gauge>& in_flight = gauges("qwen3guard_http_requests_in_flight", "Requests being answered");
  Family<Gauge>& turned_away =
      gauges("qwen3guard_http_connections_turned_away", "Connections refused so far, as there were too many");
  Family<Gauge>& bad_requests =
      gauges("qwen3guard_http_bad_requests", "Requests so far that were no HTTP, or too large or too slow");
  Family<Gauge>& lost_lines = gauges("qwen3guard_audit_lines_lost", "Audit lines that could not be written");

 private:
  Family<Counter>& counters(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& gauges(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& histograms(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::count_request(std::string_view door, int status, double seconds) {
  const std::string name(door);
  impl_->requests.Add({{"door", name}, {"status", std::to_string(status)}}).Increment();
  impl_->request_times.Add({{"door", name}}, time_buckets()).Observe(seconds);
}

void Metrics::count_judged(Route route, Severity severity, const Ruling& ruling, double seconds) {
  const std::string name = to_string(route);
  impl_->verdicts
      .Add({{"route", name}, {"severity", to_string(severity)}, {"category", name_of(ruling.category)}})
      .Increment();
  impl_->rulings
      .Add({{"route", name},
            {"policy", ruling.policy_name},
            {"action", to_string(ruling.action)},
            {"rule", to_string(ruling.rule)}})
      .Increment();
  if (seconds >= 0) impl_->verdict_times.Add({{"route", name}}, time_buckets()).Observe(seconds);
}

void Metrics::count_unjudged(Route route, std::string_view reason) {
  impl_->unjudged.Add({{"route", to_string(route)}, {"reason", std::string(reason)}}).Increment();
}
void Metrics::count_would_block(Route route) {
  impl_->would_block.Add({{"route", to_string(route)}}).Increment();
}
void Metrics::count_blocked(Route route) { impl_->blocked.Add({{"route", to_string(route)}}).Increment(); }
void Metrics::count_refused(std::string_view reason) {
  impl_->refused.Add({{"reason", std::string(reason)}}).Increment();
}

void Metrics::count_tokens(Route route, const TokenUsage& tokens) {
  const std::string name = to_string(route);
  impl_->tokens.Add({{"route", name}, {"kind", "prompt"}}).Increment(tokens.prompt);
  impl_->tokens.Add({{"route", name}, {"kind", "cached"}}).Increment(tokens.cached);
  impl_->tokens.Add({{"route", name}, {"kind", "generated"}}).Increment(tokens.generated);
}

void Metrics::count_reload(std::string_view what, bool is_ok) {
  impl_->reloads.Add({{"what", std::string(what)}, {"result", is_ok ? "ok" : "failed"}}).Increment();
}

std::string Metrics::text(const Levels& levels) {
  for (const Levels::OfModel& model : levels.models) {
    const Labels labels = {{"model", model.name}};
    impl_->waiting.Add(labels).Set(static_cast<double>(model.n_waiting));
    impl_->sessions.Add(labels).Set(static_cast<double>(model.n_sessions));
    impl_->sessions_bytes.Add(labels).Set(static_cast<double>(model.sessions_bytes));
    impl_->stream_tokens.Add(labels).Set(static_cast<double>(model.stream_tokens));
  }
  impl_->connections.Add({}).Set(static_cast<double>(levels.listener.n_connections));
  impl_->in_flight.Add({}).Set(static_cast<double>(levels.n_requests));
  impl_->turned_away.Add({}).Set(static_cast<double>(levels.listener.n_turned_away));
  impl_->bad_requests.Add({}).Set(static_cast<double>(levels.listener.n_bad_requests));
  impl_->lost_lines.Add({}).Set(static_cast<double>(levels.lost_audit_lines));
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace qwen3guard::server
