// SPDX-License-Identifier: Apache-2.0
#include <qwen3guard.h>
#include <stdio.h>

int main(void) {
  q3g_error error = {.struct_size = sizeof error};
  q3g_guard* guard = NULL;
  const q3g_status status = q3g_guard_load("no/such/folder", 14, NULL, &guard, &error);
  printf("qwen3guard %s: %s\n", q3g_version(), error.message);
  return q3g_abi_version() != Q3G_ABI_VERSION || status != Q3G_E_FILE_NOT_FOUND;
}
