// SPDX-License-Identifier: Apache-2.0
#include "convert.hpp"
#include "handles.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

Status need_place(const void* place) {
  if (place == nullptr) return bad_argument("the place for the value is NULL");
  return {};
}

}  // namespace

q3g_status q3g_tokenizer_load(const char* path, size_t path_bytes, q3g_tokenizer** out,
                              q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_load", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const std::string_view place, path_of(path, path_bytes, "path"));
    Q3G_ASSIGN(Tokenizer loaded, Tokenizer::load(place));
    *out = make_handle<q3g_tokenizer>(std::move(loaded));
    return {};
  });
}

void q3g_tokenizer_free(q3g_tokenizer* tokenizer) noexcept { free_handle(tokenizer); }

q3g_status q3g_tokenizer_encode(const q3g_tokenizer* tokenizer, const char* text, size_t text_bytes,
                                int32_t special, int32_t* ids, size_t capacity, size_t* n_ids,
                                q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_encode", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_ASSIGN(const auto mode, enum_of<SpecialTokens>(special, 2, "special"));
    Q3G_ASSIGN(const std::string_view bytes, text_of(text, text_bytes, "text"));
    Q3G_ASSIGN(const auto found, all->encode(bytes, mode));
    return write_buffer(found.data(), found.size(), ids, capacity, n_ids);
  });
}

q3g_status q3g_tokenizer_decode(const q3g_tokenizer* tokenizer, const int32_t* ids, size_t n_ids,
                                int32_t skip_special, char* text, size_t capacity, size_t* n_bytes,
                                q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_decode", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_ASSIGN(const auto tokens, ids_of(ids, n_ids));
    Q3G_ASSIGN(const bool skips, bool_of(skip_special, "skip_special"));
    Q3G_ASSIGN(const std::string found, all->decode(tokens, skips));
    return write_buffer(found.data(), found.size(), text, capacity, n_bytes);
  });
}

q3g_status q3g_tokenizer_token_bytes(const q3g_tokenizer* tokenizer, int32_t id, const char** bytes,
                                     size_t* n_bytes, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_token_bytes", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_TRY(need_place(bytes));
    Q3G_TRY(need_place(n_bytes));
    const auto found = all->token_bytes(id);
    if (!found) return failure(Q3G_E_TOKEN_RANGE, "no token has the id ", id);
    *bytes = found->data();
    *n_bytes = found->size();
    return {};
  });
}

q3g_status q3g_tokenizer_find_bytes(const q3g_tokenizer* tokenizer, const char* bytes, size_t n_bytes,
                                    int32_t* id, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_find_bytes", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_TRY(need_place(id));
    Q3G_ASSIGN(const std::string_view found, text_of(bytes, n_bytes, "bytes"));
    *id = all->find_bytes(found).value_or(-1);
    return {};
  });
}

q3g_status q3g_tokenizer_find_added(const q3g_tokenizer* tokenizer, const char* text, size_t text_bytes,
                                    int32_t* id, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_find_added", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_TRY(need_place(id));
    Q3G_ASSIGN(const std::string_view found, text_of(text, text_bytes, "text"));
    *id = all->find_added(found).value_or(-1);
    return {};
  });
}

q3g_status q3g_tokenizer_is_special(const q3g_tokenizer* tokenizer, int32_t id, int32_t* is_special,
                                    q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_is_special", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_TRY(need_place(is_special));
    *is_special = all->is_special(id) ? 1 : 0;
    return {};
  });
}

q3g_status q3g_tokenizer_vocab_size(const q3g_tokenizer* tokenizer, int32_t* n, q3g_error* err) noexcept {
  return call(err, "q3g_tokenizer_vocab_size", [&]() -> Status {
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_TRY(need_place(n));
    *n = all->vocab_size();
    return {};
  });
}

q3g_status q3g_decoder_new(const q3g_tokenizer* tokenizer, int32_t skip_special, q3g_decoder** out,
                           q3g_error* err) noexcept {
  return call(err, "q3g_decoder_new", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto all, needed(tokenizer));
    Q3G_ASSIGN(const bool skips, bool_of(skip_special, "skip_special"));
    *out = make_handle<q3g_decoder>(StreamingDecoder(*all, skips));
    return {};
  });
}

q3g_status q3g_decoder_push(q3g_decoder* decoder, int32_t id, char* text, size_t capacity, size_t* n_bytes,
                            q3g_error* err) noexcept {
  return call(err, "q3g_decoder_push", [&]() -> Status {
    Q3G_ASSIGN(const auto held, needed(decoder));
    StreamingDecoder next = *held;  // taken over when the text has found its place
    Q3G_ASSIGN(const std::string found, next.push(id));
    Q3G_TRY(write_buffer(found.data(), found.size(), text, capacity, n_bytes));
    *held = std::move(next);
    return {};
  });
}

q3g_status q3g_decoder_finish(q3g_decoder* decoder, char* text, size_t capacity, size_t* n_bytes,
                              q3g_error* err) noexcept {
  return call(err, "q3g_decoder_finish", [&]() -> Status {
    Q3G_ASSIGN(const auto held, needed(decoder));
    StreamingDecoder next = *held;
    const std::string found = next.finish();
    Q3G_TRY(write_buffer(found.data(), found.size(), text, capacity, n_bytes));
    *held = std::move(next);
    return {};
  });
}

void q3g_decoder_free(q3g_decoder* decoder) noexcept { free_handle(decoder); }
