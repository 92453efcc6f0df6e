// SPDX-License-Identifier: Apache-2.0
// Going back: marks, rewinds and forks leave streams that are as fresh ones with the same past.
#include "abi_c11.h"

#define ASK "How do I bake bread?"
#define FIRST "Mix flour, water and salt."
#define SECOND " Then bake it for an hour."
#define OTHER " Or buy a loaf at the bakery."

enum { kTokens = 128 };

static q3g_stream* with_prompt(const q3g_guard* guard) {
  q3g_stream* out = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &out, &err));
  NEED_OK(q3g_stream_push_prompt(out, TEXT(ASK), NULL, &err));
  return out;
}

static void push(q3g_stream* stream, const char* text) {
  NEED_OK(q3g_stream_push_text(stream, text, strlen(text), NULL, NULL, 0, &err));
}

static size_t verdicts_of(const q3g_stream* stream, q3g_token_verdict* out) {
  size_t n = 0;
  out[0].struct_size = sizeof out[0];
  NEED_OK(q3g_stream_verdicts(stream, 0, out, kTokens, &n, &err));
  NEED(n <= kTokens);
  return n;
}

/// `stream` is as one that has never seen anything but `text`.
static void check_as_fresh(const q3g_guard* guard, const q3g_stream* stream, const char* text) {
  static q3g_token_verdict found[kTokens], expected[kTokens];
  q3g_stream* fresh = with_prompt(guard);
  if (*text != '\0') push(fresh, text);
  const size_t n = verdicts_of(stream, found);
  NEED(verdicts_of(fresh, expected) == n);
  for (size_t i = 0; i < n; ++i) CHECK(is_same_token(&found[i], &expected[i]));
  q3g_stream_info a = {.struct_size = sizeof a}, b = {.struct_size = sizeof b};
  NEED_OK(q3g_stream_get_info(stream, &a, &err));
  NEED_OK(q3g_stream_get_info(fresh, &b, &err));
  CHECK(a.position == b.position && a.turn_bytes == b.turn_bytes && a.turn_bytes == (int64_t)strlen(text));
  q3g_decision here = {.struct_size = sizeof here}, there = here;
  NEED_OK(q3g_stream_decision(stream, &here, &err));
  NEED_OK(q3g_stream_decision(fresh, &there, &err));
  CHECK(here.severity == there.severity && here.position == there.position);
  q3g_stream_free(fresh);
}

static void marks(const q3g_guard* guard) {
  q3g_stream* stream = with_prompt(guard);
  q3g_mark begin = {.struct_size = sizeof begin}, middle = begin;
  NEED_OK(q3g_stream_mark(stream, &begin, &err));
  push(stream, FIRST);
  NEED_OK(q3g_stream_mark(stream, &middle, &err));
  push(stream, SECOND);
  check_as_fresh(guard, stream, FIRST SECOND);

  static q3g_token_verdict tokens[kTokens];
  tokens[0].struct_size = sizeof tokens[0];
  q3g_update update = {.struct_size = sizeof update};
  NEED_OK(q3g_stream_rewind(stream, &middle, &update, tokens, kTokens, &err));
  size_t n = 0;
  NEED_OK(q3g_stream_verdicts(stream, 0, NULL, 0, &n, &err));
  CHECK(update.first + update.n_tokens == n);
  check_as_fresh(guard, stream, FIRST);
  push(stream, OTHER);
  check_as_fresh(guard, stream, FIRST OTHER);

  // A turn that was ended is open again.
  NEED_OK(q3g_stream_end_turn(stream, NULL, NULL, NULL, NULL, &err));
  NEED_OK(q3g_stream_rewind(stream, &middle, NULL, NULL, 0, &err));
  push(stream, SECOND);
  check_as_fresh(guard, stream, FIRST SECOND);
  NEED_OK(q3g_stream_rewind(stream, &begin, NULL, NULL, 0, &err));
  check_as_fresh(guard, stream, "");
  // The mark in what was taken back is not in the past.
  CHECK_FAILS(q3g_stream_rewind(stream, &middle, NULL, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  check_as_fresh(guard, stream, "");
  q3g_mark nonsense = {.struct_size = sizeof nonsense, .is_closed = 0, .turn = 999, .n_units = -5};
  CHECK_FAILS(q3g_stream_rewind(stream, &nonsense, NULL, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_stream_free(stream);
}

static void bytes(const q3g_guard* guard) {
  q3g_stream* stream = with_prompt(guard);
  push(stream, FIRST SECOND);
  q3g_update update = {.struct_size = sizeof update};
  NEED_OK(q3g_stream_rewind_to_byte(stream, (int64_t)strlen(FIRST), &update, NULL, 0, &err));
  check_as_fresh(guard, stream, FIRST);
  // In the middle of a word, too.
  NEED_OK(q3g_stream_rewind_to_byte(stream, 2, &update, NULL, 0, &err));
  CHECK(update.first + update.n_tokens >= update.n_settled);
  check_as_fresh(guard, stream, "Mi");
  CHECK_FAILS(q3g_stream_rewind_to_byte(stream, 3, &update, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK_FAILS(q3g_stream_rewind_to_byte(stream, -1, &update, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  check_as_fresh(guard, stream, "Mi");
  q3g_stream_free(stream);
}

static void forks(const q3g_guard* guard) {
  q3g_stream *stream = with_prompt(guard), *fork = NULL;
  push(stream, FIRST);
  q3g_mark mark = {.struct_size = sizeof mark};
  NEED_OK(q3g_stream_mark(stream, &mark, &err));
  NEED_OK(q3g_stream_fork(stream, &fork, &err));
  CHECK(fork != stream);
  push(stream, SECOND);
  push(fork, OTHER);
  check_as_fresh(guard, stream, FIRST SECOND);
  check_as_fresh(guard, fork, FIRST OTHER);
  // A mark of the stream is one of the fork's past.
  NEED_OK(q3g_stream_rewind(fork, &mark, NULL, NULL, 0, &err));
  check_as_fresh(guard, fork, FIRST);
  q3g_stream_free(stream);
  push(fork, SECOND);
  check_as_fresh(guard, fork, FIRST SECOND);
  q3g_stream_free(fork);
}

static void verdicts(const q3g_guard* guard) {
  static q3g_token_verdict all[kTokens], some[kTokens];
  q3g_stream* stream = with_prompt(guard);
  push(stream, FIRST);
  const size_t n = verdicts_of(stream, all);
  NEED(n > 4);
  size_t n_there = 0;
  memset(some, 0xA5, sizeof some);
  some[0].struct_size = sizeof some[0];
  // From the third on, with room for one: the number is told, one is written.
  NEED_OK(q3g_stream_verdicts(stream, 2, some, 1, &n_there, &err));
  CHECK(n_there == n - 2 && is_same_token(&some[0], &all[2]) && some[1].id != all[3].id);
  NEED_OK(q3g_stream_verdicts(stream, n, NULL, 0, &n_there, &err));
  CHECK(n_there == 0);
  CHECK_FAILS(q3g_stream_verdicts(stream, n + 1, NULL, 0, &n_there, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_stream_free(stream);
}

void stream_past_part(void) {
  q3g_guard* guard = open_stream_model();
  marks(guard);
  bytes(guard);
  forks(guard);
  verdicts(guard);
  q3g_guard_free(guard);
}
