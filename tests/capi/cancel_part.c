// SPDX-License-Identifier: Apache-2.0
// Stopping what runs: by a flag from another thread, by a callback.
#include "abi_c11.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

/// A text that takes some time to judge.
static char* long_text(size_t n_words, size_t* n) {
  static const char kWord[] = "perhaps another ordinary word ";
  *n = n_words * (sizeof kWord - 1);
  char* out = malloc(*n);
  NEED(out != NULL);
  for (size_t i = 0; i < n_words; ++i) memcpy(out + i * (sizeof kWord - 1), kWord, sizeof kWord - 1);
  return out;
}

typedef struct {
  q3g_cancel* cancel;
  atomic_int is_running, n_raised;
  long delay_ns;
} raiser;

/// Raises the flag soon after the call on the other thread has begun.
static void* raise_flag(void* user) {
  raiser* with = user;
  while (!with->is_running) {
  }
  const struct timespec delay = {0, with->delay_ns};
  nanosleep(&delay, NULL);
  CHECK(q3g_cancel_set(with->cancel) == Q3G_OK);
  ++with->n_raised;
  return NULL;
}

/// Runs `call` while a thread raises the flag, later and later until the call is cut off in the middle: a
/// flag that is up before the first look at it would show nothing. The bound is for a machine that stalls.
#define CUT_OFF(with, status, call)                                          \
  do {                                                                       \
    for (int i = 0; i < 200; ++i) {                                          \
      pthread_t thread;                                                      \
      NEED(q3g_cancel_reset((with)->cancel) == Q3G_OK);                      \
      (with)->is_running = 0;                                                \
      NEED(pthread_create(&thread, NULL, raise_flag, (with)) == 0);          \
      (with)->is_running = 1;                                                \
      (status) = (call);                                                     \
      pthread_join(thread, NULL);                                            \
      if ((status) == Q3G_E_CANCELLED) break;                                \
      CHECK_OK(status);                                                      \
      (with)->delay_ns = (with)->delay_ns > 1000 ? (with)->delay_ns / 2 : 0; \
    }                                                                        \
  } while (0)

static void classify(const char* model) {
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_load(model, strlen(model), NULL, &guard, &err));
  raiser with = {.delay_ns = 2000000};
  q3g_classify_options options;
  NEED_OK(q3g_cancel_new(&with.cancel, &err));
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  options.cancel = with.cancel;
  size_t n = 0;
  char* text = long_text(400, &n);
  q3g_verdict verdict;
  memset(&verdict, 0xA5, sizeof verdict);
  verdict.struct_size = sizeof verdict;
  verdict.text = NULL;
  verdict.text_capacity = 0;
  q3g_verdict before = verdict;
  q3g_status status = Q3G_OK;
  CUT_OFF(&with, status,
          (before = verdict, q3g_guard_classify_prompt(guard, text, n, &options, &verdict, &err)));
  CHECK_FAILS(status, Q3G_E_CANCELLED);
  CHECK(err.code == Q3G_E_CANCELLED && memcmp(&before, &verdict, sizeof verdict) == 0);
  // While the flag is up nothing gets through; then all is as before.
  CHECK_FAILS(q3g_guard_classify_prompt(guard, TEXT("Hello"), &options, &verdict, &err), Q3G_E_CANCELLED);
  NEED(q3g_cancel_reset(with.cancel) == Q3G_OK);
  CHECK_OK(q3g_guard_classify_prompt(guard, TEXT("Hello"), &options, &verdict, &err));
  q3g_cancel_free(with.cancel);
  free(text);
  q3g_guard_free(guard);
}

