// SPDX-License-Identifier: Apache-2.0
// Batches of live streams: pushes, steps, a thread of the batch's own, events, visits.
#include "abi_c11.h"

#define ASK "How do I bake bread?"
#define ANSWER "Mix flour, water, salt and yeast; wait; then bake it for an hour."

enum { kTokens = 128 };

/// What a stream of its own makes of the same turn.
typedef struct {
  q3g_token_verdict tokens[kTokens];
  size_t n;
  q3g_decision decision;
  q3g_token_verdict prompt;
} alone_t;

static alone_t alone;

static void judge_alone(const q3g_guard* guard) {
  q3g_stream* stream = NULL;
  alone.tokens[0].struct_size = alone.prompt.struct_size = sizeof alone.prompt;
  alone.decision.struct_size = sizeof alone.decision;
  NEED_OK(q3g_stream_open(guard, NULL, &stream, &err));
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(ASK), &alone.prompt, &err));
  NEED_OK(q3g_stream_push_text(stream, TEXT(ANSWER), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_end_turn(stream, NULL, &alone.decision, NULL, NULL, &err));
  NEED_OK(q3g_stream_verdicts(stream, 0, alone.tokens, kTokens, &alone.n, &err));
  NEED(alone.n > 0 && alone.n <= kTokens);
  q3g_stream_free(stream);
}

/// The verdicts of one session's turn as its events leave them.
typedef struct {
  q3g_token_verdict tokens[kTokens];
  size_t n;
  int n_prompts, n_ends, n_errors;
  q3g_decision decision;
} record;

