// SPDX-License-Identifier: Apache-2.0
// How much of its stack a host's thread must have for a call: runtimes and engines give their threads little.
#include "abi_c11.h"

#if !defined(_WIN32)
#include <pthread.h>

enum { kStackBytes = 1 << 20, kUntouched = 0xA5 };

static _Alignas(4096) unsigned char stack[kStackBytes];

static void* load_and_judge(void* user) {
  const char* model = user;
  q3g_guard* guard = NULL;
  q3g_stream* stream = NULL;
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  NEED_OK(q3g_guard_load_embedded(model, strlen(model), NULL, &guard, &err));
  CHECK_OK(q3g_guard_classify_prompt(guard, TEXT("How do I kill a Python process?"), NULL, &verdict, &err));
  CHECK_OK(q3g_stream_open(guard, NULL, &stream, &err));
  CHECK_OK(q3g_stream_push_prompt(stream, TEXT("Hello there"), NULL, &err));
  CHECK_OK(q3g_stream_push_text(stream, TEXT("An answer of some words."), NULL, NULL, 0, &err));
  CHECK_OK(q3g_stream_end_turn(stream, NULL, NULL, NULL, NULL, &err));
  q3g_stream_free(stream);
  q3g_guard_free(guard);
  return NULL;
}

static void* pack(void* user) {
  q3g_quantize_options options;
  NEED_OK(q3g_quantize_options_init(&options, sizeof options));
  options.overwrite = 1;
  const char* file = user;
  CHECK_OK(q3g_quantize_embedded(TEXT("nano-stream"), file, strlen(file), &options, NULL, &err));
  CHECK_OK(q3g_verify_packed(file, strlen(file), NULL, &err));
  return NULL;
}

/// The stack that `body` touches, on a thread whose stack is painted before.
static size_t n_used_bytes(void* (*body)(void*), void* user) {
  memset(stack, kUntouched, sizeof stack);
  pthread_attr_t attributes;
  pthread_t thread;
  NEED(pthread_attr_init(&attributes) == 0 && pthread_attr_setstack(&attributes, stack, sizeof stack) == 0);
  NEED(pthread_create(&thread, &attributes, body, user) == 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  size_t n_left = 0;
  while (n_left < sizeof stack && stack[n_left] == kUntouched) ++n_left;
  return sizeof stack - n_left;
}

void stack_part(void) {
  static char gen[] = "nano-gen", stream[] = "nano-stream", file[4096];
  NEED(strlen(in_folder("stack.q3g")) < sizeof file);
  strcpy(file, in_folder("stack.q3g"));
  const size_t used[] = {n_used_bytes(load_and_judge, gen), n_used_bytes(load_and_judge, stream),
                         n_used_bytes(pack, file)};
  // As the header says.
  for (size_t i = 0; i < COUNT(used); ++i) CHECK(used[i] > 4096 && used[i] < 64 * 1024);
}
#endif
