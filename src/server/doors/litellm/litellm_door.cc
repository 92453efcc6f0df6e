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
        calls_(
            limits_of(services.options), [this](CallStore::Call& call) { close(call); },
            [this](CallStore::Call& call) { record_answers(call, call.said); }) {}

  void start() {
    sweep();
    services_.on_stop.push_back([this] { stop(); });
  }

  void answer(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body) {
    try {
      begin(exchange, body);
    } catch (const BadRequestError& e) {
      refuse_unread(*exchange, body, {ErrorCode::invalid_argument, e.what()});
    } catch (const wire::LineError& e) {
      refuse_unread(*exchange, body, {e.code, e.what()});
    }
  }

 private:
  /// One request under way.
  struct Asked {
    std::shared_ptr<Exchange> exchange;
    GuardrailCall call;
    CallKey key;
    /// Null: not known. This request's, whatever comes by its call's name while it waits.
    std::shared_ptr<const ChatMessages> prompt;
    AnswerRules rules;
    Policy policy;
    Clock::time_point begin = Clock::now();
  };

  void begin(const std::shared_ptr<Exchange>& exchange, const wire::JsonValue& body);
  void refuse_unread(Exchange& exchange, const wire::JsonValue& body, const Error& error);
  void refuse_unjudged(Exchange& exchange, Role role, std::string_view text, const Policy& policy,
                       const Error& error);
  [[nodiscard]] std::shared_ptr<GuardedCall> make_sessions() const;
  void close(CallStore::Call& call);
  void run(const std::shared_ptr<Asked>& asked, CallStore::Call& call);
  void finish(const std::shared_ptr<Asked>& under_way, const Result<CallOutcome>& outcome);
  [[nodiscard]] bool answer(const Asked& asked, CallStore::Call& call, const Result<CallOutcome>& outcome);
  void settle(const Asked& asked, CallStore::Call& call, bool is_refused);
  void note_said(const Asked& asked, CallStore::Call& call, const CallOutcome& outcome);
  void reply(Exchange& exchange, const GuardrailReply& reply);
  void refuse_full(Exchange& exchange);
  void record_prompts(const Asked& asked, const CallOutcome& outcome);
  void record(const std::string& request_id, const std::string& key_name, Role role, const std::string& text,
              const Decision& decision, double seconds);
  void record_answers(const CallStore::Call& call, const std::vector<SaidAnswer>& answers);
  void sweep();
  void stop();

  Services& services_;
  ServedModel& model_;
  CallStore calls_;
  std::unique_ptr<Loop::Timer> timer_;
  bool is_stopping_ = false;
};

void LitellmDoor::refuse_unread(Exchange& exchange, const wire::JsonValue& body, const Error& error) {
  const LastText last = last_text(body);
  refuse_unjudged(exchange, last.role, last.text, services_.policies.policy(Route::litellm), error);
}

