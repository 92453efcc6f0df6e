// SPDX-License-Identifier: Apache-2.0
#include <deque>

#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

/// A change of the open turn and the places for what came of it, which are checked before anything changes.
template <class Change>
q3g_status change_turn(const char* function, q3g_stream* stream, q3g_update* update,
                       q3g_token_verdict* tokens, std::size_t capacity, q3g_error* err,
                       const Change& change) noexcept {
  return call(err, function, [&] {
    const Needed session(stream);
    const Out<q3g_update> place(update, "update");
    const TokenBuffer buffer(tokens, capacity);
    const StreamUpdate changed = take(change(*session));
    place.write(to_c(changed));
    buffer.write(changed.tokens);
  });
}

}  // namespace

q3g_status q3g_stream_open(const q3g_guard* guard, const q3g_stream_options* options, q3g_stream** out,
                           q3g_error* err) noexcept {
  return call(err, "q3g_stream_open", [&] {
    need_out(out);
    *out = make_handle<q3g_stream>(take(Needed(guard)->open_stream(read_options(options))));
  });
}

void q3g_stream_free(q3g_stream* stream) noexcept { free_handle(stream); }

q3g_status q3g_stream_push_prompt(q3g_stream* stream, const char* prompt, size_t prompt_bytes,
                                  q3g_token_verdict* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_push_prompt", [&] {
    const Needed session(stream);
    const Out<q3g_token_verdict> place(out, "out");
    place.write(to_c(take(session->push_prompt(text_of(prompt, prompt_bytes, "prompt")))));
  });
}

q3g_status q3g_stream_push_conversation(q3g_stream* stream, const q3g_message* messages, size_t n_messages,
                                        q3g_token_verdict* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_push_conversation", [&] {
    const Needed session(stream);
    const Out<q3g_token_verdict> place(out, "out");
    place.write(to_c(take(session->push_conversation(read_messages(messages, n_messages)))));
  });
}

q3g_status q3g_stream_restore(q3g_stream* stream, const q3g_message* messages, size_t n_messages,
                              q3g_error* err) noexcept {
  return call(err, "q3g_stream_restore",
              [&] { take(Needed(stream)->restore(read_messages(messages, n_messages))); });
}

q3g_status q3g_stream_begin_turn(q3g_stream* stream, int32_t role, q3g_error* err) noexcept {
  return call(err, "q3g_stream_begin_turn",
              [&] { take(Needed(stream)->begin_turn(enum_of<Role>(role, 4, "role"))); });
}

q3g_status q3g_stream_push_text(q3g_stream* stream, const char* text, size_t text_bytes, q3g_update* update,
                                q3g_token_verdict* tokens, size_t capacity, q3g_error* err) noexcept {
  return change_turn(
      "q3g_stream_push_text", stream, update, tokens, capacity, err,
      [&](StreamSession& session) { return session.push_text(text_of(text, text_bytes, "text")); });
}

q3g_status q3g_stream_push_tokens(q3g_stream* stream, const int32_t* ids, size_t n_ids,
                                  q3g_token_verdict* tokens, q3g_error* err) noexcept {
  return call(err, "q3g_stream_push_tokens", [&] {
    const Needed session(stream);
    const auto all = ids_of(ids, n_ids);
    const TokenBuffer buffer(tokens, n_ids);
    std::vector<TokenVerdict> verdicts(n_ids);
    take(session->push_tokens(all, verdicts));
    buffer.write(verdicts);
  });
}

q3g_status q3g_stream_end_turn(q3g_stream* stream, q3g_turn* turn, q3g_decision* decision,
                               q3g_token_verdict* prompt, q3g_verdict* written, q3g_error* err) noexcept {
  return call(err, "q3g_stream_end_turn", [&] {
    const Needed session(stream);
    const Out<q3g_turn> turn_place(turn, "turn");
    const Out<q3g_decision> decision_place(decision, "decision");
    const Out<q3g_token_verdict> prompt_place(prompt, "prompt");
    const Out<q3g_verdict> written_place(written, "written");
    const TurnVerdict ended = take(session->end_turn());
    turn_place.write(to_c(ended));
    decision_place.write(to_c(ended.decision));
    if (ended.prompt) prompt_place.write(to_c(*ended.prompt));
    if (ended.written) write_verdict(written_place, *ended.written);
  });
}

q3g_status q3g_stream_mark(const q3g_stream* stream, q3g_mark* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_mark", [&] {
    const Needed session(stream);
    const auto place = need(out, "out");
    const StreamMark mark = session->mark();
    q3g_mark value{};
    value.is_closed = mark.is_closed ? 1 : 0;
    value.turn = mark.turn;
    value.n_units = mark.n_units;
    place.write(value);
  });
}

