// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

q3g_error err = {.struct_size = sizeof(q3g_error)};

// Threads check, too.
static atomic_int n_done, n_failed;

static int count(int is_right) {
  ++n_done;
  n_failed += !is_right;
  return is_right;
}

void check_true(const char* file, int line, const char* what, int is_true) {
  if (!count(is_true)) printf("%s:%d: failed: %s\n", file, line, what);
}

void check_status(const char* file, int line, const char* what, q3g_status status, q3g_status expected) {
  if (count(status == expected)) return;
  printf("%s:%d: %s instead of %s: %s\n  %s\n", file, line, q3g_status_name(status),
         q3g_status_name(expected), what, err.message);
}

void check_text(const char* file, int line, const char* what, const char* text, const char* expected) {
  if (count(text != NULL && strcmp(text, expected) == 0)) return;
  printf("%s:%d: \"%s\" instead of \"%s\": %s\n", file, line, text == NULL ? "(NULL)" : text, expected, what);
}

void stop_if_failed(void) {
  if (n_failed == 0) return;
  printf("the rest is left out\n");
  exit(1);
}

int n_failed_checks(void) { return n_failed; }
int n_checks(void) { return n_done; }
