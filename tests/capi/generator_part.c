// SPDX-License-Identifier: Apache-2.0
// Text by a causal checkpoint.
#include "abi_c11.h"

enum { kSteps = 12 };

static q3g_generator* open(const q3g_guard* guard, float temperature, uint64_t seed) {
  q3g_sampling_options options;
  NEED_OK(q3g_sampling_options_init(&options, sizeof options));
  options.temperature = temperature;
  options.seed = seed;
  q3g_generator* out = NULL;
  NEED_OK(q3g_generator_open(guard, &options, &out, &err));
  return out;
}

static int32_t position_of(const q3g_generator* generator) {
  int32_t out = -1;
  NEED_OK(q3g_generator_position(generator, &out, &err));
  return out;
}

static void write(q3g_generator* generator, int32_t* ids, int n) {
  for (int i = 0; i < n; ++i) {
    int32_t is_end = -1;
    NEED_OK(q3g_generator_next(generator, &ids[i], &is_end, &err));
    CHECK(is_end == 0 || is_end == 1);
  }
}

static void greedy(const q3g_guard* guard) {
  int32_t ids[64], found[kSteps], again[kSteps];
  size_t n = tokens_of(guard, "<|im_start|>user\nHello", Q3G_SPECIAL_RECOGNIZED, ids, COUNT(ids) - kSteps);
  q3g_generator* generator = open(guard, 0, 0);
  NEED_OK(q3g_generator_set_tokens(generator, ids, n, &err));
  const int32_t begin = position_of(generator);
  CHECK(begin == (int32_t)n);
  write(generator, found, kSteps);
  CHECK(position_of(generator) == begin + kSteps);
  // Each is the most probable one.
  for (int i = 0; i < kSteps; ++i) {
    q3g_logits* logits = NULL;
    q3g_head_logits head = {.struct_size = sizeof head};
    NEED_OK(q3g_guard_logits(guard, ids, n, 1, NULL, &logits, &err));
    NEED_OK(q3g_logits_get(logits, 0, &head, &err));
    int32_t best = 0;
    for (int32_t k = 1; k < head.cols; ++k) best = head.values[k] > head.values[best] ? k : best;
    CHECK(best == found[i]);
    q3g_logits_free(logits);
    ids[n++] = found[i];
  }
  NEED_OK(q3g_generator_rewind(generator, begin + 3, &err));
  CHECK(position_of(generator) == begin + 3);
  write(generator, again, kSteps - 3);
  CHECK(memcmp(again, found + 3, sizeof(int32_t) * (kSteps - 3)) == 0);
  CHECK_FAILS(q3g_generator_rewind(generator, begin + 100, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK_FAILS(q3g_generator_rewind(generator, -1, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(position_of(generator) == begin + kSteps);
  q3g_generator_free(generator);
}

static void seeds(const q3g_guard* guard) {
  static const char kStory[] = "Tell me a story.";
  const q3g_message message = {
      .struct_size = sizeof message, .role = Q3G_ROLE_USER, .text = kStory, .text_bytes = sizeof kStory - 1};
  int32_t texts[3][kSteps];
  static const uint64_t seeds[] = {7, 7, 8};
  for (size_t i = 0; i < COUNT(seeds); ++i) {
    q3g_generator* generator = open(guard, 1.5F, seeds[i]);
    NEED_OK(q3g_generator_set_conversation(generator, &message, 1, &err));
    CHECK(position_of(generator) > 0);
    write(generator, texts[i], kSteps);
    q3g_generator_free(generator);
  }
  CHECK(memcmp(texts[0], texts[1], sizeof texts[0]) == 0);
  CHECK(memcmp(texts[0], texts[2], sizeof texts[0]) != 0);
}

void generator_part(void) {
  q3g_guard* guard = open_gen();
  greedy(guard);
  seeds(guard);
  q3g_guard_free(guard);
  q3g_guard* stream = open_stream_model();
  q3g_generator* none = NULL;
  CHECK_FAILS(q3g_generator_open(stream, NULL, &none, &err), Q3G_E_UNSUPPORTED_MODEL);
  CHECK(none == NULL);
  q3g_guard_free(stream);
}
