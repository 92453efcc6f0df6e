// SPDX-License-Identifier: Apache-2.0
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
  return call(err, function, [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto place, wanted(update, "update"));
    Q3G_ASSIGN(const auto buffer, TokenBuffer::of(tokens, capacity));
    Q3G_ASSIGN(const StreamUpdate changed, change(*session));
    place.write(to_c(changed));
    buffer.write(changed.tokens);
    return {};
  });
}

}  // namespace

q3g_status q3g_stream_open(const q3g_guard* guard, const q3g_stream_options* options, q3g_stream** out,
                           q3g_error* err) noexcept {
  return call(err, "q3g_stream_open", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const StreamOptions how, read_options(options));
    Q3G_ASSIGN(StreamSession opened, model->open_stream(how));
    *out = make_handle<q3g_stream>(std::move(opened));
    return {};
  });
}

void q3g_stream_free(q3g_stream* stream) noexcept { free_handle(stream); }

q3g_status q3g_stream_push_prompt(q3g_stream* stream, const char* prompt, size_t prompt_bytes,
                                  q3g_token_verdict* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_push_prompt", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto place, wanted(out, "out"));
    Q3G_ASSIGN(const std::string_view text, text_of(prompt, prompt_bytes, "prompt"));
    Q3G_ASSIGN(const TokenVerdict verdict, session->push_prompt(text));
    place.write(to_c(verdict));
    return {};
  });
}

q3g_status q3g_stream_push_conversation(q3g_stream* stream, const q3g_message* messages, size_t n_messages,
                                        q3g_token_verdict* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_push_conversation", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto place, wanted(out, "out"));
    Q3G_ASSIGN(const auto conversation, read_messages(messages, n_messages));
    Q3G_ASSIGN(const TokenVerdict verdict, session->push_conversation(conversation));
    place.write(to_c(verdict));
    return {};
  });
}

q3g_status q3g_stream_restore(q3g_stream* stream, const q3g_message* messages, size_t n_messages,
                              q3g_error* err) noexcept {
  return call(err, "q3g_stream_restore", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto conversation, read_messages(messages, n_messages));
    return session->restore(conversation);
  });
}

q3g_status q3g_stream_begin_turn(q3g_stream* stream, int32_t role, q3g_error* err) noexcept {
  return call(err, "q3g_stream_begin_turn", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const Role who, enum_of<Role>(role, 4, "role"));
    return session->begin_turn(who);
  });
}

q3g_status q3g_stream_push_text(q3g_stream* stream, const char* text, size_t text_bytes, q3g_update* update,
                                q3g_token_verdict* tokens, size_t capacity, q3g_error* err) noexcept {
  return change_turn("q3g_stream_push_text", stream, update, tokens, capacity, err,
                     [&](StreamSession& session) -> Result<StreamUpdate> {
                       Q3G_ASSIGN(const std::string_view bytes, text_of(text, text_bytes, "text"));
                       return session.push_text(bytes);
                     });
}

q3g_status q3g_stream_push_tokens(q3g_stream* stream, const int32_t* ids, size_t n_ids,
                                  q3g_token_verdict* tokens, q3g_error* err) noexcept {
  return call(err, "q3g_stream_push_tokens", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto all, ids_of(ids, n_ids));
    Q3G_ASSIGN(const auto buffer, TokenBuffer::of(tokens, n_ids));
    std::vector<TokenVerdict> verdicts(n_ids);
    Q3G_TRY(session->push_tokens(all, verdicts));
    buffer.write(verdicts);
    return {};
  });
}

q3g_status q3g_stream_end_turn(q3g_stream* stream, q3g_turn* turn, q3g_decision* decision,
                               q3g_token_verdict* prompt, q3g_verdict* written, q3g_error* err) noexcept {
  return call(err, "q3g_stream_end_turn", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto turn_place, wanted(turn, "turn"));
    Q3G_ASSIGN(const auto decision_place, wanted(decision, "decision"));
    Q3G_ASSIGN(const auto prompt_place, wanted(prompt, "prompt"));
    Q3G_ASSIGN(const auto written_place, wanted(written, "written"));
    Q3G_ASSIGN(const TurnVerdict ended, session->end_turn());
    turn_place.write(to_c(ended));
    decision_place.write(to_c(ended.decision));
    if (ended.prompt) prompt_place.write(to_c(*ended.prompt));
    if (ended.written) write_verdict(written_place, *ended.written);
    return {};
  });
}

q3g_status q3g_stream_mark(const q3g_stream* stream, q3g_mark* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_mark", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    const StreamMark mark = session->mark();
    q3g_mark value{};
    value.is_closed = mark.is_closed ? 1 : 0;
    value.turn = mark.turn;
    value.n_units = mark.n_units;
    place.write(value);
    return {};
  });
}

