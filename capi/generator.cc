// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

q3g_status q3g_generator_open(const q3g_guard* guard, const q3g_sampling_options* options,
                              q3g_generator** out, q3g_error* err) noexcept {
  return call(err, "q3g_generator_open", [&] {
    need_out(out);
    *out = make_handle<q3g_generator>(take(Needed(guard)->open_generator(read_options(options))));
  });
}

q3g_status q3g_generator_set_conversation(q3g_generator* generator, const q3g_message* messages,
                                          size_t n_messages, q3g_error* err) noexcept {
  return call(err, "q3g_generator_set_conversation",
              [&] { take(Needed(generator)->set_conversation(read_messages(messages, n_messages))); });
}

q3g_status q3g_generator_set_tokens(q3g_generator* generator, const int32_t* ids, size_t n_ids,
                                    q3g_error* err) noexcept {
  return call(err, "q3g_generator_set_tokens",
              [&] { take(Needed(generator)->set_tokens(ids_of(ids, n_ids))); });
}

q3g_status q3g_generator_next(q3g_generator* generator, int32_t* id, int32_t* is_end,
                              q3g_error* err) noexcept {
  return call(err, "q3g_generator_next", [&] {
    const Needed writer(generator);
    if (id == nullptr) bad_argument("id is NULL");
    *id = take(writer->next());
    if (is_end != nullptr) *is_end = writer->is_end(*id) ? 1 : 0;
  });
}

q3g_status q3g_generator_position(const q3g_generator* generator, int32_t* position,
                                  q3g_error* err) noexcept {
  return call(err, "q3g_generator_position", [&] {
    const Needed writer(generator);
    if (position == nullptr) bad_argument("position is NULL");
    *position = writer->position();
  });
}

q3g_status q3g_generator_rewind(q3g_generator* generator, int32_t position, q3g_error* err) noexcept {
  return call(err, "q3g_generator_rewind", [&] { take(Needed(generator)->rewind(position)); });
}

void q3g_generator_free(q3g_generator* generator) noexcept { free_handle(generator); }
