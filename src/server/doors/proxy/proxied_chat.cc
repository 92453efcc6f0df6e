// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/proxied_chat.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

#include "server/digest.hpp"
#include "server/doors/verdict_json.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

/// A client that has so much to read is waited for.
constexpr std::size_t kMaxUnreadBytes = std::size_t{256} << 10;

GuardSetup guard_setup(const Services& services) {
  GuardSetup out;
  out.stream.policy = services.policies.policy(Route::upstream);
  out.hold_back.buffer_tokens = services.options.upstream.hold_back_tokens;
  out.time_limit = services.options.time_limit;
  out.keeps_text = services.audit.is_on();
  out.is_monitor = services.options.monitor_only;
  out.blocks_unjudged = server::blocks_unjudged(out.stream.policy);
  return out;
}

std::size_t text_bytes(const ChoicePiece& piece) noexcept {
  std::size_t n = 0;
  for (const Part& part : piece.parts) n += part.text.size();
  return n;
}

ApiError upstream_error(int status, std::string message) {
  return {status, std::move(message), "", status == 504 ? "upstream_timeout" : "upstream_failed"};
}

/// An answer that was not judged. What it says must not be the answer's.
ApiError unjudged_error(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::invalid_utf8:
      return upstream_error(502, "the upstream's answer cannot be judged: " + error.detail);
    case ErrorCode::cancelled:
      return {504, "the answer was not judged: " + error.detail, "", "not_judged"};
    case ErrorCode::budget_exceeded:
      return {503, "the answer was not judged: " + error.detail, "", to_string(error.code)};
    default:
      return {500, "the answer was not judged: " + error.detail, "", to_string(error.code)};
  }
}

}  // namespace

ProxiedChat::ProxiedChat(Services& services, Upstream& upstream, std::shared_ptr<Exchange> exchange,
                         ChatRequest request, Done done)
    : services_(services),
      upstream_(upstream),
      model_(services.models.first(ModelKind::stream)),
      exchange_(std::move(exchange)),
      request_(std::move(request)),
      done_(std::move(done)),
      is_monitor_(services.options.monitor_only),
      out_(request_.is_streamed ? make_streamed_answer(exchange_, request_.includes_usage)
                                : make_plain_answer(exchange_)),
      reply_(request_.is_streamed, request_.n_choices) {
  head_.id = "chatcmpl-" + random_hex(12);
  head_.model = request_.model;
  head_.created = std::time(nullptr);
}

ProxiedChat::~ProxiedChat() {
  if (call_) call_->cancel();
  if (!guard_) return;
  // Its sessions are the pool's thread's.
  model_.streams->post([guard = std::move(guard_)](StreamBatch& batch) { guard->close(batch); });
}

template <class Change>
void ProxiedChat::safely(const Change& change) {
  if (is_done_) return;
  const auto keep = shared_from_this();
  try {
    change();
  } catch (const UpstreamError& e) {
    fail(upstream_error(502, e.what()));
  } catch (const std::exception& e) {
    fail({500, std::string("the proxy failed: ") + e.what(), "", "internal"});
  }
}

void ProxiedChat::start(std::optional<ChatMessages> asked) {
  exchange_->on_closed([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->finish();
  });
  if (asked) {
    StreamPool& pool = *model_.streams;
    guard_ = std::make_shared<GuardedAnswer>(
        pool.guard(), guard_setup(services_),
        [&loop = services_.loop, weak = weak_from_this()](GuardEvents events) {
          loop.post([weak, events = std::move(events)] {
            if (const auto self = weak.lock()) self->safely([&] { self->take(events); });
          });
        });
    pool.post([&pool, guard = guard_, asked = std::move(*asked)](StreamBatch& batch) {
      guard->begin(batch, asked);
      pool.wait_for(guard);
    });
  } else {
    GuardEvent event;
    event.kind = GuardEvent::Kind::unjudged;
    event.is_prompt = true;
    event.error = {ErrorCode::invalid_argument, "the conversation cannot be judged"};
    record(event);
  }
  if (is_monitor_) ask_upstream();
}

void ProxiedChat::take(const GuardEvents& events) {
  for (const GuardEvent& event : events) {
    if (is_done_) return;
    take(event);
  }
  look_at_room();
  end_if_over();
}

void ProxiedChat::take(const GuardEvent& event) {
  using Kind = GuardEvent::Kind;
  switch (event.kind) {
    case Kind::judged:
    case Kind::unjudged:
      return record(event);
    case Kind::prompt_passed:
      if (!is_monitor_) ask_upstream();
      return;
    case Kind::prompt_blocked:
      return block_prompt(event);
    case Kind::text:
      if (!is_monitor_) out_->text(event.choice, event.channel, event.text);
      return;
    case Kind::call:
      if (!is_monitor_) out_->call(event.choice, event.channel, event.call_id, event.text);
      return;
    case Kind::finished:
      over_.insert(event.choice);
      if (!is_monitor_) out_->finish_choice(event.choice, reasons_[event.choice], nullptr);
      return;
    case Kind::blocked:
      return block_choice(event);
    case Kind::failed:
      return fail_unjudged(event);
  }
}

