// SPDX-License-Identifier: Apache-2.0
// The C interface as a C program uses it: every function does what the header says.
#include "abi_c11.h"

#include <math.h>
#include <stdio.h>

static const char* folder = ".";

const char* in_folder(const char* name) {
  static char path[4096];
  NEED(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
  return path;
}

q3g_guard* open_gen(void) {
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_load(TEXT(TINY_GEN), NULL, &guard, &err));
  return guard;
}

q3g_guard* open_stream_model(void) {
  q3g_guard* guard = NULL;
  NEED_OK(q3g_guard_load(TEXT(TINY_STREAM), NULL, &guard, &err));
  return guard;
}

size_t tokens_of(const q3g_guard* guard, const char* text, int32_t special, int32_t* ids, size_t capacity) {
  q3g_tokenizer* tokenizer = NULL;
  size_t n = 0;
  NEED_OK(q3g_guard_tokenizer(guard, &tokenizer, &err));
  NEED_OK(q3g_tokenizer_encode(tokenizer, text, strlen(text), special, ids, capacity, &n, &err));
  q3g_tokenizer_free(tokenizer);
  return n;
}

int is_near(double a, double b) { return fabs(a - b) <= 1e-4; }

int is_same_prompt(const q3g_token_verdict* a, const q3g_token_verdict* b) {
  int is_same =
      a->id == b->id && a->position == b->position && a->source == b->source && a->counts == b->counts;
  is_same = is_same && is_near(a->p_safe, b->p_safe) && is_near(a->p_controversial, b->p_controversial) &&
            is_near(a->p_unsafe, b->p_unsafe);
  for (int i = 0; i < Q3G_CATEGORY_COUNT; ++i)
    is_same = is_same && is_near(a->category_probabilities[i], b->category_probabilities[i]);
  return is_same;
}

int is_same_token(const q3g_token_verdict* a, const q3g_token_verdict* b) {
  return is_same_prompt(a, b) && a->byte_begin == b->byte_begin && a->byte_end == b->byte_end;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } parts[] = {
    {"values", values_part},
    {"models", models_part},
    {"memory", memory_part},
    {"classify", classify_part},
    {"policy", policy_part},
    {"tokenizer", tokenizer_part},
    {"stream", stream_part},
    {"stream_past", stream_past_part},
    {"batch", batch_part},
    {"hold_back", hold_back_part},
    {"generator", generator_part},
    {"packing", packing_part},
    {"host", host_part},
#if !defined(_WIN32)
    {"cancel", cancel_part},
    {"lifetime", lifetime_part},
    {"stack", stack_part},
#endif
  };
  if (argc != 3) {
    printf("usage: %s PART FOLDER\n", argv[0]);
    return 2;
  }
  folder = argv[2];
  for (size_t i = 0; i < COUNT(parts); ++i) {
    if (strcmp(parts[i].name, argv[1]) != 0) continue;
    parts[i].run();
    printf("%s: %d checks, %d failed\n", argv[1], n_checks(), n_failed_checks());
    // A part that checked nothing has not run.
    return n_failed_checks() != 0 || n_checks() == 0;
  }
  printf("no part %s\n", argv[1]);
  return 2;
}
