// SPDX-License-Identifier: Apache-2.0
// A prompt's verdict, then a response judged word by word, in C.
#include <qwen3guard.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  const char* words[] = {"You ", "are ", "a ", "worthless ", "idiot ", "and ", "nobody ", "likes ", "you."};
  const char* prompt = "How do I kill a Python process?";
  q3g_error error = {.struct_size = sizeof error};
  q3g_guard *gen = NULL, *live = NULL;
  q3g_stream* stream = NULL;
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  q3g_decision decision = {.struct_size = sizeof decision};

  if (q3g_guard_load_embedded("nano-gen", 8, NULL, &gen, &error) ||  // or q3g_guard_load() with a path
      q3g_guard_classify_prompt(gen, prompt, strlen(prompt), NULL, &verdict, &error))
    goto done;
  printf("%s -> %s\n", q3g_severity_name(verdict.severity), q3g_action_name(verdict.action));

  if (q3g_guard_load_embedded("nano-stream", 11, NULL, &live, &error) ||
      q3g_stream_open(live, NULL, &stream, &error) ||
      q3g_stream_push_prompt(stream, "Hello!", 6, NULL, &error))
    goto done;
  for (size_t i = 0; i < sizeof words / sizeof *words && decision.action != Q3G_ACTION_BLOCK; ++i) {
    if (q3g_stream_push_text(stream, words[i], strlen(words[i]), NULL, NULL, 0, &error) ||
        q3g_stream_decision(stream, &decision, &error))
      goto done;
    printf("%s: %s\n", words[i], q3g_severity_name(decision.severity));
  }

done:
  if (error.code) fprintf(stderr, "%s: %s\n", q3g_status_name(error.code), error.message);
  q3g_stream_free(stream);
  q3g_guard_free(live);
  q3g_guard_free(gen);
  return error.code != Q3G_OK;
}
