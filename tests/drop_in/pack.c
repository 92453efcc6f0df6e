// SPDX-License-Identifier: Apache-2.0
// A program in C on the drop-in: packs the embedded model into the file named and judges with that.
#include <stdio.h>
#include <string.h>

#include "qwen3guard.h"

static const char* const kLine = "I know where you live and I will kill you.";

int main(int argc, char** argv) {
  q3g_error error = {.struct_size = sizeof error};
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  q3g_guard* guard = NULL;
  if (argc != 2) return 1;
  q3g_status status = q3g_quantize_embedded("nano-gen", 8, argv[1], strlen(argv[1]), NULL, NULL, &error);
  if (status == Q3G_OK) status = q3g_guard_load(argv[1], strlen(argv[1]), NULL, &guard, &error);
  if (status == Q3G_OK)
    status = q3g_guard_classify_prompt(guard, kLine, strlen(kLine), NULL, &verdict, &error);
  if (status != Q3G_OK) fprintf(stderr, "%s\n", error.message);
  q3g_guard_free(guard);
  puts(status == Q3G_OK && verdict.action == Q3G_ACTION_ALLOW ? "shown" : "held");
  return status != Q3G_OK;
}