/// The one way by which what was not judged ends: counted and on record, for what it is.
void LitellmDoor::refuse_unjudged(Exchange& exchange, Role role, std::string_view text, const Policy& policy,
                                  const Error& error) {
  const bool is_monitor = services_.options.monitor_only;
  services_.metrics.count_unjudged(Route::litellm, to_string(error.code));
  AuditEntry entry;
  entry.route = Route::litellm;
  entry.request_id = exchange.request_id;
  entry.key_name = exchange.key_name;
  entry.model = model_.name;
  entry.model_digest = model_.digest;
  entry.role = role;
  entry.error = to_string(error.code);
  entry.text = text;
  entry.was_let_through = is_monitor;
  services_.audit.write(entry);
  if (!blocks_unjudged(policy) && !is_monitor && !is_for_the_client(error))
    return refuse(exchange, api_error(error));
  reply(exchange, reply_unjudged(rule_unjudged(policy), error, is_monitor));
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
    // Clients choose the ids of their calls. Two conversations by one name would be taken for each other.
    if (call->n_steps > 0)
      throw BadRequestError("litellm_call_id: a call with this id is being judged; expected another id",
                            "litellm_call_id");
    // What was remembered of an earlier call by that name is another conversation's.
    calls_.end(*call);
    calls_.remember(*call, std::make_shared<const ChatMessages>(std::move(asked->call.asked)));
    call->is_answered = false;
  }
  asked->prompt = call->asked;
  asked->rules.knows_prompt = asked->prompt != nullptr;
  call->is_answered = call->is_answered || !is_request;
  call->request_id = exchange->request_id;
  call->key_name = exchange->key_name;
  if (!call->sessions) {
    if (!calls_.make_room_for_sessions()) {
      // What nobody will answer is not to take the place of what somebody will.
      if (is_request) calls_.forget(asked->key);
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

void LitellmDoor::close(CallStore::Call& call) {
  model_.streams->post([sessions = call.sessions](StreamBatch& batch) { sessions->close(batch); });
}

void LitellmDoor::run(const std::shared_ptr<Asked>& asked, CallStore::Call& call) {
  const auto cancel = std::make_shared<CancelFlag>();
  asked->exchange->on_closed([cancel] { cancel->cancel(); });
  CallStep step;
  step.asked = asked->prompt;
  step.answers = asked->call.answers;
  step.cancel = cancel;
  step.deadline = asked->begin + services_.options.time_limit;
  call.used = asked->begin;
  // The door has the call, and the call has this until it is done: held here, neither would ever go.
  auto done = posted<Result<CallOutcome>>(
      services_.loop, [door = weak_from_this(), asked](const Result<CallOutcome>& outcome) {
        if (const auto self = door.lock()) self->finish(asked, outcome);
      });
  model_.streams->post(
      [sessions = call.sessions, step = std::move(step), done](StreamBatch&) { sessions->take(step, done); });
  ++call.n_steps;
}

/// What an answer came to is recorded when it has ended: it comes again with every word. One that none of
/// today's goes on with has ended.
void LitellmDoor::note_said(const Asked& asked, CallStore::Call& call, const CallOutcome& outcome) {
  std::vector<SaidAnswer> before = call.said, now;
  for (std::size_t i = 0; i < outcome.answers.size(); ++i) {
    const std::string& text = asked.call.answers[i].text;
    const Decision& decision = outcome.answers[i].decision;
    if (text.empty() || decision.action == Action::none) continue;
    auto longest = before.end();
    for (auto said = before.begin(); said != before.end(); ++said) {
      if (text.starts_with(said->text) &&
          (longest == before.end() || said->text.size() > longest->text.size()))
        longest = said;
    }
    if (longest != before.end()) before.erase(longest);
    now.push_back({text, decision});
  }
  calls_.say(call, std::move(now));
  record_answers(call, before);
}

void LitellmDoor::finish(const std::shared_ptr<Asked>& under_way, const Result<CallOutcome>& outcome) {
  // It is there: what is at work is not forgotten.
  CallStore::Call& call = *calls_.find(under_way->key);
  // Calls that rest give way to one that has no memory.
  const bool lacks_room = !outcome.ok() && outcome.error().code == ErrorCode::budget_exceeded;
  const bool has_room_now = lacks_room && calls_.let_go_of_one();
  --call.n_steps;
  if (has_room_now) return run(under_way, call);
  call.used = Clock::now();
  const bool is_refused = answer(*under_way, call, outcome);
  settle(*under_way, call, is_refused);
}

/// True when nothing may come behind it.
bool LitellmDoor::answer(const Asked& asked, CallStore::Call& call, const Result<CallOutcome>& outcome) {
  const bool is_response = asked.call.is_response;
  if (!outcome.ok()) {
    const std::string& text = is_response ? asked.call.answers.front().text
                                          : asked.prompt->messages[asked.prompt->i_prompt].content;
    refuse_unjudged(*asked.exchange, is_response ? Role::assistant : Role::user, text, asked.policy,
                    outcome.error());
    return !asked.rules.is_monitor;
  }
  GuardrailReply found;
  if (is_response) {
    note_said(asked, call, *outcome);
    found = reply_to_response(asked.call.answers, outcome->answers, asked.rules);
  } else {
    record_prompts(asked, *outcome);
    found = reply_to_request(outcome->prompts, asked.rules.is_monitor);
  }
  reply(*asked.exchange, found);
  return found.is_blocked && !asked.rules.is_monitor;
}

/// What is remembered of the call behind a step.
void LitellmDoor::settle(const Asked& asked, CallStore::Call& call, bool is_refused) {
  if (call.n_steps > 0) return;
  // No answer follows what was refused; its place is free at once.
  if (asked.call.call_id.empty() || (is_refused && !asked.call.is_response)) return calls_.forget(asked.key);
  // What was found is to be recorded now, as nothing comes behind a block, or nobody is there any more.
  if (is_refused || is_stopping_) calls_.end(call);
}

void LitellmDoor::reply(Exchange& exchange, const GuardrailReply& reply) {
  if (reply.is_blocked) {
    if (services_.options.monitor_only) {
      services_.metrics.count_would_block(Route::litellm);
    } else {
      services_.metrics.count_blocked(Route::litellm);
    }
  }
  exchange.reply(json_response(200, reply.json));
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

/// Once a second, whatever becomes of this time.
void LitellmDoor::sweep() {
  timer_ = services_.loop.after(std::chrono::seconds(1), [this] { sweep(); });
  calls_.sweep(Clock::now());
}

void LitellmDoor::stop() {
  is_stopping_ = true;
  calls_.end_all();
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