void ProxiedChat::record(const GuardEvent& event) {
  const bool is_judged = event.kind == GuardEvent::Kind::judged;
  AuditEntry entry;
  entry.route = Route::upstream;
  entry.request_id = exchange_->request_id;
  entry.key_name = exchange_->key_name;
  entry.model = model_.name;
  entry.model_digest = model_.digest;
  entry.role = event.is_prompt ? Role::user : Role::assistant;
  entry.text = event.text;
  if (is_judged) {
    services_.metrics.count_judged(Route::upstream, event.severity, event.ruling, event.seconds);
    if (event.is_prompt) services_.metrics.count_tokens(Route::upstream, {event.n_tokens, 0, 0});
    entry.severity = event.severity;
    entry.ruling = &event.ruling;
    entry.was_let_through = is_monitor_ && event.is_blocked;
  } else {
    services_.metrics.count_unjudged(Route::upstream, to_string(event.error.code));
    entry.error = to_string(event.error.code);
    entry.was_let_through = is_monitor_;
  }
  services_.audit.write(entry);
}

void ProxiedChat::block_prompt(const GuardEvent& event) {
  if (is_monitor_) return services_.metrics.count_would_block(Route::upstream);
  services_.metrics.count_blocked(Route::upstream);
  const std::string& message = services_.options.upstream.block_message;
  if (services_.options.upstream.block_as_error) {
    return fail({400, message.empty() ? "the prompt is blocked by the policy of this server" : message,
                 "messages", "content_filter"});
  }
  const Blocked blocked = {event.severity, event.ruling, "prompt"};
  out_->set_head(head_);
  for (int i = 0; i < request_.n_choices; ++i) {
    out_->begin_choice(i);
    if (!message.empty()) out_->text(i, {Field::content, 0}, message);
    out_->finish_choice(i, "content_filter", &blocked);
  }
  out_->end(R"({"prompt_tokens":0,"completion_tokens":0,"total_tokens":0})");
  finish();
}

void ProxiedChat::block_choice(const GuardEvent& event) {
  over_.insert(event.choice);
  if (is_monitor_) return services_.metrics.count_would_block(Route::upstream);
  services_.metrics.count_blocked(Route::upstream);
  has_blocked_ = true;
  const std::string& message = services_.options.upstream.block_message;
  if (!message.empty()) out_->text(event.choice, {Field::content, 0}, message);
  const Blocked blocked = {event.severity, event.ruling, to_string(event.channel.field)};
  out_->finish_choice(event.choice, "content_filter", &blocked);
}

void ProxiedChat::fail_unjudged(const GuardEvent& event) {
  if (!is_monitor_) return fail(event.is_prompt ? api_error(event.error) : unjudged_error(event.error));
  if (event.is_prompt) {
    // Nothing of the answer will be judged.
    guard_.reset();
  } else {
    over_.insert(event.choice);
  }
}

void ProxiedChat::ask_upstream() {
  ClientCallbacks callbacks;
  const auto weak = weak_from_this();
  callbacks.head = [weak](int status, const Headers& headers) {
    if (const auto self = weak.lock()) self->safely([&] { self->reply_.take_head(status, headers); });
  };
  callbacks.piece = [weak](std::string_view bytes) {
    const auto self = weak.lock();
    if (!self) return;
    self->safely([&] {
      for (AnswerPiece& piece : self->reply_.take(bytes)) self->take_piece(std::move(piece));
      self->end_reply();
    });
  };
  callbacks.end = [weak] {
    const auto self = weak.lock();
    if (!self) return;
    self->has_call_ended_ = true;
    self->safely([&] {
      if (self->reply_.error_status() != 0) return self->take_error();
      for (AnswerPiece& piece : self->reply_.end()) self->take_piece(std::move(piece));
      self->end_reply();
    });
  };
  callbacks.failed = [weak](const ClientFailure& failure) {
    const auto self = weak.lock();
    if (!self) return;
    self->has_call_ended_ = true;
    self->safely([&] {
      if (!self->is_whole_) self->fail(upstream_error(failure.status, failure.message));
    });
  };
  call_ = upstream_.complete_chat(*exchange_, UpstreamReply::max_bytes(request_.is_streamed),
                                  std::move(callbacks));
}

