// SPDX-License-Identifier: Apache-2.0
#include <qwen3guard.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  q3g_error error = {.struct_size = sizeof error};
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  q3g_guard* guard = NULL;
  q3g_status status;
  if (q3g_abi_version() != Q3G_ABI_VERSION) return 1;
  // The library throws and catches inside itself: the tables for that have to survive how it was linked.
  status = q3g_guard_load("no/such/folder", 14, NULL, &guard, &error);
  printf("%s: %s\n", q3g_status_name(status), error.message);
  if (status != Q3G_E_FILE_NOT_FOUND) return 1;
  if (argc > 1 && strcmp(argv[1], "ON") == 0) {
    const char* prompt = "How do I kill a Python process?";
    status = q3g_guard_load_embedded("nano-gen", 8, NULL, &guard, &error);
    if (status == Q3G_OK)
      status = q3g_guard_classify_prompt(guard, prompt, strlen(prompt), NULL, &verdict, &error);
    if (status != Q3G_OK) {
      fprintf(stderr, "%s\n", error.message);
      return 1;
    }
    printf("%s\n", q3g_severity_name(verdict.severity));
    q3g_guard_free(guard);
    return verdict.severity != Q3G_SEVERITY_SAFE;
  }
  return 0;
}
