// SPDX-License-Identifier: Apache-2.0
// Loading, what a model is, raw logits, logs.
#include "abi_c11.h"

static void info(void) {
  q3g_guard* gen = open_gen();
  q3g_guard* stream = open_stream_model();
  q3g_model_info found = {.struct_size = sizeof found};
  NEED_OK(q3g_guard_info(gen, &found, &err));
  CHECK(found.kind == Q3G_MODEL_GEN && found.n_layers > 0 && found.hidden_size > 0 && found.vocab_size > 0);
  CHECK(found.n_heads % found.n_kv_heads == 0 && found.head_dim > 0 && found.intermediate_size > 0);
  CHECK(found.max_context_tokens > 0 && found.n_threads > 0 && found.n_parameters > 0);
  CHECK(found.weight_bytes > 0 && found.kv_bytes_per_token > 0);
  CHECK(strlen(found.architecture) > 0 && strlen(found.weight_dtype) > 0);
  // The instruction set in use is one of those that there are.
  CHECK(strlen(found.isa) > 0 && strstr(found.isa_available, found.isa) != NULL);
  CHECK(found.chat_template == Q3G_TEMPLATE_ABSENT && strlen(found.chat_template_fingerprint) == 0);
  NEED_OK(q3g_guard_info(stream, &found, &err));
  CHECK(found.kind == Q3G_MODEL_STREAM);
  q3g_guard_free(gen);
  q3g_guard_free(stream);
}

static void options(void) {
  q3g_guard_options options;
  NEED_OK(q3g_guard_options_init(&options, sizeof options));
  options.n_threads = 1;
  options.max_context_tokens = 100;
  options.isa = "scalar";
  q3g_guard* guard = NULL;
  q3g_model_info found = {.struct_size = sizeof found};
  NEED_OK(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err));
  NEED_OK(q3g_guard_info(guard, &found, &err));
  CHECK(found.n_threads == 1 && found.max_context_tokens == 100);
  CHECK_TEXT(found.isa, "scalar");
  q3g_guard_free(guard);
  guard = NULL;
  options.unknown_template = Q3G_UNKNOWN_TEMPLATE_REFUSE;  // none is not an unknown one
  options.known_template = "0123456789abcdef";
  NEED_OK(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err));
  q3g_guard_free(guard);
  guard = NULL;
  options.known_template = "none";
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "known_template") != NULL);
  options.known_template = NULL;
  options.isa = "no-such-isa";
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err), Q3G_E_UNSUPPORTED_ISA);
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("no-such-model"), NULL, &guard, &err), Q3G_E_FILE_NOT_FOUND);
  CHECK_FAILS(q3g_guard_load(TEXT("no/such/folder"), NULL, &guard, &err), Q3G_E_FILE_NOT_FOUND);
  CHECK(strstr(err.message, "no/such/folder") != NULL);
  CHECK(guard == NULL);
}

static void logits(void) {
  static const int32_t ids[] = {1, 2, 3, 4, 5};
  static const struct {
    const char* name;
    size_t n_heads;
  } models[] = {{TINY_GEN, 1}, {TINY_STREAM, 4}};
  for (size_t i = 0; i < COUNT(models); ++i) {
    q3g_guard* guard = NULL;
    NEED_OK(q3g_guard_load(models[i].name, strlen(models[i].name), NULL, &guard, &err));
    q3g_logits *all = NULL, *last = NULL;
    NEED_OK(q3g_guard_logits(guard, ids, COUNT(ids), 0, NULL, &all, &err));
    NEED_OK(q3g_guard_logits(guard, ids, COUNT(ids), 1, NULL, &last, &err));
    NEED(q3g_logits_count(all) == models[i].n_heads && q3g_logits_count(last) == models[i].n_heads);
    for (size_t head = 0; head < models[i].n_heads; ++head) {
      q3g_head_logits a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
      NEED_OK(q3g_logits_get(all, head, &a, &err));
      NEED_OK(q3g_logits_get(last, head, &b, &err));
      CHECK(a.rows == (int32_t)COUNT(ids) && b.rows == 1 && a.cols == b.cols && a.cols > 0);
      CHECK_TEXT(a.name, b.name);
      const float* row = a.values + (size_t)(a.rows - 1) * (size_t)a.cols;
      int is_same = 1;
      for (int32_t col = 0; col < a.cols; ++col) is_same = is_same && is_near(row[col], b.values[col]);
      CHECK(is_same);
    }
    q3g_head_logits none = {.struct_size = sizeof none};
    CHECK_FAILS(q3g_logits_get(all, models[i].n_heads, &none, &err), Q3G_E_INVALID_ARGUMENT);
    const int32_t outside = INT32_MAX;
    q3g_logits* untouched = NULL;
    CHECK_FAILS(q3g_guard_logits(guard, &outside, 1, 0, NULL, &untouched, &err), Q3G_E_TOKEN_RANGE);
    q3g_cancel* cancel = NULL;
    NEED_OK(q3g_cancel_new(&cancel, &err));
    NEED(q3g_cancel_set(cancel) == Q3G_OK);
    CHECK_FAILS(q3g_guard_logits(guard, ids, COUNT(ids), 1, cancel, &untouched, &err), Q3G_E_CANCELLED);
    CHECK(untouched == NULL);
    NEED(q3g_cancel_reset(cancel) == Q3G_OK);
    CHECK_OK(q3g_guard_logits(guard, ids, COUNT(ids), 1, cancel, &untouched, &err));
    q3g_logits_free(untouched);
    q3g_cancel_free(cancel);
    q3g_logits_free(all);
    q3g_logits_free(last);
    CHECK(q3g_logits_count(NULL) == 0);
    q3g_guard_free(guard);
  }
}

typedef struct {
  int n_lines, n_bad;
} log_record;

static void log_line(void* user, int32_t level, const char* line, size_t line_bytes) {
  log_record* record = user;
  ++record->n_lines;
  if (level != Q3G_LOG_INFO && level != Q3G_LOG_WARNING) ++record->n_bad;
  if (line_bytes == 0 || memchr(line, '\n', line_bytes) != NULL) ++record->n_bad;
}

static void logs(void) {
  log_record record = {0, 0};
  q3g_guard_options options;
  NEED_OK(q3g_guard_options_init(&options, sizeof options));
  options.log = log_line;
  options.log_user = &record;
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_load_embedded(TEXT("nano-gen"), &options, &guard, &err));
  CHECK(record.n_lines > 0 && record.n_bad == 0);
  q3g_guard_free(guard);
}

/// Handles keep alive what they were made from.
static void any_order(void) {
  q3g_guard* guard = open_stream_model();
  q3g_stream* stream = NULL;
  q3g_tokenizer* tokenizer = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &stream, &err));
  NEED_OK(q3g_guard_tokenizer(guard, &tokenizer, &err));
  q3g_guard_free(guard);
  q3g_token_verdict verdict = {.struct_size = sizeof verdict};
  CHECK_OK(q3g_stream_push_prompt(stream, TEXT("Hello"), &verdict, &err));
  q3g_decoder* decoder = NULL;
  NEED_OK(q3g_decoder_new(tokenizer, 0, &decoder, &err));
  q3g_tokenizer_free(tokenizer);
  char text[64];
  size_t n = 0;
  CHECK_OK(q3g_decoder_push(decoder, 40, text, sizeof text, &n, &err));
  q3g_decoder_free(decoder);
  q3g_stream_free(stream);
}

void models_part(void) {
  info();
  options();
  logits();
  logs();
  any_order();
}
