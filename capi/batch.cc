// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"
#include "util/concat.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

/// Below 0 is the default; what is no number is a mistake.
double deadline_of(double deadline_ms) {
  if (deadline_ms != deadline_ms) bad_argument("deadline_ms is no number");
  return deadline_ms;
}

}  // namespace

q3g_status q3g_batch_open(const q3g_guard* guard, const q3g_batch_options* options, q3g_batch** out,
                          q3g_error* err) noexcept {
  return call(err, "q3g_batch_open", [&] {
    need_out(out);
    *out = make_handle<q3g_batch>(take(StreamBatch::open(*Needed(guard), read_options(options))));
  });
}

void q3g_batch_free(q3g_batch* batch) noexcept { free_handle(batch); }

q3g_status q3g_batch_add(q3g_batch* batch, const q3g_stream_options* options, uint64_t* session,
                         q3g_error* err) noexcept {
  return call(err, "q3g_batch_add", [&] {
    const Needed all(batch);
    if (session == nullptr) bad_argument("session is NULL");
    *session = take(all->add(read_options(options)));
  });
}

q3g_status q3g_batch_add_stream(q3g_batch* batch, q3g_stream* stream, uint64_t* session,
                                q3g_error* err) noexcept {
  return call(err, "q3g_batch_add_stream", [&] {
    const Needed all(batch);
    if (session == nullptr) bad_argument("session is NULL");
    const Needed added(stream);
    if (is_borrowed(stream)) bad_argument("the stream is a batch's already");
    *session = take(all->add(std::move(*added)));
    free_handle(stream);
  });
}

q3g_status q3g_batch_remove(q3g_batch* batch, uint64_t session, q3g_error* err) noexcept {
  return call(err, "q3g_batch_remove", [&] { take(Needed(batch)->remove(session)); });
}

q3g_status q3g_batch_push_prompt(q3g_batch* batch, uint64_t session, const char* prompt, size_t prompt_bytes,
                                 double deadline_ms, q3g_error* err) noexcept {
  return call(err, "q3g_batch_push_prompt", [&] {
    take(Needed(batch)->push_prompt(session, text_of(prompt, prompt_bytes, "prompt"),
                                    deadline_of(deadline_ms)));
  });
}

q3g_status q3g_batch_begin_turn(q3g_batch* batch, uint64_t session, int32_t role, q3g_error* err) noexcept {
  return call(err, "q3g_batch_begin_turn",
              [&] { take(Needed(batch)->begin_turn(session, enum_of<Role>(role, 4, "role"))); });
}

q3g_status q3g_batch_push_text(q3g_batch* batch, uint64_t session, const char* text, size_t text_bytes,
                               double deadline_ms, q3g_error* err) noexcept {
  return call(err, "q3g_batch_push_text", [&] {
    take(Needed(batch)->push_text(session, text_of(text, text_bytes, "text"), deadline_of(deadline_ms)));
  });
}

q3g_status q3g_batch_push_tokens(q3g_batch* batch, uint64_t session, const int32_t* ids, size_t n_ids,
                                 double deadline_ms, q3g_error* err) noexcept {
  return call(err, "q3g_batch_push_tokens", [&] {
    take(Needed(batch)->push_tokens(session, ids_of(ids, n_ids), deadline_of(deadline_ms)));
  });
}

q3g_status q3g_batch_end_turn(q3g_batch* batch, uint64_t session, double deadline_ms,
                              q3g_error* err) noexcept {
  return call(err, "q3g_batch_end_turn",
              [&] { take(Needed(batch)->end_turn(session, deadline_of(deadline_ms))); });
}

q3g_status q3g_batch_poll(q3g_batch* batch, uint64_t session, double timeout_ms, q3g_events** out,
                          q3g_error* err) noexcept {
  return call(err, "q3g_batch_poll", [&] {
    need_out(out);
    const Needed all(batch);
    if (!(timeout_ms >= 0)) bad_argument("timeout_ms is ", timeout_ms, "; expected 0 or more");
    // The handle first: events that were taken must not be lost.
    q3g_events* const events = make_handle<q3g_events>({});
    try {
      *Needed(events) = take(timeout_ms > 0 ? all->wait(session, timeout_ms) : all->poll(session));
    } catch (...) {
      q3g_events_free(events);
      throw;
    }
    *out = events;
  });
}

q3g_status q3g_batch_visit(q3g_batch* batch, uint64_t session, q3g_visit_fn visit, void* user,
                           q3g_error* err) noexcept {
  return call(err, "q3g_batch_visit", [&] {
    const Needed all(batch);
    if (visit == nullptr) bad_argument("visit is NULL");
    take(all->visit(session, [&](StreamSession& found) {
      BorrowedHandle<q3g_stream> handle(found);
      visit(user, handle.get());
    }));
  });
}

