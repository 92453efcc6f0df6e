// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

q3g_status q3g_generator_open(const q3g_guard* guard, const q3g_sampling_options* options,
                              q3g_generator** out, q3g_error* err) noexcept {
  return call(err, "q3g_generator_open", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const SamplingOptions how, read_options(options));
    Q3G_ASSIGN(Generator opened, model->open_generator(how));
    *out = make_handle<q3g_generator>(std::move(opened));
    return {};
  });
}

q3g_status q3g_generator_set_conversation(q3g_generator* generator, const q3g_message* messages,
                                          size_t n_messages, q3g_error* err) noexcept {
  return call(err, "q3g_generator_set_conversation", [&]() -> Status {
    Q3G_ASSIGN(const auto writer, needed(generator));
    Q3G_ASSIGN(const auto conversation, read_messages(messages, n_messages));
    return writer->set_conversation(conversation);
  });
}

q3g_status q3g_generator_set_tokens(q3g_generator* generator, const int32_t* ids, size_t n_ids,
                                    q3g_error* err) noexcept {
  return call(err, "q3g_generator_set_tokens", [&]() -> Status {
    Q3G_ASSIGN(const auto writer, needed(generator));
    Q3G_ASSIGN(const auto tokens, ids_of(ids, n_ids));
    return writer->set_tokens(tokens);
  });
}

q3g_status q3g_generator_next(q3g_generator* generator, int32_t* id, int32_t* is_end,
                              q3g_error* err) noexcept {
  return call(err, "q3g_generator_next", [&]() -> Status {
    Q3G_ASSIGN(const auto writer, needed(generator));
    if (id == nullptr) return bad_argument("id is NULL");
    Q3G_ASSIGN(*id, writer->next());
    if (is_end != nullptr) *is_end = writer->is_end(*id) ? 1 : 0;
    return {};
  });
}

q3g_status q3g_generator_position(const q3g_generator* generator, int32_t* position,
                                  q3g_error* err) noexcept {
  return call(err, "q3g_generator_position", [&]() -> Status {
    Q3G_ASSIGN(const auto writer, needed(generator));
    if (position == nullptr) return bad_argument("position is NULL");
    *position = writer->position();
    return {};
  });
}

q3g_status q3g_generator_rewind(q3g_generator* generator, int32_t position, q3g_error* err) noexcept {
  return call(err, "q3g_generator_rewind", [&]() -> Status {
    Q3G_ASSIGN(const auto writer, needed(generator));
    return writer->rewind(position);
  });
}

void q3g_generator_free(q3g_generator* generator) noexcept { free_handle(generator); }