static void stream(void) {
  q3g_guard* guard = open_stream_model();
  raiser with = {.delay_ns = 2000000};
  NEED_OK(q3g_cancel_new(&with.cancel, &err));
  q3g_stream_options options;
  NEED_OK(q3g_stream_options_init(&options, sizeof options));
  options.cancel = with.cancel;
  size_t n = 0;
  char* text = long_text(400, &n);
  q3g_stream* judged = NULL;
  NEED_OK(q3g_stream_open(guard, &options, &judged, &err));
  NEED_OK(q3g_stream_push_prompt(judged, TEXT("Hello"), NULL, &err));
  q3g_mark mark = {.struct_size = sizeof mark};
  NEED_OK(q3g_stream_mark(judged, &mark, &err));
  q3g_stream_info before = {.struct_size = sizeof before}, after = before;
  NEED_OK(q3g_stream_get_info(judged, &before, &err));
  q3g_status status = Q3G_OK;
  for (int round = 0; round < 8 && status == Q3G_OK; ++round) {
    NEED(q3g_cancel_reset(with.cancel) == Q3G_OK);
    NEED_OK(q3g_stream_rewind(judged, &mark, NULL, NULL, 0, &err));
    pthread_t thread;
    with.is_running = 0;
    NEED(pthread_create(&thread, NULL, raise_flag, &with) == 0);
    with.is_running = 1;
    status = q3g_stream_push_text(judged, text, n, NULL, NULL, 0, &err);
    pthread_join(thread, NULL);
    with.delay_ns /= 4;
  }
  CHECK_FAILS(status, Q3G_E_CANCELLED);
  NEED(q3g_cancel_reset(with.cancel) == Q3G_OK);
  NEED_OK(q3g_stream_get_info(judged, &after, &err));
  CHECK(before.position == after.position && before.turn_bytes == after.turn_bytes);
  CHECK_OK(q3g_stream_push_text(judged, TEXT("An answer."), NULL, NULL, 0, &err));
  // The stream keeps the flag alive.
  q3g_cancel_free(with.cancel);
  CHECK_OK(q3g_stream_push_text(judged, TEXT(" And more."), NULL, NULL, 0, &err));
  // A fork has none, until it gets one.
  q3g_cancel* other = NULL;
  q3g_stream* fork = NULL;
  NEED_OK(q3g_cancel_new(&other, &err));
  NEED_OK(q3g_stream_fork(judged, &fork, &err));
  NEED(q3g_cancel_set(other) == Q3G_OK);
  NEED_OK(q3g_stream_set_cancel(fork, other, &err));
  CHECK_FAILS(q3g_stream_push_text(fork, TEXT(" Nothing."), NULL, NULL, 0, &err), Q3G_E_CANCELLED);
  CHECK_OK(q3g_stream_push_text(judged, TEXT(" Still more."), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_set_cancel(fork, NULL, &err));
  CHECK_OK(q3g_stream_push_text(fork, TEXT(" Something."), NULL, NULL, 0, &err));
  q3g_stream_free(fork);
  q3g_cancel_free(other);
  free(text);
  q3g_stream_free(judged);
  q3g_guard_free(guard);
}

static int32_t stop_at_first(void* user, int64_t n_done, int64_t n_total) {
  CHECK(n_done > 0 && n_done <= n_total);
  ++*(int*)user;
  return -1;
}

static void batch(void) {
  enum { kConversations = 40 };
  q3g_guard* guard = open_gen();
  size_t n = 0;
  char* text = long_text(60, &n);
  static q3g_message messages[kConversations];
  static q3g_conversation conversations[kConversations];
  static q3g_verdict verdicts[kConversations];
  for (size_t i = 0; i < kConversations; ++i) {
    messages[i] = (q3g_message){sizeof messages[i], Q3G_ROLE_USER, text, n - i};
    conversations[i] = (q3g_conversation){sizeof conversations[i], 0, &messages[i], 1};
  }
  verdicts[0].struct_size = sizeof verdicts[0];
  q3g_classify_options options;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  int n_calls = 0;
  options.progress = stop_at_first;
  options.progress_user = &n_calls;
  // The call is sound; what was not reached says so in its verdict, what was has one.
  NEED_OK(q3g_guard_classify_batch(guard, conversations, kConversations, &options, verdicts, NULL, &err));
  int n_judged = 0, n_cancelled = 0;
  for (size_t i = 0; i < kConversations; ++i) {
    n_judged += verdicts[i].status == Q3G_OK;
    n_cancelled += verdicts[i].status == Q3G_E_CANCELLED;
  }
  CHECK(n_calls == 1 && n_judged > 0 && n_cancelled > 0 && n_judged + n_cancelled == kConversations);
  free(text);
  q3g_guard_free(guard);
}

static void generator(void) {
  q3g_guard* guard = open_gen();
  q3g_cancel* cancel = NULL;
  NEED_OK(q3g_cancel_new(&cancel, &err));
  q3g_sampling_options options;
  NEED_OK(q3g_sampling_options_init(&options, sizeof options));
  options.cancel = cancel;
  q3g_generator* writer = NULL;
  NEED_OK(q3g_generator_open(guard, &options, &writer, &err));
  const int32_t ids[] = {40, 41, 42};
  int32_t id = -7;
  NEED_OK(q3g_generator_set_tokens(writer, ids, COUNT(ids), &err));
  NEED(q3g_cancel_set(cancel) == Q3G_OK);
  CHECK_FAILS(q3g_generator_next(writer, &id, NULL, &err), Q3G_E_CANCELLED);
  CHECK(id == -7);
  NEED(q3g_cancel_reset(cancel) == Q3G_OK);
  CHECK_OK(q3g_generator_next(writer, &id, NULL, &err));
  CHECK(id >= 0);
  q3g_cancel_free(cancel);
  q3g_generator_free(writer);
  q3g_guard_free(guard);
}

static int32_t raise_at_first(void* user, int64_t n_done, int64_t n_total) {
  CHECK(n_done <= n_total && q3g_cancel_set(user) == Q3G_OK);
  return 0;
}

/// Calls of seconds on a large model.
static void packing(void) {
  q3g_cancel* cancel = NULL;
  NEED_OK(q3g_cancel_new(&cancel, &err));
  // The flag stops packing at the next matrix, as the callback's answer would.
  const char* path = in_folder("cancelled.q3g");
  q3g_quantize_options options;
  NEED_OK(q3g_quantize_options_init(&options, sizeof options));
  options.overwrite = 1;
  options.cancel = cancel;
  options.progress = raise_at_first;
  options.progress_user = cancel;
  CHECK_FAILS(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, NULL, &err), Q3G_E_CANCELLED);
  CHECK_FAILS(q3g_verify_packed(path, strlen(path), NULL, &err), Q3G_E_FILE_NOT_FOUND);
  options.progress = NULL;
  options.keep_prefix = 1;
  CHECK_FAILS(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, NULL, &err), Q3G_E_CANCELLED);
  options.cancel = NULL;
  CHECK_OK(q3g_quantize(TEXT(TINY_GEN), path, strlen(path), &options, NULL, &err));
  CHECK_FAILS(q3g_verify_packed(path, strlen(path), cancel, &err), Q3G_E_CANCELLED);
  NEED(q3g_cancel_reset(cancel) == Q3G_OK);
  CHECK_OK(q3g_verify_packed(path, strlen(path), cancel, &err));
  CHECK_OK(q3g_verify_packed(path, strlen(path), NULL, &err));
  remove(path);
  q3g_cancel_free(cancel);
}

void cancel_part(void) {
  packing();
  classify(TINY_GEN);
  classify(TINY_STREAM);
  stream();
  batch();
  generator();
}
#endif
