// SPDX-License-Identifier: Apache-2.0
// Packing, models in memory whose bytes are the caller's, measuring.
#include <stdio.h>

#include "abi_c11.h"

#define ASK "How do I kill a Python process?"

typedef struct {
  int64_t last, total;
  int n_calls, stop_at;
} progress_record;

static int32_t on_progress(void* user, int64_t n_done, int64_t n_total) {
  progress_record* record = user;
  CHECK(n_done >= record->last && n_done <= n_total);
  record->last = n_done;
  record->total = n_total;
  return ++record->n_calls == record->stop_at;
}

static void check_usable(q3g_guard* guard) {
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  NEED_OK(q3g_guard_classify_prompt(guard, TEXT(ASK), NULL, &verdict, &err));
  CHECK(is_near(verdict.p_safe + verdict.p_controversial + verdict.p_unsafe, 1));
  q3g_model_info info = {.struct_size = sizeof info};
  NEED_OK(q3g_guard_info(guard, &info, &err));
  CHECK(info.kind == Q3G_MODEL_GEN);
}

static void pack(const char* path) {
  progress_record record = {0};
  q3g_quantize_options options;
  NEED_OK(q3g_quantize_options_init(&options, sizeof options));
  options.overwrite = 1;
  options.progress = on_progress;
  options.progress_user = &record;
  q3g_quantize_report report = {.struct_size = sizeof report};
  NEED_OK(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, &report, &err));
  CHECK(record.n_calls > 0 && record.last == record.total && record.total > 0);
  CHECK(report.source_bytes > 0 && report.file_bytes > 0 && report.seconds >= 0);
  CHECK(strcmp(report.weight_dtype, "int8 (group 64), embeddings int8 (per row)") == 0);
  const int64_t small_bytes = report.file_bytes;
  options.embeddings = Q3G_EMBEDDINGS_PLAIN;
  options.progress = NULL;
  NEED_OK(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, &report, &err));
  CHECK(strcmp(report.weight_dtype, "int8 (group 64), embeddings BF16") == 0);
  CHECK(report.file_bytes > small_bytes);
  options.embeddings = Q3G_EMBEDDINGS_PLAIN + 1;
  CHECK_FAILS(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, NULL, &err), Q3G_E_INVALID_ARGUMENT);
  options.embeddings = Q3G_EMBEDDINGS_AUTOMATIC;
  options.progress = on_progress;
  record.last = 0;
  NEED_OK(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, &report, &err));
  CHECK(report.file_bytes == small_bytes);
  CHECK_OK(q3g_verify_packed(path, strlen(path), NULL, &err));
  record.last = 0;
  NEED_OK(q3g_quantize_embedded(TEXT("nano-gen"), path, strlen(path), &options, NULL, &err));
  CHECK_OK(q3g_verify_packed(path, strlen(path), NULL, &err));
  CHECK_FAILS(q3g_quantize_embedded(TEXT("nano"), path, strlen(path), &options, NULL, &err),
              Q3G_E_FILE_NOT_FOUND);
  options.overwrite = 0;
  CHECK_FAILS(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, NULL, &err), Q3G_E_IO);

  const char* stopped = in_folder("stopped.q3g");
  record.n_calls = 0;
  record.last = 0;
  record.stop_at = 1;
  options.overwrite = 1;
  CHECK_FAILS(q3g_quantize(TEXT(TINY_GEN), stopped, strlen(stopped), &options, NULL, &err), Q3G_E_CANCELLED);
  CHECK(record.n_calls == 1);
  CHECK_FAILS(q3g_verify_packed(stopped, strlen(stopped), NULL, &err), Q3G_E_FILE_NOT_FOUND);
}

static void pack_folder(void) {
  static const char kFolder[] = Q3G_TEST_DIR "/golden/models/gen_gqa2_bf16";
  const char* path = in_folder("folder.q3g");
  q3g_quantize_options options;
  NEED_OK(q3g_quantize_options_init(&options, sizeof options));
  options.type = Q3G_PACKED_BF16;
  options.overwrite = 1;
  q3g_quantize_report report = {.struct_size = sizeof report};
  NEED_OK(q3g_quantize(kFolder, strlen(kFolder), path, strlen(path), &options, &report, &err));
  CHECK(report.file_bytes > 0);
  CHECK_OK(q3g_verify_packed(path, strlen(path), NULL, &err));
  // This checkpoint has no tokenizer: it loads for logits only.
  q3g_guard* guard = NULL;
  CHECK_FAILS(q3g_guard_load(path, strlen(path), NULL, &guard, &err), Q3G_E_FILE_NOT_FOUND);
  CHECK(strstr(err.message, "tokenizer.json") != NULL);
  q3g_guard_options load;
  NEED_OK(q3g_guard_options_init(&load, sizeof load));
  load.require_tokenizer = 0;
  NEED_OK(q3g_guard_load(path, strlen(path), &load, &guard, &err));
  q3g_tokenizer* tokenizer = NULL;
  CHECK_FAILS(q3g_guard_tokenizer(guard, &tokenizer, &err), Q3G_E_BAD_TOKENIZER);
  q3g_guard_free(guard);
  remove(path);
}

static void count_release(void* user) { ++*(int*)user; }

