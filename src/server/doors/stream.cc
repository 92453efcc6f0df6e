// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "server/digest.hpp"
#include "server/doors/choose_model.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/live_stream.hpp"
#include "server/doors/request_json.hpp"
#include "server/doors/verdict_json.hpp"
#include "server/http/posted.hpp"
#include "wire/conversation_in.hpp"
#include "wire/stream_out.hpp"

namespace qwen3guard::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kKeepAlive{15};
/// Of one stream, under way at the same time: whoever sends more does not wait for what he asked.
constexpr std::size_t kMaxSteps = 16;
/// Of one piece: what a session may have waiting.
constexpr std::size_t kMaxTextBytes = StreamBatchOptions().max_waiting_bytes;
/// Of events that a client has not read: it reads too slowly, and is cut off rather than waited for.
constexpr std::size_t kMaxUnreadBytes = std::size_t{256} << 10;

/// Whose a stream is, and what judges it.
struct Owner {
  ServedModel* model = nullptr;
  std::string key_name;
};

/// A stream as the loop knows it.
struct Entry : Owner {
  std::shared_ptr<LiveStream> live;
  Clock::time_point used = Clock::now();
  std::size_t n_steps = 0;  // under way
  std::vector<std::shared_ptr<Exchange>> listeners;
};

/// All streams. Loop thread only; what it hands to a pool comes back by the loop.
class Streams : public std::enable_shared_from_this<Streams> {
 public:
  explicit Streams(Services& services) : services_(services) {}

  void start() {
    sweep();
    services_.on_stop.push_back([this] {
      for (auto& [id, entry] : entries_) end_listeners(id, entry, "stopping");
    });
  }

  void create(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body);
  void push(const std::shared_ptr<Exchange>& exchange, const std::string& id, const wire::JsonValue& body);
  void listen(const std::shared_ptr<Exchange>& exchange, const std::string& id);
  void remove(const std::shared_ptr<Exchange>& exchange, const std::string& id);

 private:
  using Finish = std::function<void(Result<StreamOutcome>)>;

  [[nodiscard]] Entry* find(const Exchange& exchange, const std::string& id);
  void refuse_unknown(Exchange& exchange, const std::string& id);
  void run(Entry& entry, StreamStep step, Finish finish);
  void record(const Owner& owner, const std::string& request_id, const StreamOutcome& outcome,
              double seconds);
  void close(Entry& entry, const std::string& request_id, std::function<void(const StreamOutcome&)> then);
  void count_failure(const Error& error);
  void reply_created(const std::shared_ptr<Exchange>& exchange, const std::string& id,
                     const StreamOutcome* outcome);
  void tell(const std::string& id, const char* event, const std::string& data);
  void end(const std::string& id, Entry& entry, const char* why);
  static void end_listeners(const std::string& id, Entry& entry, const char* why);
  void sweep();

  Services& services_;
  std::map<std::string, Entry> entries_;
  std::unique_ptr<Loop::Timer> timer_;
  Clock::time_point kept_alive_ = Clock::now();
};

std::string event_text(const char* event, const std::string& data) {
  return std::string("event: ") + event + "\ndata: " + data + "\n\n";
}

std::string with_id(const std::string& id, const std::string& members) {
  wire::JsonOut json;
  json.begin_object().key("id").string(id);
  return json.text() + (members.empty() ? "" : "," + members) + "}";
}

/// Somebody else's stream is as unknown as one that is not there.
Entry* Streams::find(const Exchange& exchange, const std::string& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.key_name != exchange.key_name) return nullptr;
  return &found->second;
}

void Streams::refuse_unknown(Exchange& exchange, const std::string& id) {
  refuse(exchange,
         {404, "there is no stream " + quote(id, 60) + "; it may have expired", "", "no_such_stream"});
}

/// Has the pool do a step; `finish` is called on the loop.
void Streams::run(Entry& entry, StreamStep step, Finish finish) {
  entry.used = Clock::now();
  ++entry.n_steps;
  step.deadline = entry.used + services_.options.time_limit;
  entry.model->streams->post([live = entry.live, step = std::move(step),
                              done = posted<Result<StreamOutcome>>(services_.loop, std::move(finish))](
                                 StreamBatch& batch) { live->take(batch, step, done); });
}