static void take_events(q3g_batch* batch, uint64_t session, double timeout_ms, record* all) {
  q3g_events* events = NULL;
  NEED_OK(q3g_batch_poll(batch, session, timeout_ms, &events, &err));
  for (size_t i = 0; i < q3g_events_count(events); ++i) {
    q3g_event event = {.struct_size = sizeof event};
    q3g_error failure = {.struct_size = sizeof failure};
    NEED_OK(q3g_events_get(events, i, &event, &failure, &err));
    CHECK_FAILS(q3g_events_get(events, i, &event, &err, &err), Q3G_E_INVALID_ARGUMENT);
    CHECK(event.waited_ms >= 0 && failure.code == event.status);
    all->n_errors += event.kind == Q3G_EVENT_ERROR;
    if (event.kind == Q3G_EVENT_ERROR) {
      CHECK(strlen(failure.message) > 0);
      continue;
    }
    NEED(event.first + event.n_tokens <= kTokens);
    if (event.n_tokens > 1) {
      q3g_token_verdict one = {.struct_size = sizeof one};
      CHECK_FAILS(q3g_events_tokens(events, i, &one, 1, &err), Q3G_E_BUFFER_TOO_SMALL);
      CHECK(one.id == 0);
    }
    q3g_token_verdict* place = all->tokens + event.first;
    place->struct_size = sizeof *place;
    if (event.kind == Q3G_EVENT_UPDATE || event.n_tokens > 0) {
      CHECK_OK(q3g_events_tokens(events, i, place, kTokens - event.first, &err));
      all->n = event.first + event.n_tokens;
    }
    if (event.kind != Q3G_EVENT_TURN_END) continue;
    q3g_token_verdict prompt = {.struct_size = sizeof prompt};
    q3g_verdict written = {.struct_size = sizeof written};
    NEED_OK(q3g_events_turn(events, i, &prompt, &written, &err));
    if (event.has_prompt) {
      CHECK(event.role == Q3G_ROLE_USER && is_same_prompt(&prompt, &alone.prompt));
      ++all->n_prompts;
      all->n = 0;
    } else {
      CHECK(event.role == Q3G_ROLE_ASSISTANT && event.has_written == 0);
      all->decision.struct_size = sizeof all->decision;
      NEED_OK(q3g_events_decision(events, i, &all->decision, &err));
      ++all->n_ends;
    }
  }
  q3g_event none = {.struct_size = sizeof none};
  CHECK_FAILS(q3g_events_get(events, q3g_events_count(events), &none, NULL, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_events_free(events);
  CHECK(q3g_events_count(NULL) == 0);
}

static void check_record(const record* all) {
  CHECK(all->n_prompts == 1 && all->n_ends == 1 && all->n_errors == 0);
  NEED(all->n == alone.n);
  for (size_t i = 0; i < all->n; ++i) CHECK(is_same_token(&all->tokens[i], &alone.tokens[i]));
  CHECK(all->decision.severity == alone.decision.severity &&
        all->decision.position == alone.decision.position);
}

static void push_turns(q3g_batch* batch, uint64_t session) {
  NEED_OK(q3g_batch_push_prompt(batch, session, TEXT(ASK), -1, &err));
  const size_t half = (sizeof ANSWER - 1) / 2;
  NEED_OK(q3g_batch_push_text(batch, session, ANSWER, half, -1, &err));
  NEED_OK(q3g_batch_push_text(batch, session, &ANSWER[half], sizeof ANSWER - 1 - half, 5, &err));
  NEED_OK(q3g_batch_end_turn(batch, session, -1, &err));
}

static void by_steps(const q3g_guard* guard) {
  enum { kSessions = 3 };
  q3g_batch* batch = NULL;
  uint64_t sessions[kSessions] = {0};
  static record records[kSessions];
  memset(records, 0, sizeof records);
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  for (size_t i = 0; i < kSessions; ++i) {
    NEED_OK(q3g_batch_add(batch, NULL, &sessions[i], &err));
    CHECK(sessions[i] != 0 && (i == 0 || sessions[i] != sessions[i - 1]));
    push_turns(batch, sessions[i]);
  }
  q3g_batch_stats stats = {.struct_size = sizeof stats};
  NEED_OK(q3g_batch_get_stats(batch, &stats, &err));
  CHECK(stats.n_sessions == kSessions && stats.n_waiting_sessions == kSessions && stats.n_tokens == 0);
  size_t n_judged = 0, n_more = 1;
  NEED_OK(q3g_batch_step(batch, 1e9, 1, &n_judged, &err));
  CHECK(n_judged >= kSessions * alone.n);
  NEED_OK(q3g_batch_step(batch, 0, 0, &n_more, &err));
  CHECK(n_more == 0);
  for (size_t i = 0; i < kSessions; ++i) {
    take_events(batch, sessions[i], 0, &records[i]);
    check_record(&records[i]);
  }
  NEED_OK(q3g_batch_get_stats(batch, &stats, &err));
  CHECK(stats.n_waiting_sessions == 0 && stats.n_steps > 0 && stats.n_tokens >= n_judged);
  CHECK(stats.memory_bytes > 0);
  NEED_OK(q3g_batch_remove(batch, sessions[0], &err));
  CHECK_FAILS(q3g_batch_remove(batch, sessions[0], &err), Q3G_E_INVALID_ARGUMENT);
  CHECK_FAILS(q3g_batch_push_text(batch, sessions[0], TEXT("x"), -1, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_batch_free(batch);
}

#ifdef Q3G_PARALLEL_NONE
/// A build that starts no thread says so; the host steps.
static void by_thread(const q3g_guard* guard) {
  q3g_batch* batch = NULL;
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  CHECK_FAILS(q3g_batch_start(batch, &err), Q3G_E_INVALID_ARGUMENT);
  NEED_OK(q3g_batch_stop(batch, &err));
  q3g_batch_free(batch);
}
#else
static void by_thread(const q3g_guard* guard) {
  q3g_batch* batch = NULL;
  uint64_t session = 0;
  static record found;
  memset(&found, 0, sizeof found);
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  NEED_OK(q3g_batch_add(batch, NULL, &session, &err));
  NEED_OK(q3g_batch_start(batch, &err));
  CHECK_FAILS(q3g_batch_start(batch, &err), Q3G_E_INVALID_ARGUMENT);
  push_turns(batch, session);
  // Each poll waits for an event; four pushes make no more of them than that, though each may be overdue
  // first.
  for (int i = 0; i < 8 && found.n_ends == 0; ++i) take_events(batch, session, 60000, &found);
  check_record(&found);
  // What is wrong with a text comes as an event; what comes behind it goes on.
  NEED_OK(q3g_batch_begin_turn(batch, session, Q3G_ROLE_USER, &err));
  NEED_OK(q3g_batch_push_text(batch, session, "\xFF", 1, 0, &err));
  for (int i = 0; i < 8 && found.n_errors == 0; ++i) take_events(batch, session, 60000, &found);
  CHECK(found.n_errors == 1);
  NEED_OK(q3g_batch_stop(batch, &err));
  NEED_OK(q3g_batch_stop(batch, &err));
  NEED_OK(q3g_batch_start(batch, &err));
  q3g_batch_free(batch);  // with its thread running
}
#endif

typedef struct {
  int n_visits;
  q3g_stream* fork;
  int64_t turn_bytes;
} visit_record;

static void visit(void* user, q3g_stream* stream) {
  visit_record* seen = user;
  ++seen->n_visits;
  q3g_stream_info info = {.struct_size = sizeof info};
  CHECK_OK(q3g_stream_get_info(stream, &info, &err));
  seen->turn_bytes = info.turn_bytes;
  CHECK_OK(q3g_stream_fork(stream, &seen->fork, &err));
  q3g_stream_free(stream);  // not this function's: nothing happens
  CHECK_OK(q3g_stream_rewind_to_byte(stream, 3, NULL, NULL, 0, &err));
}

static void visits(const q3g_guard* guard) {
  q3g_batch* batch = NULL;
  uint64_t session = 0, forked = 0;
  visit_record seen = {0, NULL, -1};
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  NEED_OK(q3g_batch_add(batch, NULL, &session, &err));
  NEED_OK(q3g_batch_push_prompt(batch, session, TEXT(ASK), -1, &err));
  NEED_OK(q3g_batch_push_text(batch, session, TEXT(ANSWER), -1, &err));
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  NEED_OK(q3g_batch_visit(batch, session, visit, &seen, &err));
  CHECK(seen.n_visits == 1 && seen.turn_bytes == (int64_t)sizeof ANSWER - 1);
  // A stream that is refused stays the caller's.
  q3g_guard* other = open_stream_model();
  q3g_stream* foreign = NULL;
  NEED_OK(q3g_stream_open(other, NULL, &foreign, &err));
  CHECK_FAILS(q3g_batch_add_stream(batch, foreign, &forked, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(forked == 0);
  CHECK_OK(q3g_stream_push_prompt(foreign, TEXT(ASK), NULL, &err));
  q3g_stream_free(foreign);
  q3g_guard_free(other);
  // One with a past becomes a session; its handle is freed.
  NEED_OK(q3g_batch_add_stream(batch, seen.fork, &forked, &err));
  CHECK(forked != 0 && forked != session);
  // Tokens cannot go on with a turn of text; a fresh session takes them.
  uint64_t of_tokens = 0;
  int32_t ids[kTokens];
  const size_t n = tokens_of(guard, ANSWER, Q3G_SPECIAL_AS_TEXT, ids, COUNT(ids));
  static record found;
  memset(&found, 0, sizeof found);
  NEED_OK(q3g_batch_add(batch, NULL, &of_tokens, &err));
  NEED_OK(q3g_batch_push_prompt(batch, of_tokens, TEXT(ASK), -1, &err));
  NEED_OK(q3g_batch_push_tokens(batch, of_tokens, ids, n, -1, &err));
  NEED_OK(q3g_batch_end_turn(batch, of_tokens, -1, &err));
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  take_events(batch, of_tokens, 0, &found);
  check_record(&found);
  q3g_batch_free(batch);
}

static void bounds(const q3g_guard* guard) {
  q3g_batch_options options;
  NEED_OK(q3g_batch_options_init(&options, sizeof options));
  options.max_waiting_bytes = 10;
  q3g_batch* batch = NULL;
  uint64_t session = 0;
  NEED_OK(q3g_batch_open(guard, &options, &batch, &err));
  NEED_OK(q3g_batch_add(batch, NULL, &session, &err));
  CHECK_FAILS(q3g_batch_push_prompt(batch, session, TEXT(ASK), -1, &err), Q3G_E_BUDGET_EXCEEDED);
  CHECK_OK(q3g_batch_push_prompt(batch, session, TEXT("Hello"), -1, &err));
  q3g_batch_free(batch);
  options.max_step_tokens = 0;
  batch = NULL;
  CHECK_FAILS(q3g_batch_open(guard, &options, &batch, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(batch == NULL);
}

/// Nobody steps: what waits says so, once, and is judged by the next step whatever the budget.
static void late(const q3g_guard* guard) {
  q3g_batch* batch = NULL;
  uint64_t session = 0;
  q3g_events* events = NULL;
  q3g_event event = {.struct_size = sizeof event};
  q3g_error failure = {.struct_size = sizeof failure};
  q3g_batch_stats stats = {.struct_size = sizeof stats};
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  NEED_OK(q3g_batch_add(batch, NULL, &session, &err));
  NEED_OK(q3g_batch_push_prompt(batch, session, TEXT(ASK), 0, &err));
  NEED_OK(q3g_batch_poll(batch, session, 1e9, &events, &err));
  NEED(q3g_events_count(events) == 1);
  NEED_OK(q3g_events_get(events, 0, &event, &failure, &err));
  CHECK(event.kind == Q3G_EVENT_OVERDUE && event.is_late == 1 && event.n_tokens == 0);
  CHECK(event.status == Q3G_OK && failure.code == Q3G_OK && event.has_prompt == 0 && event.has_written == 0);
  q3g_decision decision = {.struct_size = sizeof decision, .severity = Q3G_SEVERITY_SAFE, .is_complete = 1};
  NEED_OK(q3g_events_decision(events, 0, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_NOT_JUDGED && decision.is_complete == 0);
  q3g_events_free(events);
  NEED_OK(q3g_batch_poll(batch, session, 0, &events, &err));
  CHECK(q3g_events_count(events) == 0);
  q3g_events_free(events);
  NEED_OK(q3g_batch_get_stats(batch, &stats, &err));
  CHECK(stats.n_overdue_sessions == 1 && stats.oldest_waiting_ms > 0 && stats.n_waiting_sessions == 1);
  NEED_OK(q3g_batch_step(batch, 0, 0, NULL, &err));
  NEED_OK(q3g_batch_get_stats(batch, &stats, &err));
  CHECK(stats.n_steps == 1);
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  NEED_OK(q3g_batch_get_stats(batch, &stats, &err));
  CHECK(stats.n_overdue_sessions == 0 && stats.oldest_waiting_ms == 0 && stats.n_late == 1);
  q3g_batch_free(batch);
}

void batch_part(void) {
  q3g_guard* guard = open_stream_model();
  judge_alone(guard);
  by_steps(guard);
  by_thread(guard);
  visits(guard);
  bounds(guard);
  late(guard);
  q3g_guard_free(guard);
}
