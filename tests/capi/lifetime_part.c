// SPDX-License-Identifier: Apache-2.0
// Handles that are freed while calls use them: in callbacks, and by other threads.
#include "abi_c11.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/// Memory by which a model tells that it is gone.
typedef struct {
  atomic_int n_released;
} owner;

static void* take(void* user, size_t bytes, size_t alignment) {
  (void)user;
  return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
static void give_back(void* user, void* block, size_t bytes, size_t alignment) {
  (void)user, (void)bytes, (void)alignment;
  free(block);
}
static void gone(void* user) { ++((owner*)user)->n_released; }

static q3g_guard* open_owned(const char* model, owner* told) {
  q3g_allocator allocator = {.struct_size = sizeof allocator, .user = told};
  allocator.allocate = take;
  allocator.deallocate = give_back;
  allocator.release = gone;
  q3g_guard_options options;
  NEED_OK(q3g_guard_options_init(&options, sizeof options));
  options.allocator = &allocator;
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_load(model, strlen(model), &options, &guard, &err));
  return guard;
}

typedef struct {
  q3g_guard* guard;
  owner* told;
  int n_calls;
} host;

static int32_t free_the_guard(void* user, int64_t n_done, int64_t n_total) {
  host* in = user;
  (void)n_done, (void)n_total;
  q3g_guard_free(in->guard);
  ++in->n_calls;
  // The call that goes on keeps the model, which nobody else can use any more.
  CHECK(in->told->n_released == 0);
  q3g_model_info info = {.struct_size = sizeof info};
  CHECK(q3g_guard_info(in->guard, &info, NULL) == Q3G_E_BAD_HANDLE);
  return 0;
}

static void freed_in_a_callback(void) {
  enum { kConversations = 40 };
  owner told = {0};
  host in = {open_owned(TINY_GEN, &told), &told, 0};
  static q3g_message messages[kConversations];
  static q3g_conversation conversations[kConversations];
  static q3g_verdict verdicts[kConversations];
  for (size_t i = 0; i < kConversations; ++i) {
    messages[i] = (q3g_message){sizeof messages[i], Q3G_ROLE_USER, TEXT("How do I kill a process?")};
    conversations[i] = (q3g_conversation){sizeof conversations[i], 0, &messages[i], 1};
  }
  verdicts[0].struct_size = sizeof verdicts[0];
  q3g_classify_options options;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  options.progress = free_the_guard;
  options.progress_user = &in;
  NEED_OK(q3g_guard_classify_batch(in.guard, conversations, kConversations, &options, verdicts, NULL, &err));
  for (size_t i = 0; i < kConversations; ++i) CHECK(verdicts[i].status == Q3G_OK);
  CHECK(in.n_calls == kConversations && told.n_released == 1);
}

typedef struct {
  q3g_batch* batch;
  uint64_t session;
  int n_visits;
} room;

static void visit_again(void* user, q3g_stream* stream) {
  (void)stream;
  ++((room*)user)->n_visits;
}

