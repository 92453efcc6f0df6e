// SPDX-License-Identifier: Apache-2.0
// Text to tokens and back.
#include "abi_c11.h"

#define SAMPLE "Na\xC3\xAFve caf\xC3\xA9 \xF0\x9F\x99\x82 <|im_end|> 42!"

enum { kCapacity = 256 };

static void round_trip(const q3g_tokenizer* tokenizer) {
  int32_t ids[kCapacity], again[kCapacity];
  char text[kCapacity];
  size_t n = 0, n_bytes = 0, n_again = 0;
  NEED_OK(q3g_tokenizer_encode(tokenizer, TEXT(SAMPLE), Q3G_SPECIAL_AS_TEXT, ids, kCapacity, &n, &err));
  NEED(n > 5 && n <= kCapacity);
  NEED_OK(q3g_tokenizer_decode(tokenizer, ids, n, 0, text, kCapacity, &n_bytes, &err));
  CHECK(n_bytes == sizeof SAMPLE - 1 && memcmp(text, SAMPLE, n_bytes) == 0);
  int32_t n_special = 0, special = 0;
  for (size_t i = 0; i < n; ++i) {
    CHECK_OK(q3g_tokenizer_is_special(tokenizer, ids[i], &special, &err));
    n_special += special;
  }
  CHECK(n_special == 0);

  // Recognized, the control token is one token, which can be left out of the text again.
  NEED_OK(q3g_tokenizer_encode(tokenizer, TEXT(SAMPLE), Q3G_SPECIAL_RECOGNIZED, again, kCapacity, &n_again,
                               &err));
  CHECK(n_again < n);
  int32_t im_end = -1;
  NEED_OK(q3g_tokenizer_find_added(tokenizer, TEXT("<|im_end|>"), &im_end, &err));
  NEED(im_end >= 0);
  CHECK_OK(q3g_tokenizer_is_special(tokenizer, im_end, &special, &err));
  CHECK(special == 1);
  NEED_OK(q3g_tokenizer_decode(tokenizer, again, n_again, 1, text, kCapacity, &n_bytes, &err));
  CHECK(n_bytes == sizeof SAMPLE - 1 - strlen("<|im_end|>"));

  // Too small a buffer: the size is told, and nothing else is written.
  int32_t few[2] = {-7, -7};
  n = 0;
  CHECK_FAILS(q3g_tokenizer_encode(tokenizer, TEXT(SAMPLE), Q3G_SPECIAL_AS_TEXT, few, 2, &n, &err),
              Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n > 2 && few[0] == -7 && few[1] == -7);
  CHECK_FAILS(q3g_tokenizer_encode(tokenizer, TEXT(SAMPLE), Q3G_SPECIAL_AS_TEXT, NULL, 0, &n_again, &err),
              Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n_again == n);
  CHECK_FAILS(q3g_tokenizer_decode(tokenizer, ids, n, 0, text, 1, &n_bytes, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n_bytes == sizeof SAMPLE - 1);
  CHECK_OK(q3g_tokenizer_encode(tokenizer, NULL, 0, Q3G_SPECIAL_AS_TEXT, NULL, 0, &n, &err));
  CHECK(n == 0);
  CHECK_FAILS(q3g_tokenizer_encode(tokenizer, "ab\x80", 3, 0, ids, kCapacity, &n, &err), Q3G_E_INVALID_UTF8);
  const int32_t outside = INT32_MAX;
  CHECK_FAILS(q3g_tokenizer_decode(tokenizer, &outside, 1, 0, text, kCapacity, &n_bytes, &err),
              Q3G_E_TOKEN_RANGE);
}

static void tokens(const q3g_tokenizer* tokenizer) {
  int32_t n_vocab = 0, id = -7, found = -7;
  NEED_OK(q3g_tokenizer_vocab_size(tokenizer, &n_vocab, &err));
  CHECK(n_vocab > 256);
  NEED_OK(q3g_tokenizer_find_bytes(tokenizer, TEXT("a"), &id, &err));
  NEED(id >= 0 && id < n_vocab);
  const char* bytes = NULL;
  size_t n = 0;
  NEED_OK(q3g_tokenizer_token_bytes(tokenizer, id, &bytes, &n, &err));
  CHECK(n == 1 && bytes[0] == 'a');
  CHECK_OK(q3g_tokenizer_find_bytes(tokenizer, TEXT("no token is like this one"), &found, &err));
  CHECK(found == -1);
  CHECK_OK(q3g_tokenizer_find_added(tokenizer, TEXT("<|no such|>"), &found, &err));
  CHECK(found == -1);
  CHECK_FAILS(q3g_tokenizer_token_bytes(tokenizer, -1, &bytes, &n, &err), Q3G_E_TOKEN_RANGE);
  CHECK_FAILS(q3g_tokenizer_token_bytes(tokenizer, INT32_MAX, &bytes, &n, &err), Q3G_E_TOKEN_RANGE);
}

/// What a decoder makes of `ids`, appended to `text`; whatever needs room is first tried without.
static size_t decode_by_pieces(q3g_decoder* decoder, const int32_t* ids, size_t n_ids, char* text) {
  size_t n_text = 0, n = 0;
  for (size_t i = 0; i < n_ids; ++i) {
    const q3g_status status = q3g_decoder_push(decoder, ids[i], NULL, 0, &n, &err);
    if (status == Q3G_E_BUFFER_TOO_SMALL) {
      CHECK(n > 0);
      // The decoder is as it was: the same push again, with room.
      size_t n_again = 0;
      NEED_OK(q3g_decoder_push(decoder, ids[i], text + n_text, kCapacity - n_text, &n_again, &err));
      CHECK(n_again == n);
    } else {
      NEED_OK(status);
      CHECK(n == 0);
    }
    n_text += n;
  }
  return n_text;
}

static void decoder(const q3g_tokenizer* tokenizer) {
  int32_t ids[kCapacity];
  char text[kCapacity];
  size_t n = 0, n_bytes = 0;
  q3g_decoder* decoder = NULL;
  NEED_OK(q3g_decoder_new(tokenizer, 0, &decoder, &err));
  NEED_OK(q3g_tokenizer_encode(tokenizer, TEXT(SAMPLE), Q3G_SPECIAL_AS_TEXT, ids, kCapacity, &n, &err));
  n_bytes = decode_by_pieces(decoder, ids, n, text);
  CHECK(n_bytes == sizeof SAMPLE - 1 && memcmp(text, SAMPLE, n_bytes) == 0);
  CHECK_OK(q3g_decoder_finish(decoder, text, sizeof text, &n_bytes, &err));
  CHECK(n_bytes == 0);

  // The first byte of a character that never comes.
  int32_t lead = -1;
  NEED_OK(q3g_tokenizer_find_bytes(tokenizer, "\xC3", 1, &lead, &err));
  NEED(lead >= 0);
  NEED_OK(q3g_decoder_push(decoder, lead, text, sizeof text, &n_bytes, &err));
  CHECK(n_bytes == 0);
  CHECK_FAILS(q3g_decoder_finish(decoder, text, 2, &n_bytes, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n_bytes == 3);
  CHECK_OK(q3g_decoder_finish(decoder, text, 3, &n_bytes, &err));
  CHECK(n_bytes == 3 && memcmp(text, "\xEF\xBF\xBD", 3) == 0);
  CHECK_OK(q3g_decoder_finish(decoder, text, sizeof text, &n_bytes, &err));
  CHECK(n_bytes == 0);
  CHECK_FAILS(q3g_decoder_push(decoder, -1, text, sizeof text, &n_bytes, &err), Q3G_E_TOKEN_RANGE);
  q3g_decoder_free(decoder);
}

void tokenizer_part(void) {
  static const char* const kFiles = Q3G_TEST_DIR "/golden/tokenizer/small/tokenizer.json";
  q3g_guard* guard = open_gen();
  q3g_tokenizer *models = NULL, *loaded = NULL;
  NEED_OK(q3g_guard_tokenizer(guard, &models, &err));
  q3g_guard_free(guard);
  NEED_OK(q3g_tokenizer_load(kFiles, strlen(kFiles), &loaded, &err));
  q3g_tokenizer* const all[] = {models, loaded};
  for (size_t i = 0; i < COUNT(all); ++i) {
    round_trip(all[i]);
    tokens(all[i]);
    decoder(all[i]);
    q3g_tokenizer_free(all[i]);
  }
  q3g_tokenizer* none = NULL;
  CHECK_FAILS(q3g_tokenizer_load(TEXT("no/such/file"), &none, &err), Q3G_E_FILE_NOT_FOUND);
  CHECK(none == NULL);
}
