// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"
#include "util/rollback.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

/// Below 0 is the default; what is no number is a mistake.
Result<double> deadline_of(double deadline_ms) {
  if (deadline_ms != deadline_ms) return bad_argument("deadline_ms is no number");
  return deadline_ms;
}

}  // namespace

q3g_status q3g_batch_open(const q3g_guard* guard, const q3g_batch_options* options, q3g_batch** out,
                          q3g_error* err) noexcept {
  return call(err, "q3g_batch_open", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const StreamBatchOptions how, read_options(options));
    Q3G_ASSIGN(StreamBatch opened, StreamBatch::open(*model, how));
    *out = make_handle<q3g_batch>(std::move(opened));
    return {};
  });
}

void q3g_batch_free(q3g_batch* batch) noexcept { free_handle(batch); }

q3g_status q3g_batch_add(q3g_batch* batch, const q3g_stream_options* options, uint64_t* session,
                         q3g_error* err) noexcept {
  return call(err, "q3g_batch_add", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    if (session == nullptr) return bad_argument("session is NULL");
    Q3G_ASSIGN(const StreamOptions how, read_options(options));
    Q3G_ASSIGN(*session, all->add(how));
    return {};
  });
}

q3g_status q3g_batch_add_stream(q3g_batch* batch, q3g_stream* stream, uint64_t* session,
                                q3g_error* err) noexcept {
  return call(err, "q3g_batch_add_stream", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    if (session == nullptr) return bad_argument("session is NULL");
    Q3G_ASSIGN(const auto added, needed(stream));
    if (is_borrowed(stream)) return bad_argument("the stream is a batch's already");
    if (is_in_use(stream))
      return bad_argument("an answer of the stream is held back; expected it freed before");
    Q3G_ASSIGN(*session, all->add(std::move(*added)));
    free_handle(stream);
    return {};
  });
}

q3g_status q3g_batch_remove(q3g_batch* batch, uint64_t session, q3g_error* err) noexcept {
  return call(err, "q3g_batch_remove", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    return all->remove(session);
  });
}

q3g_status q3g_batch_push_prompt(q3g_batch* batch, uint64_t session, const char* prompt, size_t prompt_bytes,
                                 double deadline_ms, q3g_error* err) noexcept {
  return call(err, "q3g_batch_push_prompt", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const std::string_view text, text_of(prompt, prompt_bytes, "prompt"));
    Q3G_ASSIGN(const double deadline, deadline_of(deadline_ms));
    return all->push_prompt(session, text, deadline);
  });
}

q3g_status q3g_batch_begin_turn(q3g_batch* batch, uint64_t session, int32_t role, q3g_error* err) noexcept {
  return call(err, "q3g_batch_begin_turn", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const Role who, enum_of<Role>(role, 4, "role"));
    return all->begin_turn(session, who);
  });
}

q3g_status q3g_batch_push_text(q3g_batch* batch, uint64_t session, const char* text, size_t text_bytes,
                               double deadline_ms, q3g_error* err) noexcept {
  return call(err, "q3g_batch_push_text", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const std::string_view bytes, text_of(text, text_bytes, "text"));
    Q3G_ASSIGN(const double deadline, deadline_of(deadline_ms));
    return all->push_text(session, bytes, deadline);
  });
}

q3g_status q3g_batch_push_tokens(q3g_batch* batch, uint64_t session, const int32_t* ids, size_t n_ids,
                                 double deadline_ms, q3g_error* err) noexcept {
  return call(err, "q3g_batch_push_tokens", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const auto tokens, ids_of(ids, n_ids));
    Q3G_ASSIGN(const double deadline, deadline_of(deadline_ms));
    return all->push_tokens(session, tokens, deadline);
  });
}

q3g_status q3g_batch_end_turn(q3g_batch* batch, uint64_t session, double deadline_ms,
                              q3g_error* err) noexcept {
  return call(err, "q3g_batch_end_turn", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const double deadline, deadline_of(deadline_ms));
    return all->end_turn(session, deadline);
  });
}

q3g_status q3g_batch_poll(q3g_batch* batch, uint64_t session, double timeout_ms, q3g_events** out,
                          q3g_error* err) noexcept {
  return call(err, "q3g_batch_poll", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto all, needed(batch));
    if (!(timeout_ms >= 0)) return bad_argument("timeout_ms is ", timeout_ms, "; expected 0 or more");
    // The handle first: events that were taken must not be lost.
    q3g_events* const events = make_handle<q3g_events>({});
    detail::Rollback unused([&] { free_handle(events); });
    Q3G_ASSIGN(*Use(events), timeout_ms > 0 ? all->wait(session, timeout_ms) : all->poll(session));
    unused.keep();
    *out = events;
    return {};
  });
}

q3g_status q3g_batch_visit(q3g_batch* batch, uint64_t session, q3g_visit_fn visit, void* user,
                           q3g_error* err) noexcept {
  return call(err, "q3g_batch_visit", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    if (visit == nullptr) return bad_argument("visit is NULL");
    return all->visit(session, [&](StreamSession& found) {
      BorrowedHandle<q3g_stream> handle(found);
      visit(user, handle.get());
    });
  });
}