void Streams::record(const Owner& owner, const std::string& request_id, const StreamOutcome& outcome,
                     double seconds) {
  const Decision& decision = outcome.decision;
  const bool is_judged = decision.severity != Severity::not_judged || decision.ruling.rule == Rule::deny_list;
  if (is_judged) {
    services_.metrics.count_judged(Route::stream, decision.severity, decision.ruling, seconds);
  } else {
    services_.metrics.count_unjudged(Route::stream, "incomplete");
  }
  AuditEntry audit;
  audit.route = Route::stream;
  audit.request_id = request_id;
  audit.key_name = owner.key_name;
  audit.model = owner.model->name;
  audit.model_digest = owner.model->digest;
  audit.role = outcome.role;
  audit.severity = decision.severity;
  if (is_judged) {
    audit.ruling = &decision.ruling;
  } else {
    audit.error = "incomplete";
  }
  audit.text = outcome.text;
  services_.audit.write(audit);
}

/// What a client asked for in vain is no text that was not judged.
void Streams::count_failure(const Error& error) {
  if (error.code != ErrorCode::invalid_argument)
    services_.metrics.count_unjudged(Route::stream, to_string(error.code));
}

/// Ends the session. A turn that was open is recorded as far as it came: who ends a stream at a block never
/// ends its turn.
void Streams::close(Entry& entry, const std::string& request_id,
                    std::function<void(const StreamOutcome&)> then) {
  if (!entry.live) return;
  const auto done =
      posted<StreamOutcome>(services_.loop, [self = shared_from_this(), owner = Owner(entry), request_id,
                                             then = std::move(then)](const StreamOutcome& outcome) {
        if (!outcome.text.empty()) self->record(owner, request_id, outcome, -1);
        if (then) then(outcome);
      });
  entry.model->streams->post(
      [live = std::move(entry.live), done](StreamBatch& batch) { done(live->close(batch)); });
}

void Streams::reply_created(const std::shared_ptr<Exchange>& exchange, const std::string& id,
                            const StreamOutcome* outcome) {
  const Entry& entry = entries_.at(id);
  wire::JsonOut json;
  json.begin_object();
  json.key("id").string(id);
  json.key("object").string("stream");
  json.key("model").string(entry.model->name);
  json.key("expires_in_s").integer(services_.options.session_timeout.count());
  json.key("prompt");
  if (outcome == nullptr) {
    json.null();
  } else {
    json.begin_object();
    json.key("token").raw(outcome->prompt_json);
    json.key("decision").begin_object();
    const Decision& decision = outcome->decision;
    wire::put_decision_fields(json, decision, decision.token ? &*decision.token : nullptr);
    json.key("settled").boolean(decision.is_settled);
    json.end_object().end_object();
  }
  json.end_object();
  exchange->reply(json_response(201, json.text()));
}

/// What stands in front of the first answer.
StreamStep first_step(const wire::JsonValue& body) {
  StreamStep step;
  const auto prompt = optional_text(body, "prompt");
  const bool has_messages = body.find("messages").has_value();
  if (prompt && has_messages)
    throw BadRequestError("prompt and messages are two ways to say the same", "prompt");
  if (!has_messages) {
    step.prompt = prompt;
    return step;
  }
  step.history = wire::read_conversation(body, InvalidUtf8::reject);
  if (step.history.empty() || step.history.back().role != Role::user)
    throw BadRequestError("messages: the last one is to be the user's", "messages");
  step.prompt = std::move(step.history.back().content);
  step.history.pop_back();
  return step;
}