/// The whole file, with a NUL behind it that is not counted.
static unsigned char* read_file(const char* path, size_t* n) {
  FILE* file = fopen(path, "rb");
  NEED(file != NULL);
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  NEED(size > 0);
  rewind(file);
  unsigned char* out = malloc((size_t)size);
  NEED(out != NULL && fread(out, 1, (size_t)size, file) == (size_t)size);
  fclose(file);
  *n = (size_t)size;
  return out;
}

static void in_memory(const char* path) {
  size_t n = 0;
  unsigned char* bytes = read_file(path, &n);
  q3g_file file = {.struct_size = sizeof file, .name = "model.q3g", .bytes = bytes, .n_bytes = n};
  q3g_guard* guard = NULL;
  int n_released = 0;
  NEED_OK(q3g_guard_load_memory(&file, 1, count_release, &n_released, NULL, &guard, &err));
  check_usable(guard);
  // All that was made from the model needs its bytes.
  q3g_stream* stream = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &stream, &err));
  q3g_guard_free(guard);
  CHECK(n_released == 0);
  CHECK_OK(q3g_stream_push_prompt(stream, TEXT(ASK), NULL, &err));
  q3g_stream_free(stream);
  CHECK(n_released == 1);

  // Bytes that live for ever, and cannot be said to be in use.
  NEED_OK(q3g_guard_load_memory(&file, 1, NULL, NULL, NULL, &guard, &err));
  check_usable(guard);
  q3g_guard_free(guard);

  // Whatever is wrong, the bytes are given back before the call returns, once.
  guard = NULL;
  n_released = 0;
  unsigned char* damaged = malloc(n);
  NEED(damaged != NULL);
  memcpy(damaged, bytes, n);
  memset(damaged, 0x5A, 64);
  file.bytes = damaged;
  CHECK(q3g_guard_load_memory(&file, 1, count_release, &n_released, NULL, &guard, &err) != Q3G_OK);
  CHECK(err.code != Q3G_OK && strlen(err.message) > 0);
  CHECK(n_released == 1 && guard == NULL);

  // A byte of a matrix: found from memory unless that is off, and from a file when it is asked for.
  memcpy(damaged, bytes, n);
  damaged[n - 1000] ^= 1;
  CHECK_FAILS(q3g_guard_load_memory(&file, 1, NULL, NULL, NULL, &guard, &err), Q3G_E_BAD_CHECKPOINT);
  CHECK(strstr(err.message, "checksum") != NULL);
  q3g_guard_options options;
  CHECK_OK(q3g_guard_options_init(&options, sizeof options));
  CHECK(options.verify == Q3G_VERIFY_AUTOMATIC);
  options.verify = Q3G_VERIFY_OFF;
  NEED_OK(q3g_guard_load_memory(&file, 1, NULL, NULL, &options, &guard, &err));
  q3g_guard_free(guard);
  guard = NULL;
  options.verify = Q3G_VERIFY_FULL + 1;
  CHECK_FAILS(q3g_guard_load_memory(&file, 1, NULL, NULL, &options, &guard, &err), Q3G_E_INVALID_ARGUMENT);
  FILE* rewritten = fopen(path, "wb");
  NEED(rewritten != NULL && fwrite(damaged, 1, n, rewritten) == n && fclose(rewritten) == 0);
  options.verify = Q3G_VERIFY_FULL;
  CHECK_FAILS(q3g_guard_load(path, strlen(path), &options, &guard, &err), Q3G_E_BAD_CHECKPOINT);
  NEED_OK(q3g_guard_load(path, strlen(path), NULL, &guard, &err));
  q3g_guard_free(guard);
  guard = NULL;
  rewritten = fopen(path, "wb");
  NEED(rewritten != NULL && fwrite(bytes, 1, n, rewritten) == n && fclose(rewritten) == 0);
  options.verify = Q3G_VERIFY_FULL;
  NEED_OK(q3g_guard_load(path, strlen(path), &options, &guard, &err));
  q3g_guard_free(guard);
  guard = NULL;
  free(damaged);
  file.bytes = bytes;
  file.n_bytes = n / 2;
  CHECK(q3g_guard_load_memory(&file, 1, count_release, &n_released, NULL, &guard, &err) != Q3G_OK);
  CHECK(n_released == 2);
  file.n_bytes = n;
  file.name = NULL;
  CHECK_FAILS(q3g_guard_load_memory(&file, 1, count_release, &n_released, NULL, &guard, &err),
              Q3G_E_INVALID_ARGUMENT);
  CHECK(n_released == 3);
  CHECK_FAILS(q3g_guard_load_memory(NULL, 1, count_release, &n_released, NULL, &guard, &err),
              Q3G_E_INVALID_ARGUMENT);
  CHECK(n_released == 4);
  q3g_error small = {.struct_size = 4};
  file.name = "model.q3g";
  CHECK_FAILS(q3g_guard_load_memory(&file, 1, count_release, &n_released, NULL, &guard, &small),
              Q3G_E_INVALID_ARGUMENT);
  CHECK(n_released == 5 && guard == NULL);
  CHECK(q3g_guard_load_memory(NULL, 0, count_release, &n_released, NULL, &guard, &err) != Q3G_OK);
  CHECK(n_released == 6);
  free(bytes);
}

void packing_part(void) {
  char path[4096];
  NEED(snprintf(path, sizeof path, "%s", in_folder("packed.q3g")) < (int)sizeof path);
  pack(path);
  pack_folder();
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_load(path, strlen(path), NULL, &guard, &err));
  check_usable(guard);
  q3g_guard_free(guard);
  in_memory(path);
  remove(path);
}
