// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/digest.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/litellm/call_store.hpp"
#include "server/doors/litellm/guardrail_reply.hpp"
#include "server/doors/request_json.hpp"
#include "server/doors/verdict_json.hpp"
#include "server/http/posted.hpp"
#include "wire/line_error.hpp"

namespace qwen3guard::server {
namespace {

using Clock = CallStore::Clock;

/// A setting of the gateway's, which its clients cannot reach: it sends the headers of its configuration.
constexpr std::string_view kStreamingHeader = "x-qwen3guard-streaming";

constexpr const char* kPath = "/beta/litellm_basic_guardrail_api";

bool is_incremental(Exchange& exchange) {
  const std::string_view value = find(exchange.request().headers, kStreamingHeader);
  if (value.empty() || value == "incremental") return !value.empty();
  throw BadRequestError(
      std::string(kStreamingHeader) + ": " + quote(value, 40) + R"(; expected "incremental")",
      std::string(kStreamingHeader));
}

/// What leaves the gateway's incremental streams before anybody is asked.
void refuse_what_would_leak(const GuardrailCall& call) {
  if (call.has_tools)
    throw BadRequestError(
        "tools: in an incremental stream the gateway shows tool calls before they are judged; expected none, "
        "or "
        "a guardrail without the header " +
            std::string(kStreamingHeader),
        "tools");
  if (!call.has_messages)
    throw BadRequestError(
        "structured_messages: missing; the gateway streams incrementally for chat completions alone",
        "structured_messages");
}

CallLimits limits_of(const ServerOptions& options) {
  CallLimits out;
  out.max_sessions = options.max_sessions;
  out.timeout = options.session_timeout;
  return out;
}

/// The gateway's calls. Loop thread only; what it hands to the pool comes back by the loop.
class LitellmDoor : public std::enable_shared_from_this<LitellmDoor> {
 public:
  explicit LitellmDoor(Services& services)
      : services_(services),
        model_(services.models.first(ModelKind::stream)),
        calls_(limits_of(services.options), [this](CallStore::Call& call) { let_go(call); }) {}

  void start() {
    sweep();
    services_.on_stop.push_back([this] { calls_.let_go_of_all(); });
  }

  void answer(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body) {
    try {
      begin(exchange, body);
    } catch (const BadRequestError& e) {
      refuse_unjudged(*exchange, {ErrorCode::invalid_argument, e.what()});
    } catch (const wire::LineError& e) {
      refuse_unjudged(*exchange, {e.code, e.what()});
    }
  }

 private:
  /// One request under way.
  struct Asked {
    std::shared_ptr<Exchange> exchange;
    GuardrailCall call;
    CallKey key;
    AnswerRules rules;
    Policy policy;
    Clock::time_point begin = Clock::now();
  };

  void begin(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body);
  void refuse_unjudged(Exchange& exchange, const Error& error);
  [[nodiscard]] std::shared_ptr<GuardedCall> make_sessions() const;
  void let_go(CallStore::Call& call);
  void run(const std::shared_ptr<Asked>& asked, CallStore::Call& call);
  void finish(const std::shared_ptr<Asked>& under_way, Result<CallOutcome> outcome);
  void note_said(Asked& asked, CallStore::Call& call, const Result<CallOutcome>& outcome);
  void reply(Asked& asked, const GuardrailReply& reply);
  void refuse_full(Exchange& exchange);
  void record_prompts(const Asked& asked, const CallOutcome& outcome);
  void record(const std::string& request_id, const std::string& key_name, Role role, const std::string& text,
              const Decision& decision, double seconds);
  void record_answers(const CallStore::Call& call, const std::vector<SaidAnswer>& answers);
  void record_said(CallStore::Call& call);
  void record_unjudged(const Asked& asked, const Error& error);
  void sweep();