void Streams::create(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body) {
  StreamOptions options;
  options.policy = services_.policies.policy(Route::stream);
  refuse_policy(body);
  ServedModel& model = choose_model(services_.models, body, ModelKind::stream, UnknownModel::is_error);
  StreamStep step = first_step(body);
  if (entries_.size() >= services_.options.max_sessions) {
    services_.metrics.count_refused("sessions");
    return refuse(*exchange, {429, "too many streams are open", "", "sessions_full"});
  }
  const std::string id = "strm-" + random_hex(16);
  Entry& entry = entries_[id];
  entry.live = std::make_shared<LiveStream>(*model.streams, options);
  entry.model = &model;
  entry.key_name = exchange->key_name;
  ++entry.n_steps;
  const auto self = shared_from_this();
  const auto begin = Clock::now();
  const auto opened = posted<Status>(services_.loop, [self, exchange, id, step, begin](const Status& status) {
    Entry& made = self->entries_.at(id);
    --made.n_steps;
    if (!status.ok()) {
      refuse(*exchange, api_error(status.error()));
      return static_cast<void>(self->entries_.erase(id));
    }
    if (!step.prompt) return self->reply_created(exchange, id, nullptr);
    self->run(made, step, [self, exchange, id, begin](const Result<StreamOutcome>& outcome) {
      Entry& judged = self->entries_.at(id);
      --judged.n_steps;
      if (outcome.ok() && exchange->is_open()) {
        self->record(judged, exchange->request_id, *outcome,
                     std::chrono::duration<double>(Clock::now() - begin).count());
        return self->reply_created(exchange, id, &*outcome);
      }
      if (!outcome.ok()) {
        self->count_failure(outcome.error());
        refuse(*exchange, api_error(outcome.error()));
      }
      self->end(id, judged, "failed");
      self->entries_.erase(id);
    });
  });
  model.streams->post([live = entry.live, opened](StreamBatch& batch) { opened(live->open(batch)); });
}

StreamStep step_of(const wire::JsonValue& body) {
  StreamStep step;
  step.rewind_to_byte = optional_integer(body, "rewind_to_byte", 0, INT64_C(1) << 40);
  step.text = optional_text(body, "text");
  if (step.text && step.text->size() > kMaxTextBytes)
    throw BadRequestError("text: " + std::to_string(step.text->size()) + " bytes; expected at most " +
                              std::to_string(kMaxTextBytes) + " at a time",
                          "text", 413);
  step.ends_turn = optional_flag(body, "end");
  if (const auto role = optional_text(body, "role")) {
    if (*role != "user" && *role != "assistant")
      throw BadRequestError("role: " + quote(*role) + R"(; expected "user" or "assistant")", "role");
    step.role = *role == "user" ? Role::user : Role::assistant;
  }
  if (!step.rewind_to_byte && !step.text && !step.ends_turn)
    throw BadRequestError(R"(nothing to do; expected "text", "rewind_to_byte" or "end")");
  return step;
}

void Streams::push(const std::shared_ptr<Exchange>& exchange, const std::string& id,
                   const wire::JsonValue& body) {
  Entry* entry = find(*exchange, id);
  if (entry == nullptr) return refuse_unknown(*exchange, id);
  StreamStep step = step_of(body);
  if (entry->n_steps >= kMaxSteps) {
    services_.metrics.count_refused("steps");
    return refuse(*exchange, {429, "too many pieces of this stream wait", "", "steps_full"});
  }
  const auto cancel = std::make_shared<CancelFlag>();
  exchange->on_closed([cancel] { cancel->cancel(); });
  step.cancel = cancel;
  const auto begin = Clock::now();
  run(*entry, std::move(step),
      [self = shared_from_this(), exchange, id, begin](const Result<StreamOutcome>& outcome) {
        const auto found = self->entries_.find(id);
        if (found != self->entries_.end()) {
          --found->second.n_steps;
          found->second.used = Clock::now();
        }
        if (!outcome.ok()) {
          const ApiError error = api_error(outcome.error());
          self->count_failure(outcome.error());
          refuse(*exchange, error);
          return self->tell(id, "error", error_body(error));
        }
        if (outcome->has_ended && found != self->entries_.end())
          self->record(found->second, exchange->request_id, *outcome,
                       std::chrono::duration<double>(Clock::now() - begin).count());
        const std::string json = with_id(id, outcome->json);
        exchange->reply(json_response(200, json));
        self->tell(id, outcome->has_ended ? "turn_end" : "update", json);
      });
}

