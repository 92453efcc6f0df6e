// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"
#include "util/concat.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

void need_place(const void* place) {
  if (place == nullptr) bad_argument("the place for the value is NULL");
}

}  // namespace

q3g_status q3g_tokenizer_load(const char* path, size_t path_bytes, q3g_tokenizer** out,
                              q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_load", [&] {
    need_out(out);
    *out = make_handle<q3g_tokenizer>(take(Tokenizer::load(path_of(path, path_bytes, "path"))));
  });
}

void q3g_tokenizer_free(q3g_tokenizer* tokenizer) noexcept { free_handle(tokenizer); }

q3g_status q3g_tokenizer_encode(const q3g_tokenizer* tokenizer, const char* text, size_t text_bytes,
                                int32_t special, int32_t* ids, size_t capacity, size_t* n_ids,
                                q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_encode", [&] {
    const Needed all(tokenizer);
    const auto mode = enum_of<SpecialTokens>(special, 2, "special");
    const auto found = take(all->encode(text_of(text, text_bytes, "text"), mode));
    write_buffer(found.data(), found.size(), ids, capacity, n_ids);
  });
}

q3g_status q3g_tokenizer_decode(const q3g_tokenizer* tokenizer, const int32_t* ids, size_t n_ids,
                                int32_t skip_special, char* text, size_t capacity, size_t* n_bytes,
                                q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_decode", [&] {
    const Needed all(tokenizer);
    const std::string found = take(all->decode(ids_of(ids, n_ids), bool_of(skip_special, "skip_special")));
    write_buffer(found.data(), found.size(), text, capacity, n_bytes);
  });
}

q3g_status q3g_tokenizer_token_bytes(const q3g_tokenizer* tokenizer, int32_t id, const char** bytes,
                                     size_t* n_bytes, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_token_bytes", [&] {
    const Needed all(tokenizer);
    need_place(bytes);
    need_place(n_bytes);
    const auto found = all->token_bytes(id);
    if (!found) throw CallError(Q3G_E_TOKEN_RANGE, detail::concat("no token has the id ", id));
    *bytes = found->data();
    *n_bytes = found->size();
  });
}

q3g_status q3g_tokenizer_find_bytes(const q3g_tokenizer* tokenizer, const char* bytes, size_t n_bytes,
                                    int32_t* id, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_find_bytes", [&] {
    const Needed all(tokenizer);
    need_place(id);
    *id = all->find_bytes(text_of(bytes, n_bytes, "bytes")).value_or(-1);
  });
}

q3g_status q3g_tokenizer_find_added(const q3g_tokenizer* tokenizer, const char* text, size_t text_bytes,
                                    int32_t* id, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_find_added", [&] {
    const Needed all(tokenizer);
    need_place(id);
    *id = all->find_added(text_of(text, text_bytes, "text")).value_or(-1);
  });
}

q3g_status q3g_tokenizer_is_special(const q3g_tokenizer* tokenizer, int32_t id, int32_t* is_special,
                                    q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_is_special", [&] {
    const Needed all(tokenizer);
    need_place(is_special);
    *is_special = all->is_special(id) ? 1 : 0;
  });
}

q3g_status q3g_tokenizer_vocab_size(const q3g_tokenizer* tokenizer, int32_t* n, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_vocab_size", [&] {
    const Needed all(tokenizer);
    need_place(n);
    *n = all->vocab_size();
  });
}

q3g_status q3g_decoder_new(const q3g_tokenizer* tokenizer, int32_t skip_special, q3g_decoder** out,
                           q3g_error* err) noexcept {
  return call(err, "q3g_decoder_new", [&] {
    need_out(out);
    *out =
        make_handle<q3g_decoder>(StreamingDecoder(*Needed(tokenizer), bool_of(skip_special, "skip_special")));
  });
}

q3g_status q3g_decoder_push(q3g_decoder* decoder, int32_t id, char* text, size_t capacity, size_t* n_bytes,
                            q3g_error* err) noexcept {
  return call(err, "q3g_decoder_push", [&] {
    const Needed held(decoder);
    StreamingDecoder next = *held;  // taken over when the text has found its place
    const std::string found = take(next.push(id));
    write_buffer(found.data(), found.size(), text, capacity, n_bytes);
    *held = std::move(next);
  });
}

q3g_status q3g_decoder_finish(q3g_decoder* decoder, char* text, size_t capacity, size_t* n_bytes,
                              q3g_error* err) noexcept {
  return call(err, "q3g_decoder_finish", [&] {
    const Needed held(decoder);
    StreamingDecoder next = *held;
    const std::string found = next.finish();
    write_buffer(found.data(), found.size(), text, capacity, n_bytes);
    *held = std::move(next);
  });
}

void q3g_decoder_free(q3g_decoder* decoder) noexcept { free_handle(decoder); }