q3g_status q3g_batch_step(q3g_batch* batch, double budget_ms, int32_t must_run, size_t* n_tokens,
                          q3g_error* err) noexcept {
  return call(err, "q3g_batch_step", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const bool must, bool_of(must_run, "must_run"));
    if (!(budget_ms >= 0)) return bad_argument("budget_ms is ", budget_ms, "; expected 0 or more");
    const std::size_t n = all->step(budget_ms, must);
    if (n_tokens != nullptr) *n_tokens = n;
    return {};
  });
}

q3g_status q3g_batch_start(q3g_batch* batch, q3g_error* err) noexcept {
  return call(err, "q3g_batch_start", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    return all->start();
  });
}

q3g_status q3g_batch_stop(q3g_batch* batch, q3g_error* err) noexcept {
  return call(err, "q3g_batch_stop", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    all->stop();
    return {};
  });
}

q3g_status q3g_batch_get_stats(const q3g_batch* batch, q3g_batch_stats* out, q3g_error* err) noexcept {
  return call(err, "q3g_batch_get_stats", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(batch));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    const StreamBatchStats in = all->stats();
    q3g_batch_stats value{};
    value.n_sessions = in.n_sessions;
    value.n_waiting_sessions = in.n_waiting_sessions;
    value.memory_bytes = in.memory_bytes;
    value.n_steps = in.n_steps;
    value.n_tokens = in.n_tokens;
    value.n_late = in.n_late;
    value.n_overdue_sessions = in.n_overdue_sessions;
    value.oldest_waiting_ms = in.oldest_waiting_ms;
    place.write(value);
    return {};
  });
}

size_t q3g_events_count(const q3g_events* events) noexcept {
  const Use all(events);
  return all ? all->size() : 0;
}

q3g_status q3g_events_get(const q3g_events* events, size_t index, q3g_event* out, q3g_error* failure,
                          q3g_error* err) noexcept {
  return call(err, "q3g_events_get", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(events));
    Q3G_ASSIGN(const StreamEvent* const in, at(*all, index));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    if (failure != nullptr && !is_error_slot(failure)) return bad_argument("failure has a wrong struct_size");
    if (failure != nullptr && failure == err)
      return bad_argument("failure is the same slot as err, which is cleared; expected another one");
    const q3g_update update = to_c(in->update);
    q3g_event value{};
    value.kind = static_cast<std::int32_t>(in->kind);
    value.status = code_of(in->status);
    value.is_late = in->is_late ? 1 : 0;
    value.waited_ms = in->waited_ms;
    value.first = update.first;
    value.n_tokens = update.n_tokens;
    value.n_settled = update.n_settled;
    value.stopped_at_byte = update.stopped_at_byte;
    if (in->kind == StreamEvent::Kind::turn_end) {
      const q3g_turn turn = to_c(in->turn);
      value.role = turn.role;
      value.has_prompt = turn.has_prompt;
      value.has_written = turn.has_written;
    }
    place.write(value);
    write_error(failure, value.status, in->status.ok() ? "" : in->status.error().detail);
    return {};
  });
}

q3g_status q3g_events_tokens(const q3g_events* events, size_t index, q3g_token_verdict* tokens,
                             size_t capacity, q3g_error* err) noexcept {
  return call(err, "q3g_events_tokens", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(events));
    Q3G_ASSIGN(const StreamEvent* const in, at(*all, index));
    Q3G_ASSIGN(const auto buffer, TokenBuffer::of(tokens, capacity));
    if (in->update.tokens.size() > capacity) {
      return failure(Q3G_E_BUFFER_TOO_SMALL, "there is room for ", capacity, " verdicts, and ",
                     in->update.tokens.size(), " are needed");
    }
    buffer.write(in->update.tokens);
    return {};
  });
}

q3g_status q3g_events_decision(const q3g_events* events, size_t index, q3g_decision* out,
                               q3g_error* err) noexcept {
  return call(err, "q3g_events_decision", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(events));
    Q3G_ASSIGN(const StreamEvent* const in, at(*all, index));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    place.write(to_c(in->decision));
    return {};
  });
}

q3g_status q3g_events_turn(const q3g_events* events, size_t index, q3g_token_verdict* prompt,
                           q3g_verdict* written, q3g_error* err) noexcept {
  return call(err, "q3g_events_turn", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(events));
    Q3G_ASSIGN(const StreamEvent* const in, at(*all, index));
    Q3G_ASSIGN(const auto prompt_place, wanted(prompt, "prompt"));
    Q3G_ASSIGN(const auto written_place, wanted(written, "written"));
    if (in->turn.prompt) prompt_place.write(to_c(*in->turn.prompt));
    if (in->turn.written) write_verdict(written_place, *in->turn.written);
    return {};
  });
}

void q3g_events_free(q3g_events* events) noexcept { free_handle(events); }