static void within_a_visit(void* user, q3g_stream* stream) {
  room* in = user;
  ++in->n_visits;
  q3g_batch_stats stats = {.struct_size = sizeof stats};
  CHECK_OK(q3g_batch_get_stats(in->batch, &stats, &err));
  CHECK_OK(q3g_batch_push_text(in->batch, in->session, TEXT("Well"), -1, &err));
  // What would wait for this visit does not.
  CHECK_FAILS(q3g_batch_remove(in->batch, in->session, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "within a visit") != NULL);
  CHECK_FAILS(q3g_batch_visit(in->batch, in->session, visit_again, user, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_events* events = NULL;
  CHECK_OK(q3g_batch_poll(in->batch, in->session, 1e9, &events, &err));
  q3g_events_free(events);
  size_t n_tokens = 1;
  CHECK_OK(q3g_batch_step(in->batch, 0, 1, &n_tokens, &err));
  CHECK(n_tokens == 0);
  // The stream is the batch's: freeing it does nothing, and no batch takes it.
  q3g_stream_free(stream);
  uint64_t other = 0;
  CHECK_FAILS(q3g_batch_add_stream(in->batch, stream, &other, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_stream_info info = {.struct_size = sizeof info};
  CHECK_OK(q3g_stream_get_info(stream, &info, &err));
  q3g_batch_free(in->batch);
  CHECK(q3g_batch_get_stats(in->batch, &stats, NULL) == Q3G_E_BAD_HANDLE);
}

static void batch_freed_in_a_visit(void) {
  owner told = {0};
  q3g_guard* guard = open_owned(TINY_STREAM, &told);
  room in = {0};
  NEED_OK(q3g_batch_open(guard, NULL, &in.batch, &err));
  NEED_OK(q3g_batch_add(in.batch, NULL, &in.session, &err));
  NEED_OK(q3g_batch_push_prompt(in.batch, in.session, TEXT("Hello"), -1, &err));
  NEED_OK(q3g_batch_step(in.batch, 1e6, 1, NULL, &err));
  q3g_events* events = NULL;
  NEED_OK(q3g_batch_poll(in.batch, in.session, 0, &events, &err));
  q3g_events_free(events);
  q3g_guard_free(guard);
  NEED_OK(q3g_batch_visit(in.batch, in.session, within_a_visit, &in, &err));
  CHECK(in.n_visits == 1 && told.n_released == 1);
}

// Each round loads a model and has four threads judge with it, which takes a second where every access is
// watched.
#ifdef Q3G_SANITIZED
enum { kThreads = 4, kRounds = 25 };
#else
enum { kThreads = 4, kRounds = 200 };
#endif
typedef struct {
  _Atomic(q3g_guard*) guard;
  atomic_int n_waiting, round, n_inside, n_judged;
} race;

/// Waits until every thread is in its call. One of them then frees the handle that all of them use.
static int32_t meet(void* user, int64_t n_done, int64_t n_total) {
  race* in = user;
  (void)n_done, (void)n_total;
  const int round = in->round;
  const int is_last = ++in->n_inside == kThreads * round;
  while (in->n_inside < kThreads * round) sched_yield();
  if (is_last) q3g_guard_free(in->guard);
  return 0;
}

static void* judge_in_rounds(void* user) {
  race* in = user;
  q3g_message message = {sizeof message, Q3G_ROLE_USER, TEXT("Hello")};
  const q3g_conversation conversation = {sizeof conversation, 0, &message, 1};
  q3g_classify_options options;
  q3g_error slot = {.struct_size = sizeof slot};
  NEED(q3g_classify_options_init(&options, sizeof options) == Q3G_OK);
  options.progress = meet;
  options.progress_user = in;
  for (int round = 1; round <= kRounds; ++round) {
    ++in->n_waiting;
    while (in->round < round) sched_yield();
    q3g_verdict verdict = {.struct_size = sizeof verdict};
    NEED(q3g_guard_classify_batch(in->guard, &conversation, 1, &options, &verdict, NULL, &slot) == Q3G_OK);
    in->n_judged += verdict.status == Q3G_OK && verdict.severity != Q3G_SEVERITY_NOT_JUDGED;
  }
  return NULL;
}

/// In every round, some threads are in calls with one handle, which one of them frees: each call ends well,
/// and the model goes with the last of them.
static void freed_by_another_thread(void) {
  race in;
  memset(&in, 0, sizeof in);
  owner told = {0};
  pthread_t threads[kThreads];
  for (size_t i = 0; i < kThreads; ++i) NEED(pthread_create(&threads[i], NULL, judge_in_rounds, &in) == 0);
  for (int round = 1; round <= kRounds; ++round) {
    q3g_guard* guard = open_owned(TINY_GEN, &told);
    while (in.n_waiting < kThreads * round) sched_yield();
    CHECK(told.n_released == round - 1);
    in.guard = guard;
    in.round = round;
  }
  for (size_t i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  CHECK(in.n_judged == kThreads * kRounds && told.n_released == kRounds);
}

#ifndef Q3G_PARALLEL_NONE  // where batches have no thread
typedef struct {
  q3g_batch* batch;
  atomic_int is_over, n_failed;
} starts;

static void* stop_often(void* user) {
  starts* in = user;
  while (!in->is_over) in->n_failed += q3g_batch_stop(in->batch, NULL) != Q3G_OK;
  return NULL;
}

/// A thread that is told to stop ends, also when another one is started at once.
static void stopped_while_starting(void) {
  enum { kStarts = 5000 };
  q3g_guard* guard = open_stream_model();
  starts in = {0};
  NEED_OK(q3g_batch_open(guard, NULL, &in.batch, &err));
  pthread_t threads[2];
  for (size_t i = 0; i < COUNT(threads); ++i) NEED(pthread_create(&threads[i], NULL, stop_often, &in) == 0);
  for (int n = 0; n < kStarts;) n += q3g_batch_start(in.batch, NULL) == Q3G_OK;
  in.is_over = 1;
  for (size_t i = 0; i < COUNT(threads); ++i) pthread_join(threads[i], NULL);
  CHECK(in.n_failed == 0);
  q3g_batch_free(in.batch);
  q3g_guard_free(guard);
}

#endif

#if defined(Q3G_SANITIZED) || defined(Q3G_PARALLEL_NONE)
// The one does not let a child of a fork make threads. The other's allocator has locks that the batch's
// thread may hold when the process forks, so that the child waits for ever; malloc's own locks are made safe
// for a fork.
#define NO_FORK
#endif
#ifndef NO_FORK
/// The child of a fork has the batch, but not the thread that steps it: it can free it, and make its own.
static void batch_in_a_fork(void) {
  q3g_guard* guard = open_stream_model();
  for (int i = 0; i < 20; ++i) {
    q3g_batch *batch = NULL, *own = NULL;
    uint64_t session = 0;
    NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
    NEED_OK(q3g_batch_start(batch, &err));
    NEED_OK(q3g_batch_add(batch, NULL, &session, &err));
    const pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
      alarm(60);  // a hang ends the child
      int ok = i % 2 == 0 || q3g_batch_stop(batch, &err) == Q3G_OK;
      q3g_batch_free(batch);
      ok = ok && q3g_batch_open(guard, NULL, &own, &err) == Q3G_OK && q3g_batch_start(own, &err) == Q3G_OK;
      q3g_batch_free(own);
      _exit(ok ? 0 : 1);
    }
    int status = -1;
    NEED(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    q3g_batch_free(batch);
  }
  q3g_guard_free(guard);
}
#endif

void lifetime_part(void) {
#ifndef NO_FORK
  batch_in_a_fork();
#endif
  freed_in_a_callback();
  batch_freed_in_a_visit();
  freed_by_another_thread();
#ifndef Q3G_PARALLEL_NONE
  stopped_while_starting();
#endif
}
#endif