q3g_status q3g_stream_rewind(q3g_stream* stream, const q3g_mark* mark, q3g_update* update,
                             q3g_token_verdict* tokens, size_t capacity, q3g_error* err) noexcept {
  return change_turn("q3g_stream_rewind", stream, update, tokens, capacity, err,
                     [&](StreamSession& session) -> Result<StreamUpdate> {
                       Q3G_ASSIGN(const q3g_mark in, read_struct(mark, "mark", q3g_mark{}));
                       Q3G_ASSIGN(const bool is_closed, bool_of(in.is_closed, "mark.is_closed"));
                       return session.rewind({in.turn, in.n_units, is_closed});
                     });
}

q3g_status q3g_stream_rewind_to_byte(q3g_stream* stream, int64_t n_bytes, q3g_update* update,
                                     q3g_token_verdict* tokens, size_t capacity, q3g_error* err) noexcept {
  return change_turn("q3g_stream_rewind_to_byte", stream, update, tokens, capacity, err,
                     [&](StreamSession& session) { return session.rewind_to_byte(n_bytes); });
}

q3g_status q3g_stream_fork(const q3g_stream* stream, q3g_stream** out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_fork", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(StreamSession forked, session->fork());
    *out = make_handle<q3g_stream>(std::move(forked));
    return {};
  });
}

q3g_status q3g_stream_set_cancel(q3g_stream* stream, q3g_cancel* cancel, q3g_error* err) noexcept {
  return call(err, "q3g_stream_set_cancel", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(auto flag, flag_of(cancel));
    session->set_cancel(std::move(flag));
    return {};
  });
}

q3g_status q3g_stream_decision(const q3g_stream* stream, q3g_decision* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_decision", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    place.write(to_c(session->decision()));
    return {};
  });
}

q3g_status q3g_stream_prompt_decision(const q3g_stream* stream, q3g_decision* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_prompt_decision", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    place.write(to_c(session->prompt_decision()));
    return {};
  });
}

q3g_status q3g_stream_verdicts(const q3g_stream* stream, size_t begin, q3g_token_verdict* tokens,
                               size_t capacity, size_t* n, q3g_error* err) noexcept {
  return call(err, "q3g_stream_verdicts", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    Q3G_ASSIGN(const auto buffer, TokenBuffer::of(tokens, capacity));
    if (n == nullptr) return bad_argument("n is NULL");
    if (begin < session->first_verdict() || begin > session->n_verdicts()) {
      return bad_argument("begin is ", begin, "; expected ", session->first_verdict(), " to ",
                          session->n_verdicts());
    }
    const std::vector<TokenVerdict> found = session->verdicts(begin);
    buffer.write(found);
    *n = found.size();
    return {};
  });
}

q3g_status q3g_stream_get_info(const q3g_stream* stream, q3g_stream_info* out, q3g_error* err) noexcept {
  return call(err, "q3g_stream_get_info", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    q3g_stream_info info{};
    info.position = session->position();
    info.max_tokens = session->max_tokens();
    info.turn_bytes = session->turn_bytes();
    info.first_verdict = session->first_verdict();
    info.n_verdicts = session->n_verdicts();
    info.memory_bytes = session->memory_bytes();
    Q3G_ASSIGN(const auto place, need(out, "out"));
    place.write(info);
    return {};
  });
}

q3g_status q3g_stream_reset(q3g_stream* stream, q3g_error* err) noexcept {
  return call(err, "q3g_stream_reset", [&]() -> Status {
    Q3G_ASSIGN(const auto session, needed(stream));
    session->reset();
    return {};
  });
}

q3g_status q3g_guard_push_batch(const q3g_guard* guard, q3g_stream_push* pushes, size_t n_pushes,
                                q3g_error* err) noexcept {
  return call(err, "q3g_guard_push_batch", [&]() -> Status {
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto all, Elements<q3g_stream_push>::of(pushes, n_pushes, "pushes"));
    std::vector<q3g_stream_push> in;
    std::vector<Use<q3g_stream>> sessions;
    std::vector<StreamPush> out;
    std::vector<std::vector<TokenVerdict>> verdicts(n_pushes);
    std::vector<TokenBuffer> buffers;
    for (std::size_t i = 0; i < n_pushes; ++i) {
      Q3G_ASSIGN(const q3g_stream_push push, all.read(i));
      in.push_back(push);
      if (push.error != nullptr && !is_error_slot(push.error))
        return bad_argument("pushes[", i, "].error has a wrong struct_size");
      Q3G_ASSIGN(const auto ids, ids_of(push.ids, push.n_ids));
      Q3G_ASSIGN(const auto buffer, TokenBuffer::of(push.tokens, push.n_ids));
      buffers.push_back(buffer);
      verdicts[i].resize(ids.size());
      Q3G_ASSIGN(auto session, needed(push.stream));
      sessions.push_back(std::move(session));
      out.push_back({&*sessions.back(), ids, verdicts[i], Status()});
    }
    model->push_batch(out);
    for (std::size_t i = 0; i < n_pushes; ++i) {
      const bool ok = out[i].status.ok();
      in[i].status = code_of(out[i].status);
      if (ok) buffers[i].write(verdicts[i]);
      write_error(in[i].error, in[i].status, ok ? "" : out[i].status.error().detail);
      all.write(i, in[i]);
    }
    return {};
  });
}
