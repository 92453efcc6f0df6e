// SPDX-License-Identifier: Apache-2.0
// The parts of abi_c11_test, and what they share.
#ifndef QWEN3GUARD_TESTS_CAPI_ABI_C11_H
#define QWEN3GUARD_TESTS_CAPI_ABI_C11_H

#include <stdlib.h>
#include <string.h>

#include "check.h"

// Every part is a test of its own: abi_c11_test PART FOLDER.
void values_part(void);
void models_part(void);
void memory_part(void);
void classify_part(void);
void policy_part(void);
void tokenizer_part(void);
void stream_part(void);
void stream_past_part(void);
void batch_part(void);
void hold_back_part(void);
void generator_part(void);
void packing_part(void);
void cancel_part(void);
void host_part(void);
void lifetime_part(void);
void stack_part(void);

/// A file name in the folder that the test may write to, for one use of it at a time.
const char* in_folder(const char* name);

q3g_guard* open_gen(void);
q3g_guard* open_stream_model(void);

/// Tokens of a text; returns how many. Ends the program when they do not fit.
size_t tokens_of(const q3g_guard* guard, const char* text, int32_t special, int32_t* ids, size_t capacity);

/// Equal but for rounding: the same text judged in other matrix shapes.
int is_near(double a, double b);
int is_same_token(const q3g_token_verdict* a, const q3g_token_verdict* b);
/// Verdicts on prompts; which bytes of the prompt one is said to come from depends on the function.
int is_same_prompt(const q3g_token_verdict* a, const q3g_token_verdict* b);

#endif  // QWEN3GUARD_TESTS_CAPI_ABI_C11_H
