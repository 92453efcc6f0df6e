// SPDX-License-Identifier: Apache-2.0
// Hold-back over streams and batches: what comes out, blocks, retries, withdrawals, and handles freed early.
#include "abi_c11.h"

#define CLEAN "Well met, traveller. The bridge fell last winter, but the ferryman will take you across. "
#define INSULT "Only an ugly idiot like you would eat it, nobody likes you, burn in hell. "

typedef struct {
  char text[4096];
  size_t n;
  q3g_hold_back_release last;
  q3g_decision decision;
} person;

static void take_all(q3g_hold_back* hold, person* to) {
  do {
    to->last.struct_size = sizeof to->last;
    to->decision.struct_size = sizeof to->decision;
    NEED(to->n + 16 <= sizeof to->text);
    NEED_OK(q3g_hold_back_take(hold, 0, to->text + to->n, 16, &to->last, &to->decision, &err));
    to->n += to->last.text_bytes;
  } while (to->last.has_more);
  to->text[to->n] = '\0';
}

static void over_a_stream(const q3g_guard* guard) {
  q3g_stream* stream = NULL;
  q3g_hold_back* hold = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &stream, &err));
  CHECK_FAILS(q3g_hold_back_open(stream, NULL, &hold, &err), Q3G_E_INVALID_ARGUMENT);
  NEED_OK(q3g_stream_push_prompt(stream, TEXT("Hello"), NULL, &err));
  q3g_hold_back_options options;
  NEED_OK(q3g_hold_back_options_init(&options, sizeof options));
  CHECK(options.buffer_tokens == 40 && options.max_retries == 5 && options.reports_provisional == 0);
  CHECK(options.release_after_ms == 0 && options.deadline_ms == -1);
  options.max_retries = 1;
  options.buffer_tokens = -1;
  CHECK_FAILS(q3g_hold_back_open(stream, &options, &hold, &err), Q3G_E_INVALID_ARGUMENT);
  options.buffer_tokens = 16;
  NEED_OK(q3g_hold_back_open(stream, &options, &hold, &err));
  // It keeps its stream, and nobody else gets it.
  q3g_batch* batch = NULL;
  uint64_t session = 0;
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  CHECK_FAILS(q3g_batch_add_stream(batch, stream, &session, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_batch_free(batch);

  person to = {.n = 0};
  NEED_OK(q3g_hold_back_put(hold, TEXT(CLEAN CLEAN), &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_WRITING && to.last.has_block == 0);
  CHECK(to.n > 0 && memcmp(to.text, CLEAN CLEAN, to.n) == 0);
  CHECK_FAILS(q3g_hold_back_retry(hold, -1, &err), Q3G_E_INVALID_ARGUMENT);
  NEED_OK(q3g_hold_back_put(hold, TEXT(INSULT INSULT), &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_BLOCKED && to.last.has_block == 1 && to.last.is_settled == 1);
  CHECK(to.last.is_prompt == 0 && to.last.retries_left == 1);
  CHECK(to.last.shown_bytes == (int64_t)to.n && to.last.continue_byte == to.last.shown_bytes);
  CHECK(to.last.byte_begin >= to.last.shown_bytes);
  CHECK(to.decision.action == Q3G_ACTION_BLOCK && to.decision.rule_is_settled == 1);
  CHECK_FAILS(q3g_hold_back_put(hold, TEXT("more"), &err), Q3G_E_INVALID_ARGUMENT);
  CHECK_FAILS(q3g_hold_back_finish(hold, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK_FAILS(q3g_hold_back_retry(hold, INT64_MAX, &err), Q3G_E_INVALID_ARGUMENT);
  const int64_t shown = to.last.shown_bytes;
  NEED_OK(q3g_hold_back_retry(hold, -1, &err));
  const char* rest = CLEAN CLEAN "Farewell.";
  NEED(to.n < strlen(rest));
  NEED_OK(q3g_hold_back_put(hold, rest + shown, strlen(rest) - (size_t)shown, &err));
  NEED_OK(q3g_hold_back_finish(hold, &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_ENDED && to.last.has_block == 0);
  CHECK_TEXT(to.text, rest);
  q3g_hold_back_stats stats = {.struct_size = sizeof stats};
  NEED_OK(q3g_hold_back_get_stats(hold, &stats, &err));
  CHECK(stats.n_retries == 1 && stats.shown_bytes == (int64_t)to.n && stats.held_tokens == 0);
  CHECK(stats.put_bytes == stats.shown_bytes + stats.withdrawn_bytes && stats.withdrawn_tokens > 0);
  CHECK(stats.n_waits > 0 && stats.max_wait_ms >= 0);
  CHECK_FAILS(q3g_hold_back_withdraw(hold, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_hold_back_free(hold);

  // The next answer is withdrawn; the stream's handle goes before the answer's.
  NEED_OK(q3g_stream_push_prompt(stream, TEXT("And now?"), NULL, &err));
  NEED_OK(q3g_hold_back_open(stream, &options, &hold, &err));
  q3g_stream_free(stream);
  to.n = 0;
  NEED_OK(q3g_hold_back_put(hold, TEXT(CLEAN INSULT INSULT), &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_BLOCKED);
  NEED_OK(q3g_hold_back_withdraw(hold, &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_WITHHELD && strstr(to.text, "idiot") == NULL);
  q3g_hold_back_free(hold);
}

static void over_a_batch(const q3g_guard* guard) {
  q3g_batch* batch = NULL;
  q3g_hold_back* hold = NULL;
  uint64_t session = 0;
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  CHECK_FAILS(q3g_hold_back_open_batch(batch, 1, NULL, &hold, &err), Q3G_E_INVALID_ARGUMENT);
  NEED_OK(q3g_batch_add(batch, NULL, &session, &err));
  NEED_OK(q3g_batch_push_prompt(batch, session, TEXT("Hello"), -1, &err));
  NEED_OK(q3g_hold_back_open_batch(batch, session, NULL, &hold, &err));
  person to = {.n = 0};
  NEED_OK(q3g_hold_back_put(hold, TEXT(CLEAN CLEAN CLEAN CLEAN), &err));
  take_all(hold, &to);
  CHECK(to.n == 0 && to.last.state == Q3G_HOLD_BACK_WRITING);
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  take_all(hold, &to);
  CHECK(to.n > 0 && memcmp(to.text, CLEAN CLEAN CLEAN CLEAN, to.n) == 0);
  NEED_OK(q3g_hold_back_finish(hold, &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_FINISHING);
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  take_all(hold, &to);
  CHECK(to.last.state == Q3G_HOLD_BACK_ENDED);
  CHECK_TEXT(to.text, CLEAN CLEAN CLEAN CLEAN);
  q3g_batch_free(batch);
  q3g_hold_back_free(hold);
  CHECK(q3g_hold_back_put(NULL, NULL, 0, NULL) == Q3G_E_BAD_HANDLE);
}

void hold_back_part(void) {
  q3g_guard* guard = open_stream_model();
  over_a_stream(guard);
  over_a_batch(guard);
  q3g_guard_free(guard);
}
