// SPDX-License-Identifier: Apache-2.0
// What else the host program does: it speaks German.
#include <locale.h>
#include <stdio.h>

#include "abi_c11.h"

void host_part(void) {
  char text[256];
  snprintf(text, sizeof text, "%.1f", 0.5);
  if (setlocale(LC_ALL, "de_DE.UTF-8") != NULL) snprintf(text, sizeof text, "%.1f", 0.5);
  if (strcmp(text, "0,5") != 0) {
    printf("no German locale here\n");
    exit(77);
  }
  q3g_guard* guard = open_stream_model();
  q3g_stream* stream = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &stream, &err));
  NEED_OK(q3g_stream_push_prompt(stream, TEXT("Hello!"), NULL, &err));
  NEED_OK(q3g_stream_push_text(stream, TEXT("You are a worthless idiot and nobody likes you."), NULL, NULL, 0,
                               &err));
  q3g_decision decision = {.struct_size = sizeof decision};
  NEED_OK(q3g_stream_decision(stream, &decision, &err));
  NEED(decision.severity == Q3G_SEVERITY_UNSAFE);
  size_t n = 0;
  NEED_OK(q3g_decision_explain(&decision, text, sizeof text - 1, &n, &err));
  text[n] = '\0';
  CHECK(strstr(text, "P(Unsafe) 0.") != NULL);
  // Numbers that are written, and that are read: a policy, a checkpoint's config, in the library and from a
  // folder.
  static const char kPolicy[] =
      "{\"schema\": 1, \"name\": \"n\", \"version\": \"1\", \"prompt\": {\"temperature\": 1.5}}";
  q3g_policy* policy = NULL;
  NEED_OK(q3g_policy_parse(TEXT(kPolicy), &policy, &err));
  static char json[8192];
  NEED_OK(q3g_policy_to_json(policy, json, sizeof json - 1, &n, &err));
  json[n] = '\0';
  CHECK(strstr(json, "\"temperature\": 1.5") != NULL);
  q3g_policy_free(policy);
  static const char kFolder[] = Q3G_TEST_DIR "/golden/models/gen_gqa2_bf16";
  q3g_guard_options options;
  NEED_OK(q3g_guard_options_init(&options, sizeof options));
  options.require_tokenizer = 0;
  q3g_guard* folder = NULL;
  CHECK_OK(q3g_guard_load(kFolder, sizeof kFolder - 1, &options, &folder, &err));
  q3g_guard_free(folder);
  q3g_stream_free(stream);
  q3g_guard_free(guard);
}