void ProxiedChat::take_piece(AnswerPiece piece) {
  if (!std::exchange(has_head_, true)) {
    if (!piece.head.id.empty()) head_.id = std::move(piece.head.id);
    if (!piece.head.model.empty()) head_.model = std::move(piece.head.model);
    if (piece.head.created > 0) head_.created = piece.head.created;
    head_.fingerprint = std::move(piece.head.fingerprint);
    out_->set_head(head_);
  }
  if (!piece.usage_json.empty()) usage_json_ = std::move(piece.usage_json);
  std::size_t n_bytes = 0;
  std::vector<ChoicePiece> pieces;
  for (ChoicePiece& choice : piece.choices) {
    const auto [place, is_new] = reasons_.try_emplace(choice.index);
    std::string& reason = place->second;
    if (is_new) out_->begin_choice(choice.index);
    if (!reason.empty() && !choice.parts.empty())
      throw UpstreamError("the upstream wrote on behind the end of its answer");
    if (!choice.finish_reason.empty()) reason = choice.finish_reason;
    if (is_monitor_) show_at_once(choice);
    n_bytes += text_bytes(choice);
    if (!over_.contains(choice.index)) pieces.push_back(std::move(choice));
  }
  if (pieces.empty() || !guard_) return;
  guard_->add_backlog(n_bytes);
  model_.streams->post(
      [guard = guard_, pieces = std::move(pieces)](StreamBatch& batch) { guard->take(batch, pieces); });
  look_at_room();
}

void ProxiedChat::show_at_once(const ChoicePiece& piece) {
  for (const Part& part : piece.parts) {
    if (!part.name.empty()) out_->call(piece.index, part.channel, part.call_id, part.name);
    if (!part.text.empty()) out_->text(piece.index, part.channel, wire::with_replacements(part.text));
  }
  if (!piece.finish_reason.empty()) out_->finish_choice(piece.index, piece.finish_reason, nullptr);
}

/// When the upstream has said all that it says.
void ProxiedChat::end_reply() {
  if (!reply_.is_whole() || std::exchange(is_whole_, true)) return;
  const bool lacks_end =
      std::any_of(reasons_.begin(), reasons_.end(), [](const auto& choice) { return choice.second.empty(); });
  if (reasons_.empty() || lacks_end) throw UpstreamError("the upstream ended its answer in the middle");
  end_if_over();
}

void ProxiedChat::take_error() {
  double retry_after_s = 0;
  const std::string& digits = reply_.retry_after();
  std::from_chars(digits.data(), digits.data() + digits.size(), retry_after_s);
  const std::string words = reply_.error_words();
  if (services_.options.log && !words.empty()) services_.options.log(reply_.error_message() + ": " + words);
  fail({reply_.error_status(), reply_.error_message(), "", "upstream_refused", retry_after_s});
}

bool ProxiedChat::has_room() {
  if (exchange_->waiting_bytes() > kMaxUnreadBytes) {
    if (!std::exchange(awaits_drain_, true)) {
      exchange_->on_drained([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->awaits_drain_ = false;
        self->safely([&] { self->look_at_room(); });
      });
    }
    return false;
  }
  // The guard says by itself when it has room again.
  return is_monitor_ || !guard_ || guard_->has_room();
}

/// Whoever sends faster than is judged, or than the client reads, waits.
void ProxiedChat::look_at_room() {
  if (!call_ || is_done_) return;
  const bool must_wait = !has_room();
  if (must_wait == std::exchange(is_paused_, must_wait)) return;
  if (must_wait) {
    call_->pause();
  } else {
    call_->resume();
  }
}

void ProxiedChat::end_if_over() {
  if (is_done_) return;
  const bool all_over = over_.size() == static_cast<std::size_t>(request_.n_choices);
  const bool is_over = is_whole_ && over_.size() >= reasons_.size();
  if (is_monitor_) {
    if (is_whole_ && !std::exchange(is_answered_, true)) out_->end(usage_json_);
    if (is_answered_ && (is_over || !guard_)) finish();
    return;
  }
  // Behind a block nobody waits for what the upstream may still have to say.
  if (!is_over && !(all_over && has_blocked_)) return;
  out_->end(usage_json_);
  finish();
}

void ProxiedChat::fail(const ApiError& error) {
  if (is_done_) return;
  if (is_answered_) return finish();
  if (exchange_->has_begun()) {
    exchange_->write("data: " + error_body(error) + "\n\n");
    exchange_->end();
  } else {
    refuse(*exchange_, error);
  }
  finish();
}

void ProxiedChat::finish() {
  if (std::exchange(is_done_, true)) return;
  if (call_ && !has_call_ended_) call_->cancel();
  services_.loop.post([self = shared_from_this()] { self->done_(self); });
}

}  // namespace qwen3guard::server