  Services& services_;
  ServedModel& model_;
  CallStore calls_;
  std::unique_ptr<Loop::Timer> timer_;
};

void LitellmDoor::refuse_unjudged(Exchange& exchange, const Error& error) {
  services_.metrics.count_unjudged(Route::litellm, to_string(error.code));
  const Ruling ruling = rule_unjudged(services_.policies.policy(Route::litellm));
  exchange.reply(json_response(200, reply_unjudged(ruling, error, services_.options.monitor_only).json));
}

void LitellmDoor::begin(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body) {
  const auto asked = std::make_shared<Asked>();
  asked->exchange = exchange;
  asked->call = read_guardrail_call(body, services_.options.max_inputs);
  asked->rules.is_incremental = is_incremental(*exchange);
  asked->rules.is_monitor = services_.options.monitor_only;
  asked->policy = services_.policies.policy(Route::litellm);
  const bool is_request = !asked->call.is_response;
  if (is_request && asked->rules.is_incremental) refuse_what_would_leak(asked->call);
  asked->key = {exchange->key_name, asked->call.user, asked->call.call_id};
  // Without a name nothing is remembered for it.
  if (asked->key.call_id.empty()) asked->key.call_id = " " + random_hex(16);

  CallStore::Call* call = calls_.open(asked->key, asked->begin);
  if (call == nullptr) return refuse_full(*exchange);
  if (is_request) {
    // What was remembered of an earlier call by that name is another conversation's.
    calls_.let_go(*call);
    calls_.remember(*call, std::make_shared<const ChatMessages>(std::move(asked->call.asked)));
    call->is_answered = false;
  }
  asked->rules.knows_prompt = call->asked != nullptr;
  call->is_answered = call->is_answered || !is_request;
  call->request_id = exchange->request_id;
  call->key_name = exchange->key_name;
  if (!call->sessions) {
    if (!calls_.make_room_for_sessions()) {
      // What nobody will answer is not to take the place of what somebody will.
      if (is_request && call->n_steps == 0) calls_.forget(asked->key);
      return refuse_full(*exchange);
    }
    calls_.give(*call, make_sessions());
  }
  run(asked, *call);
}

void LitellmDoor::refuse_full(Exchange& exchange) {
  services_.metrics.count_refused("sessions");
  refuse(exchange, {429, "too many calls are under way", "", "sessions_full", 1});
}

std::shared_ptr<GuardedCall> LitellmDoor::make_sessions() const {
  StreamOptions options;
  options.policy = services_.policies.policy(Route::litellm);
  HoldBackOptions hold_back;
  hold_back.buffer_tokens = services_.options.upstream.hold_back_tokens;
  return std::make_shared<GuardedCall>(*model_.streams, std::move(options), hold_back);
}

void LitellmDoor::let_go(CallStore::Call& call) {
  record_said(call);
  model_.streams->post([sessions = call.sessions](StreamBatch& batch) { sessions->close(batch); });
}

void LitellmDoor::run(const std::shared_ptr<Asked>& asked, CallStore::Call& call) {
  const auto cancel = std::make_shared<CancelFlag>();
  asked->exchange->on_closed([cancel] { cancel->cancel(); });
  CallStep step;
  step.asked = call.asked;
  step.answers = asked->call.answers;
  step.cancel = cancel;
  step.deadline = asked->begin + services_.options.time_limit;
  call.used = asked->begin;
  ++call.n_steps;
  auto done = posted<Result<CallOutcome>>(services_.loop,
                                          [self = shared_from_this(), asked](Result<CallOutcome> outcome) {
                                            self->finish(asked, std::move(outcome));
                                          });
  model_.streams->post([sessions = call.sessions, step = std::move(step), done](StreamBatch& batch) {
    sessions->take(batch, step, done);
  });
}

/// What an answer came to is recorded when it has ended: it comes again with every word.
void LitellmDoor::note_said(Asked& asked, CallStore::Call& call, const Result<CallOutcome>& outcome) {
  if (!outcome.ok()) return record_said(call);
  if (!asked.call.is_response) return;
  record_answers(call, outcome->ended);
  call.said.clear();
  for (std::size_t i = 0; i < outcome->answers.size(); ++i) {
    const std::string& text = asked.call.answers[i].text;
    if (!text.empty()) call.said.push_back({text, outcome->answers[i].decision});
  }
}

void LitellmDoor::finish(const std::shared_ptr<Asked>& under_way, Result<CallOutcome> outcome) {
  Asked& asked = *under_way;
  if (CallStore::Call* call = calls_.find(asked.key)) {
    // Calls that rest give way to one that has no memory.
    const bool makes_room = !outcome.ok() && outcome.error().code == ErrorCode::budget_exceeded &&
                            call->sessions && calls_.let_go_of_one();
    if (call->n_steps > 0) --call->n_steps;
    if (makes_room) return run(under_way, *call);
    call->used = Clock::now();
    note_said(asked, *call, outcome);
  }
  if (!outcome.ok()) {
    record_unjudged(asked, outcome.error());
    if (blocks_unjudged(asked.policy) || asked.rules.is_monitor || is_for_the_client(outcome.error()))
      return reply(asked,
                   reply_unjudged(rule_unjudged(asked.policy), outcome.error(), asked.rules.is_monitor));
    refuse(*asked.exchange, api_error(outcome.error()));
    if (asked.call.call_id.empty() || !asked.call.is_response) calls_.forget(asked.key);
    return;
  }
  if (asked.call.is_response)
    return reply(asked, reply_to_response(asked.call.answers, outcome->answers, asked.rules));
  record_prompts(asked, *outcome);
  reply(asked, reply_to_request(outcome->prompts, asked.rules.is_monitor));
}

void LitellmDoor::reply(Asked& asked, const GuardrailReply& reply) {
  asked.exchange->reply(json_response(200, reply.json));
  const bool is_over = asked.call.call_id.empty();
  if (reply.is_blocked) {
    if (asked.rules.is_monitor) {
      services_.metrics.count_would_block(Route::litellm);
    } else {
      services_.metrics.count_blocked(Route::litellm);
    }
  }
  CallStore::Call* call = calls_.find(asked.key);
  if (call == nullptr || call->n_steps > 0) return;
  if (is_over) return calls_.forget(asked.key);
  // Nothing comes behind a block, and what was found is to be recorded now.
  if (reply.is_blocked && !asked.rules.is_monitor) calls_.let_go(*call);
}

void LitellmDoor::record_prompts(const Asked& asked, const CallOutcome& outcome) {
  const double seconds = std::chrono::duration<double>(Clock::now() - asked.begin).count();
  std::int32_t n_tokens = 0;
  for (const JudgedPrompt& prompt : outcome.prompts) {
    services_.metrics.count_tokens(Route::litellm, {prompt.n_tokens - n_tokens, 0, 0});
    n_tokens = prompt.n_tokens;
    record(asked.exchange->request_id, asked.exchange->key_name, Role::user, prompt.text, prompt.decision,
           seconds);
  }
}

void LitellmDoor::record(const std::string& request_id, const std::string& key_name, Role role,
                         const std::string& text, const Decision& decision, double seconds) {
  services_.metrics.count_judged(Route::litellm, decision.severity, decision.ruling, seconds);
  AuditEntry entry;
  entry.route = Route::litellm;
  entry.request_id = request_id;
  entry.key_name = key_name;
  entry.model = model_.name;
  entry.model_digest = model_.digest;
  entry.role = role;
  entry.severity = decision.severity;
  entry.ruling = &decision.ruling;
  entry.text = text;
  entry.was_let_through = services_.options.monitor_only && decision.action == Action::block;
  services_.audit.write(entry);
}

void LitellmDoor::record_answers(const CallStore::Call& call, const std::vector<SaidAnswer>& answers) {
  for (const SaidAnswer& answer : answers)
    record(call.request_id, call.key_name, Role::assistant, answer.text, answer.decision, -1);
}

void LitellmDoor::record_said(CallStore::Call& call) { record_answers(call, std::exchange(call.said, {})); }

void LitellmDoor::record_unjudged(const Asked& asked, const Error& error) {
  services_.metrics.count_unjudged(Route::litellm, to_string(error.code));
  AuditEntry entry;
  entry.route = Route::litellm;
  entry.request_id = asked.exchange->request_id;
  entry.key_name = asked.exchange->key_name;
  entry.model = model_.name;
  entry.model_digest = model_.digest;
  entry.role = asked.call.is_response ? Role::assistant : Role::user;
  entry.error = to_string(error.code);
  if (!asked.call.answers.empty()) entry.text = asked.call.answers.front().text;
  entry.was_let_through = asked.rules.is_monitor;
  services_.audit.write(entry);
}

/// Once a second.
void LitellmDoor::sweep() {
  calls_.sweep(Clock::now());
  timer_ = services_.loop.after(std::chrono::seconds(1), [this] { sweep(); });
}

}  // namespace

void add_litellm_door(Routes& routes, Services& services) {
  const auto door = std::make_shared<LitellmDoor>(services);
  door->start();
  routes.add_spelling(kPath, spell_guardrail_error);
  routes.add({"litellm", "POST", kPath, false,
              [door](const std::shared_ptr<Exchange>& exchange, const std::string&) {
                answer_json(exchange, [&](const wire::JsonValue& body) { door->answer(exchange, body); });
              }});
}

}  // namespace qwen3guard::server
