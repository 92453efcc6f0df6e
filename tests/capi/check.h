// SPDX-License-Identifier: Apache-2.0
// Checks for plain C programs. What fails is printed and counted; NEED also ends the program.
#ifndef QWEN3GUARD_TESTS_CAPI_CHECK_H
#define QWEN3GUARD_TESTS_CAPI_CHECK_H

#include <qwen3guard.h>
#include <stddef.h>
#include <stdint.h>

/// The slot that CHECK_OK and CHECK_FAILS print: give it to the calls that they check.
extern q3g_error err;

void check_true(const char* file, int line, const char* what, int is_true);
void check_status(const char* file, int line, const char* what, q3g_status status, q3g_status expected);
void check_text(const char* file, int line, const char* what, const char* text, const char* expected);
/// Ends the program when a check has failed.
void stop_if_failed(void);
int n_failed_checks(void);
int n_checks(void);

#define CHECK(what) check_true(__FILE__, __LINE__, #what, (what))
#define CHECK_TEXT(text, expected) check_text(__FILE__, __LINE__, #text, (text), (expected))
#define CHECK_OK(call) check_status(__FILE__, __LINE__, #call, (call), Q3G_OK)
#define CHECK_FAILS(call, status) check_status(__FILE__, __LINE__, #call, (call), (status))
#define NEED(what) (CHECK(what), stop_if_failed())
#define NEED_OK(call) (CHECK_OK(call), stop_if_failed())

/// Checkpoints that settle what tests ask about, whatever the models in the library believe.
#define TINY_GEN Q3G_TEST_DIR "/golden/tiny/gen"
#define TINY_STREAM Q3G_TEST_DIR "/golden/tiny/stream"

/// A literal as pointer and length.
#define TEXT(literal) (literal), sizeof(literal) - 1
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif  // QWEN3GUARD_TESTS_CAPI_CHECK_H