q3g_status q3g_stream_rewind(q3g_stream* stream, const q3g_mark* mark, q3g_update* update,
                             q3g_token_verdict* tokens, size_t capacity, q3g_error* err) noexcept {
  return change_turn("q3g_stream_rewind", stream, update, tokens, capacity, err, [&](StreamSession& session) {
    const q3g_mark in = read_struct(mark, "mark", q3g_mark{});
    return session.rewind({in.turn, in.n_units, bool_of(in.is_closed, "mark.is_closed")});
  });
}

q3g_status q3g_stream_rewind_to_byte(q3g_stream* stream, int64_t n_bytes, q3g_update* update,
                                     q3g_token_verdict* tokens, size_t capacity, q3g_error* err) noexcept {
  return change_turn("q3g_stream_rewind_to_byte", stream, update, tokens, capacity, err,
                     [&](StreamSession& session) { return session.rewind_to_byte(n_bytes); });
}

q3g_status q3g_stream_fork(const q3g_stream* stream, q3g_stream** out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_fork", [&] {
    need_out(out);
    *out = make_handle<q3g_stream>(take(Needed(stream)->fork()));
  });
}

q3g_status q3g_stream_set_cancel(q3g_stream* stream, q3g_cancel* cancel, q3g_error* err) noexcept {
  return call(err, "q3g_stream_set_cancel", [&] { Needed(stream)->set_cancel(flag_of(cancel)); });
}

q3g_status q3g_stream_decision(const q3g_stream* stream, q3g_decision* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_decision", [&] {
    const Needed session(stream);
    need(out, "out").write(to_c(session->decision()));
  });
}

q3g_status q3g_stream_verdicts(const q3g_stream* stream, size_t begin, q3g_token_verdict* tokens,
                               size_t capacity, size_t* n, q3g_error* err) noexcept {
  return call(err, "q3g_stream_verdicts", [&] {
    const Needed session(stream);
    const TokenBuffer buffer(tokens, capacity);
    if (n == nullptr) bad_argument("n is NULL");
    if (begin < session->first_verdict() || begin > session->n_verdicts()) {
      bad_argument("begin is ", begin, "; expected ", session->first_verdict(), " to ",
                   session->n_verdicts());
    }
    const std::vector<TokenVerdict> found = session->verdicts(begin);
    buffer.write(found);
    *n = found.size();
  });
}

q3g_status q3g_stream_get_info(const q3g_stream* stream, q3g_stream_info* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_get_info", [&] {
    const Needed session(stream);
    q3g_stream_info info{};
    info.position = session->position();
    info.max_tokens = session->max_tokens();
    info.turn_bytes = session->turn_bytes();
    info.first_verdict = session->first_verdict();
    info.n_verdicts = session->n_verdicts();
    info.memory_bytes = session->memory_bytes();
    need(out, "out").write(info);
  });
}

q3g_status q3g_stream_reset(q3g_stream* stream, q3g_error* err) noexcept {
  return call(err, "q3g_stream_reset", [&] { Needed(stream)->reset(); });
}

q3g_status q3g_guard_push_batch(const q3g_guard* guard, q3g_stream_push* pushes, size_t n_pushes,
                                q3g_error* err) noexcept {
  return call(err, "q3g_guard_push_batch", [&] {
    const Needed model(guard);
    const Elements<q3g_stream_push> all(pushes, n_pushes, "pushes");
    std::vector<q3g_stream_push> in;
    std::deque<Needed<q3g_stream>> sessions;
    std::vector<StreamPush> out;
    std::vector<std::vector<TokenVerdict>> verdicts(n_pushes);
    std::vector<TokenBuffer> buffers;
    for (std::size_t i = 0; i < n_pushes; ++i) {
      const q3g_stream_push& push = in.emplace_back(all.read(i));
      if (push.error != nullptr && !is_error_slot(push.error))
        bad_argument("pushes[", i, "].error has a wrong struct_size");
      const auto ids = ids_of(push.ids, push.n_ids);
      buffers.emplace_back(push.tokens, push.n_ids);
      verdicts[i].resize(ids.size());
      out.push_back({&*sessions.emplace_back(push.stream), ids, verdicts[i], Status()});
    }
    model->push_batch(out);
    for (std::size_t i = 0; i < n_pushes; ++i) {
      const bool ok = out[i].status.ok();
      in[i].status = ok ? Q3G_OK : static_cast<q3g_status>(out[i].status.error().code);
      if (ok) buffers[i].write(verdicts[i]);
      write_error(in[i].error, in[i].status, ok ? "" : out[i].status.error().detail);
      all.write(i, in[i]);
    }
  });
}