void Streams::listen(const std::shared_ptr<Exchange>& exchange, const std::string& id) {
  Entry* entry = find(*exchange, id);
  if (entry == nullptr) return refuse_unknown(*exchange, id);
  exchange->begin(
      200,
      {{"content-type", "text/event-stream"}, {"cache-control", "no-cache"}, {"x-accel-buffering", "no"}});
  exchange->write("retry: 2000\n\n");
  if (!exchange->is_open()) return;  // HEAD
  std::string().swap(exchange->request().body);
  entry->listeners.push_back(exchange);
  exchange->on_closed([weak = weak_from_this(), id, listener = std::weak_ptr<Exchange>(exchange)] {
    const auto self = weak.lock();
    if (!self) return;
    const auto found = self->entries_.find(id);
    if (found != self->entries_.end()) std::erase(found->second.listeners, listener.lock());
  });
}

void Streams::remove(const std::shared_ptr<Exchange>& exchange, const std::string& id) {
  Entry* entry = find(*exchange, id);
  if (entry == nullptr) return refuse_unknown(*exchange, id);
  end_listeners(id, *entry, "deleted");
  close(*entry, exchange->request_id, [exchange, id](const StreamOutcome& outcome) {
    const Decision& decision = outcome.decision;
    wire::JsonOut json;
    json.begin_object();
    json.key("deleted").boolean(true);
    json.key("decision").begin_object();
    wire::put_decision_fields(json, decision, decision.token ? &*decision.token : nullptr);
    json.end_object();
    exchange->reply(json_response(200, with_id(id, json.text().substr(1))));
  });
  entries_.erase(id);
}

void Streams::tell(const std::string& id, const char* event, const std::string& data) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  const std::string text = event_text(event, data);
  const auto listeners = found->second.listeners;
  for (const auto& listener : listeners) {
    if (listener->waiting_bytes() > kMaxUnreadBytes) {
      listener->abort();
      std::erase(found->second.listeners, listener);
    } else {
      listener->write(text);
    }
  }
}

void Streams::end(const std::string& id, Entry& entry, const char* why) {
  end_listeners(id, entry, why);
  close(entry, "", nullptr);
}

void Streams::end_listeners(const std::string& id, Entry& entry, const char* why) {
  for (const auto& listener : std::exchange(entry.listeners, {})) {
    listener->write(event_text("end", with_id(id, std::string(R"("reason":")") + why + "\"")));
    listener->end();
  }
}

/// Once a second: streams that nobody used for too long end, and listeners hear that the server is there.
void Streams::sweep() {
  const auto now = Clock::now();
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (entry->second.n_steps == 0 && now - entry->second.used > services_.options.session_timeout) {
      end(entry->first, entry->second, "expired");
      entry = entries_.erase(entry);
    } else {
      ++entry;
    }
  }
  if (now - kept_alive_ >= kKeepAlive) {
    kept_alive_ = now;
    for (const auto& [id, entry] : entries_) {
      for (const auto& listener : entry.listeners) listener->write(": keep-alive\n\n");
    }
  }
  timer_ = services_.loop.after(std::chrono::seconds(1), [this] { sweep(); });
}

}  // namespace

void add_stream_door(Routes& routes, Services& services) {
  const auto streams = std::make_shared<Streams>(services);
  streams->start();
  routes.add({"stream", "POST", "/v1/stream", false, [streams](const auto& exchange, const std::string&) {
                answer_json(exchange, [&](const wire::JsonValue& body) { streams->create(exchange, body); });
              }});
  routes.add(
      {"stream", "POST", "/v1/stream/{id}", false, [streams](const auto& exchange, const std::string& id) {
         answer_json(exchange, [&](const wire::JsonValue& body) { streams->push(exchange, id, body); });
       }});
  routes.add({"events", "GET", "/v1/stream/{id}/events", false,
              [streams](const auto& exchange, const std::string& id) { streams->listen(exchange, id); }});
  routes.add({"stream", "DELETE", "/v1/stream/{id}", false,
              [streams](const auto& exchange, const std::string& id) { streams->remove(exchange, id); }});
}

}  // namespace qwen3guard::server
