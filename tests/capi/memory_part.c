// SPDX-License-Identifier: Apache-2.0
// Memory of the caller's: what the library takes, it gives back.
#include "abi_c11.h"

#if defined(_WIN32)
#include <malloc.h>
#define take_block(bytes, alignment) _aligned_malloc(bytes, alignment)
#define give_block(block) _aligned_free(block)
#else
#define take_block(bytes, alignment) \
  aligned_alloc(alignment, ((bytes) + (alignment)-1) / (alignment) * (alignment))
#define give_block(block) free(block)
#endif

#if !defined(__STDC_NO_ATOMICS__)
#include <stdatomic.h>
#else
#define _Atomic(type) type  // this part then counts on one thread only, which is all it uses
#endif

typedef struct {
  _Atomic(long long) n_bytes;   // taken and not given back
  _Atomic(long long) n_blocks;  // the same
  _Atomic(long long) n_taken, n_misaligned;
  _Atomic(long long) n_released;  // at which nothing may be in use
  long long limit;                // taking more than that fails; 0: no limit
} counter;

static void* allocate(void* user, size_t bytes, size_t alignment) {
  counter* count = user;
  if (count->limit > 0 && count->n_bytes + (long long)bytes > count->limit) return NULL;
  void* block = take_block(bytes, alignment);
  if (block == NULL) return NULL;
  count->n_misaligned += (uintptr_t)block % alignment != 0;
  count->n_bytes += (long long)bytes;
  ++count->n_blocks;
  ++count->n_taken;
  return block;
}

static void deallocate(void* user, void* block, size_t bytes, size_t alignment) {
  (void)alignment;
  counter* count = user;
  count->n_bytes -= (long long)bytes;
  --count->n_blocks;
  give_block(block);
}

static void released(void* user) {
  counter* count = user;
  CHECK(count->n_bytes == 0 && count->n_blocks == 0);
  ++count->n_released;
}

static q3g_guard_options with_allocator(const q3g_allocator* allocator) {
  q3g_guard_options options;
  NEED_OK(q3g_guard_options_init(&options, sizeof options));
  options.allocator = allocator;
  return options;
}

static q3g_allocator counting(counter* count) {
  q3g_allocator out = {.struct_size = sizeof out, .user = count};
  out.allocate = allocate;
  out.deallocate = deallocate;
  out.release = released;
  return out;
}

static void balance(const char* model) {
  counter count = {.limit = 0};
  q3g_guard* guard = NULL;
  {
    // Both structs are copied: they may go when the model is loaded.
    const q3g_allocator allocator = counting(&count);
    const q3g_guard_options options = with_allocator(&allocator);
    NEED_OK(q3g_guard_load(model, strlen(model), &options, &guard, &err));
  }
  q3g_stream *stream = NULL, *fork = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &stream, &err));
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  NEED_OK(q3g_guard_classify_prompt(guard, TEXT("How do I kill a Python process?"), NULL, &verdict, &err));
  NEED_OK(q3g_stream_push_prompt(stream, TEXT("Hello there"), NULL, &err));
  NEED_OK(q3g_stream_push_text(stream, TEXT("An answer of some words."), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_fork(stream, &fork, &err));
  NEED_OK(q3g_stream_push_text(fork, TEXT(" And more."), NULL, NULL, 0, &err));
  CHECK(count.n_taken > 0 && count.n_bytes > 0);
  q3g_stream_info info = {.struct_size = sizeof info};
  NEED_OK(q3g_stream_get_info(stream, &info, &err));
  CHECK(info.memory_bytes > 0);
  q3g_guard_free(guard);
  q3g_stream_free(stream);
  CHECK(count.n_bytes > 0 && count.n_released == 0);  // the fork still has its share
  q3g_stream_free(fork);
  CHECK(count.n_released == 1);
  CHECK(count.n_bytes == 0 && count.n_blocks == 0 && count.n_misaligned == 0);
}

static void no_memory(void) {
  counter count = {.limit = 1};
  const q3g_allocator allocator = counting(&count);
  q3g_guard_options options = with_allocator(&allocator);
  q3g_guard* guard = NULL;
  q3g_status status = q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err);
  q3g_stream* stream = NULL;
  if (status == Q3G_OK) {
    // A model that lies in the library needs no large block; a stream does, at the latest when it reads.
    status = q3g_stream_open(guard, NULL, &stream, &err);
    if (status == Q3G_OK) status = q3g_stream_push_prompt(stream, TEXT("Hello"), NULL, &err);
  }
  CHECK_FAILS(status, Q3G_E_OUT_OF_MEMORY);
  if (stream != NULL) {
    // As any failed call it has changed nothing, and goes on when there is memory.
    q3g_stream_info info = {.struct_size = sizeof info};
    NEED_OK(q3g_stream_get_info(stream, &info, &err));
    CHECK(info.position == 0);
    count.limit = 0;
    CHECK_OK(q3g_stream_push_prompt(stream, TEXT("Hello"), NULL, &err));
  }
  q3g_stream_free(stream);
  q3g_guard_free(guard);
  CHECK(count.n_bytes == 0 && count.n_blocks == 0);

  q3g_allocator half = counting(&count);
  half.deallocate = NULL;
  options = with_allocator(&half);
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err), Q3G_E_INVALID_ARGUMENT);
}

/// Who gave the functions is told that they are in use no more, whyever loading fails, and once.
static void released_by_failures(void) {
  counter count = {.limit = 0};
  q3g_allocator allocator = counting(&count);
  q3g_guard_options options = with_allocator(&allocator);
  q3g_guard* guard = NULL;
  long long n = 0;
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("no-such-model"), &options, &guard, &err), Q3G_E_FILE_NOT_FOUND);
  CHECK(count.n_released == ++n);
  CHECK_FAILS(q3g_guard_load(TEXT("/no/such/folder"), &options, &guard, &err), Q3G_E_FILE_NOT_FOUND);
  CHECK(count.n_released == ++n);
  CHECK_FAILS(q3g_guard_load(TEXT("\xFF"), &options, &guard, &err), Q3G_E_INVALID_UTF8);
  CHECK(count.n_released == ++n);
  CHECK_FAILS(q3g_guard_load_memory(NULL, 0, NULL, NULL, &options, &guard, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(count.n_released == ++n);
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("nano-stream"), &options, NULL, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(count.n_released == ++n);
  options.require_tokenizer = 7;
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(count.n_released == ++n);
  options.require_tokenizer = 1;
  allocator.allocate = NULL;
  CHECK_FAILS(q3g_guard_load_embedded(TEXT("nano-stream"), &options, &guard, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(count.n_released == ++n && guard == NULL);
}

void memory_part(void) {
  balance(TINY_GEN);
  balance(TINY_STREAM);
  no_memory();
  released_by_failures();
}