q3g_status q3g_batch_step(q3g_batch* batch, double budget_ms, int32_t must_run, size_t* n_tokens,
                          q3g_error* err) noexcept {
  return call(err, "q3g_batch_step", [&] {
    const Needed all(batch);
    const bool must = bool_of(must_run, "must_run");
    if (!(budget_ms >= 0)) bad_argument("budget_ms is ", budget_ms, "; expected 0 or more");
    const std::size_t n = all->step(budget_ms, must);
    if (n_tokens != nullptr) *n_tokens = n;
  });
}

q3g_status q3g_batch_start(q3g_batch* batch, q3g_error* err) noexcept {
  return call(err, "q3g_batch_start", [&] { take(Needed(batch)->start()); });
}

q3g_status q3g_batch_stop(q3g_batch* batch, q3g_error* err) noexcept {
  return call(err, "q3g_batch_stop", [&] { Needed(batch)->stop(); });
}

q3g_status q3g_batch_get_stats(const q3g_batch* batch, q3g_batch_stats* out, q3g_error* err) noexcept {
  return call(err, "q3g_batch_get_stats", [&] {
    const Needed all(batch);
    const auto place = need(out, "out");
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
  });
}

size_t q3g_events_count(const q3g_events* events) noexcept {
  const Use all(events);
  return all ? all->size() : 0;
}

q3g_status q3g_events_get(const q3g_events* events, size_t index, q3g_event* out, q3g_error* failure,
                          q3g_error* err) noexcept {
  return call(err, "q3g_events_get", [&] {
    const Needed all(events);
    const StreamEvent& in = at(*all, index);
    const auto place = need(out, "out");
    if (failure != nullptr && !is_error_slot(failure)) bad_argument("failure has a wrong struct_size");
    if (failure != nullptr && failure == err)
      bad_argument("failure is the same slot as err, which is cleared; expected another one");
    const q3g_update update = to_c(in.update);
    q3g_event value{};
    value.kind = static_cast<std::int32_t>(in.kind);
    value.status = in.status.ok() ? Q3G_OK : static_cast<q3g_status>(in.status.error().code);
    value.is_late = in.is_late ? 1 : 0;
    value.waited_ms = in.waited_ms;
    value.first = update.first;
    value.n_tokens = update.n_tokens;
    value.n_settled = update.n_settled;
    value.stopped_at_byte = update.stopped_at_byte;
    if (in.kind == StreamEvent::Kind::turn_end) {
      const q3g_turn turn = to_c(in.turn);
      value.role = turn.role;
      value.has_prompt = turn.has_prompt;
      value.has_written = turn.has_written;
    }
    place.write(value);
    write_error(failure, value.status, in.status.ok() ? "" : in.status.error().detail);
  });
}

q3g_status q3g_events_tokens(const q3g_events* events, size_t index, q3g_token_verdict* tokens,
                             size_t capacity, q3g_error* err) noexcept {
  return call(err, "q3g_events_tokens", [&] {
    const Needed all(events);
    const StreamEvent& in = at(*all, index);
    const TokenBuffer buffer(tokens, capacity);
    if (in.update.tokens.size() > capacity) {
      throw CallError(Q3G_E_BUFFER_TOO_SMALL,
                      detail::concat("there is room for ", capacity, " verdicts, and ",
                                     in.update.tokens.size(), " are needed"));
    }
    buffer.write(in.update.tokens);
  });
}

q3g_status q3g_events_decision(const q3g_events* events, size_t index, q3g_decision* out,
                               q3g_error* err) noexcept {
  return call(err, "q3g_events_decision", [&] {
    const Needed all(events);
    const StreamEvent& in = at(*all, index);
    need(out, "out").write(to_c(in.decision));
  });
}

q3g_status q3g_events_turn(const q3g_events* events, size_t index, q3g_token_verdict* prompt,
                           q3g_verdict* written, q3g_error* err) noexcept {
  return call(err, "q3g_events_turn", [&] {
    const Needed all(events);
    const StreamEvent& in = at(*all, index);
    const Out<q3g_token_verdict> prompt_place(prompt, "prompt");
    const Out<q3g_verdict> written_place(written, "written");
    if (in.turn.prompt) prompt_place.write(to_c(*in.turn.prompt));
    if (in.turn.written) write_verdict(written_place, *in.turn.written);
  });
}

void q3g_events_free(q3g_events* events) noexcept { free_handle(events); }
