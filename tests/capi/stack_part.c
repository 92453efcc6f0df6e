// SPDX-License-Identifier: Apache-2.0
// How much of its stack a host's thread must have for a call: runtimes and engines give their threads little.
#include "abi_c11.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <stdio.h>

enum { kStackBytes = 1 << 20, kUntouched = 0xA5 };

static _Alignas(4096) unsigned char stack[kStackBytes];

typedef struct {
  const char* name;
  int32_t kind;       // Q3G_MODEL_
  int32_t type;       // Q3G_PACKED_, or -1: as it is in its folder
  size_t most_bytes;  // what the header allows with the instruction set in use
  char packed_path[4096];
} use_of_model;

/// One thread does all the work: the one whose stack is measured.
static q3g_guard* load(use_of_model* use) {
  q3g_guard_options options;
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_options_init(&options, sizeof options));
  options.n_threads = 1;
  if (use->type < 0) {
    NEED_OK(q3g_guard_load(use->name, strlen(use->name), &options, &guard, &err));
  } else {
    q3g_quantize_options packing;
    NEED_OK(q3g_quantize_options_init(&packing, sizeof packing));
    packing.type = use->type;
    packing.overwrite = 1;
    packing.n_threads = 1;
    const char* path = use->packed_path;
    NEED_OK(q3g_quantize(use->name, strlen(use->name), path, strlen(path), &packing, NULL, &err));
    CHECK_OK(q3g_verify_packed(path, strlen(path), NULL, &err));
    NEED_OK(q3g_guard_load(path, strlen(path), &options, &guard, &err));
  }
  q3g_model_info info = {.struct_size = sizeof info};
  NEED_OK(q3g_guard_info(guard, &info, &err));
  use->most_bytes = strcmp(info.isa, "amx") == 0 ? 128 * 1024 : 64 * 1024;
  return guard;
}

static void classify(const q3g_guard* guard) {
  const q3g_message prompt = {sizeof prompt, Q3G_ROLE_USER, TEXT("How do I kill a Python process?")};
  const q3g_conversation both[] = {{sizeof both[0], 0, &prompt, 1}, {sizeof both[0], 0, &prompt, 1}};
  q3g_verdict verdicts[COUNT(both)] = {{.struct_size = sizeof verdicts[0]}};
  CHECK_OK(q3g_guard_classify(guard, &prompt, 1, NULL, &verdicts[0], &err));
  CHECK_OK(q3g_guard_classify_batch(guard, both, COUNT(both), NULL, verdicts, NULL, &err));
  int32_t ids[300] = {0};
  q3g_logits* logits = NULL;
  CHECK_OK(q3g_guard_logits(guard, ids, COUNT(ids), 0, NULL, &logits, &err));
  q3g_logits_free(logits);
}

static void stream(const q3g_guard* guard) {
  q3g_stream* one = NULL;
  q3g_batch* many = NULL;
  uint64_t session = 0;
  CHECK_OK(q3g_stream_open(guard, NULL, &one, &err));
  CHECK_OK(q3g_stream_push_prompt(one, TEXT("Hello there"), NULL, &err));
  CHECK_OK(q3g_stream_push_text(one, TEXT("An answer of some words."), NULL, NULL, 0, &err));
  CHECK_OK(q3g_stream_end_turn(one, NULL, NULL, NULL, NULL, &err));
  q3g_stream_free(one);
  CHECK_OK(q3g_batch_open(guard, NULL, &many, &err));
  CHECK_OK(q3g_batch_add(many, NULL, &session, &err));
  CHECK_OK(q3g_batch_push_prompt(many, session, TEXT("Hello there"), -1, &err));
  CHECK_OK(q3g_batch_push_text(many, session, TEXT("An answer of some words."), -1, &err));
  CHECK_OK(q3g_batch_step(many, 1e9, 1, NULL, &err));
  q3g_batch_free(many);
}

static void rule(void) {
  static char text[8192];
  q3g_policy *preset = NULL, *policy = NULL;
  size_t n = 0;
  CHECK_OK(q3g_policy_preset(TEXT("chat-game"), &preset, &err));
  CHECK_OK(q3g_policy_to_json(preset, text, sizeof text, &n, &err));
  CHECK_OK(q3g_policy_parse(text, n, &policy, &err));
  CHECK_OK(q3g_policy_describe(policy, text, sizeof text, &n, &err));
  memset(text, '[', sizeof text);
  q3g_policy* none = NULL;
  CHECK_FAILS(q3g_policy_parse(text, sizeof text, &none, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_policy_free(policy);
  q3g_policy_free(preset);
}

static void generate(const q3g_guard* guard) {
  static const int32_t ids[] = {40, 41, 42};
  q3g_generator* writer = NULL;
  int32_t id = -1;
  CHECK_OK(q3g_generator_open(guard, NULL, &writer, &err));
  CHECK_OK(q3g_generator_set_tokens(writer, ids, COUNT(ids), &err));
  CHECK_OK(q3g_generator_next(writer, &id, NULL, &err));
  q3g_generator_free(writer);
}

static void* use(void* user) {
  use_of_model* with = user;
  q3g_guard* guard = load(with);
  classify(guard);
  stream(guard);
  if (with->kind == Q3G_MODEL_GEN) generate(guard);
  rule();
  q3g_guard_free(guard);
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
  static const int32_t types[] = {-1, Q3G_PACKED_BF16, Q3G_PACKED_INT8, Q3G_PACKED_INT4, Q3G_PACKED_FP16};
  static use_of_model models[] = {{.name = TINY_GEN, .kind = Q3G_MODEL_GEN},
                                  {.name = TINY_STREAM, .kind = Q3G_MODEL_STREAM}};
  for (size_t i = 0; i < COUNT(types) * COUNT(models); ++i) {
    use_of_model* with = &models[i % COUNT(models)];
    with->type = types[i / COUNT(models)];
    const char* path = in_folder("stack.q3g");
    NEED(strlen(path) < sizeof with->packed_path);
    strcpy(with->packed_path, path);
    const size_t n_bytes = n_used_bytes(use, with);
    printf("%s, type %d: %zu bytes of stack\n", with->name, (int)with->type, n_bytes);
    CHECK(n_bytes > 4096 && n_bytes < with->most_bytes);
  }
}
#endif
