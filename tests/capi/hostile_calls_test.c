// SPDX-License-Identifier: Apache-2.0
// Whatever a caller gets wrong is an error and no crash, and changes nothing: hostile_calls_test FOLDER
// [FUNCTION].
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "hostile.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    printf("usage: %s FOLDER [FUNCTION]\n", argv[0]);
    return 2;
  }
  int n_failed = 0, n_cases = 0, n_functions = 0;
  open_fixture(argv[1]);
  for (size_t i = 0; i < n_all_functions; ++i) {
    if (argc > 2 && strcmp(argv[2], all_functions[i].name) != 0) continue;
    // The last line before a crash says where it was.
    printf("%s\n", all_functions[i].name);
    fflush(stdout);
    n_failed += attack_function(&all_functions[i], &n_cases);
    ++n_functions;
  }
  for (size_t i = 0; i < n_all_inits; ++i) {
    if (argc > 2 && strcmp(argv[2], all_inits[i].name) != 0) continue;
    n_failed += attack_init(&all_inits[i], &n_cases);
    ++n_functions;
  }
  close_fixture();
  printf("%d functions, %d cases, %d failed\n", n_functions, n_cases, n_failed);
  // Ten cases a function are too few to have been all.
  return n_failed != 0 || n_failed_checks() != 0 || (argc == 2 && n_cases < 10 * n_functions);
}
