// SPDX-License-Identifier: Apache-2.0
// Versions, names, defaults and flags.
#include <stdio.h>

#include "abi_c11.h"

static void names(void) {
  CHECK(q3g_abi_version() == Q3G_ABI_VERSION);
  int major = -1, minor = -1, patch = -1;
  CHECK(sscanf(q3g_version(), "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK_TEXT(q3g_status_name(Q3G_OK), "ok");
  CHECK_TEXT(q3g_status_name(Q3G_E_BAD_CHECKPOINT), "bad_checkpoint");
  CHECK_TEXT(q3g_status_name(Q3G_E_CANCELLED), "cancelled");
  CHECK_TEXT(q3g_status_name(Q3G_E_BUDGET_EXCEEDED), "budget_exceeded");
  CHECK_TEXT(q3g_status_name(Q3G_E_BUFFER_TOO_SMALL), "buffer_too_small");
  CHECK_TEXT(q3g_status_name(Q3G_E_BAD_HANDLE), "bad_handle");
  for (q3g_status status = Q3G_E_INVALID_ARGUMENT; status <= Q3G_E_BUDGET_EXCEEDED; ++status)
    CHECK(strcmp(q3g_status_name(status), "unknown") != 0);
  CHECK_TEXT(q3g_severity_name(Q3G_SEVERITY_UNSAFE), "Unsafe");
  CHECK_TEXT(q3g_category_name(Q3G_CATEGORY_SEXUAL_CONTENT), "Sexual Content or Sexual Acts");
  CHECK_TEXT(q3g_action_name(Q3G_ACTION_BLOCK), "block");
  CHECK_TEXT(q3g_rule_name(Q3G_RULE_NONE), "none");
  CHECK_TEXT(q3g_rule_name(Q3G_RULE_CATEGORY_OFF), "category_off");
  CHECK_TEXT(q3g_rule_name(Q3G_RULE_NOT_JUDGED), "not_judged");
  for (int32_t rule = Q3G_RULE_NONE; rule <= Q3G_RULE_NOT_JUDGED; ++rule)
    CHECK(strcmp(q3g_rule_name(rule), "unknown") != 0);
  CHECK_TEXT(q3g_role_name(Q3G_ROLE_ASSISTANT), "assistant");
  CHECK_TEXT(q3g_role_name(Q3G_ROLE_TOOL), "tool");
  CHECK_TEXT(q3g_source_name(Q3G_SOURCE_HEADS), "heads");
  CHECK_TEXT(q3g_reason_name(Q3G_REASON_END_OF_TURN), "end_of_turn");
  CHECK_TEXT(q3g_reason_name(Q3G_REASON_NONE), "none");
  CHECK_TEXT(q3g_reason_name(Q3G_REASON_RUN), "run");
  CHECK_TEXT(q3g_reason_name(Q3G_REASON_WRITTEN), "written");
  CHECK_TEXT(q3g_reason_name(Q3G_REASON_MIXED_RUN), "mixed_run");
  static const int32_t strange[] = {-1, 99, 1000, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < COUNT(strange); ++i) {
    CHECK_TEXT(q3g_status_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_severity_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_category_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_action_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_rule_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_role_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_source_name(strange[i]), "unknown");
    CHECK_TEXT(q3g_reason_name(strange[i]), "unknown");
  }
}

/// Registered before the first name is asked for, so that it runs after what the library destroys at exit.
static void names_at_exit(void) {
  const char* name = q3g_embedded_model_name(0);
  if (name == NULL || strcmp(name, "nano-gen") != 0) _Exit(1);
}

static void parsing(void) {
  int32_t value = -7;
  for (int32_t i = Q3G_SEVERITY_SAFE; i <= Q3G_SEVERITY_UNSAFE; ++i) {
    const char* name = q3g_severity_name(i);
    CHECK_OK(q3g_parse_severity(name, strlen(name), &value, &err));
    CHECK(value == i);
  }
  for (int32_t i = 0; i < Q3G_CATEGORY_COUNT; ++i) {
    const char* name = q3g_category_name(i);
    CHECK_OK(q3g_parse_category(name, strlen(name), &value, &err));
    CHECK(value == i);
  }
  CHECK_OK(q3g_parse_category(TEXT("Personally Identifiable Information"), &value, &err));
  CHECK(value == Q3G_CATEGORY_PII);
  CHECK_FAILS(q3g_parse_severity(TEXT("unsafe"), &value, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(err.code == Q3G_E_INVALID_ARGUMENT);
  CHECK_TEXT(err.message, "q3g_parse_severity: no such name: \"unsafe\"");
  CHECK(value == Q3G_CATEGORY_PII);
  CHECK_FAILS(q3g_parse_category(NULL, 0, &value, NULL), Q3G_E_INVALID_ARGUMENT);
  NEED(atexit(names_at_exit) == 0);
  CHECK_TEXT(q3g_embedded_model_name(0), "nano-gen");
  CHECK_TEXT(q3g_embedded_model_name(1), "nano-stream");
  CHECK(q3g_embedded_model_name(2) == NULL);
  CHECK(q3g_embedded_model_name(SIZE_MAX) == NULL);
}

static void defaults(void) {
  q3g_guard_options guard;
  CHECK_OK(q3g_guard_options_init(&guard, sizeof guard));
  CHECK(guard.struct_size == sizeof guard && guard.n_threads == 0 && guard.max_context_tokens == 0);
  CHECK(guard.kept_tokens == 768 && guard.require_tokenizer == 1);
  CHECK(guard.verify == Q3G_VERIFY_AUTOMATIC);
  CHECK(guard.unknown_template == Q3G_UNKNOWN_TEMPLATE_REPORT && guard.known_template == NULL);
  CHECK(guard.isa == NULL && guard.allocator == NULL && guard.log == NULL && guard.log_user == NULL);
  q3g_classify_options classify;
  CHECK_OK(q3g_classify_options_init(&classify, sizeof classify));
  CHECK(classify.decoder == Q3G_DECODER_CONSTRAINED && classify.progress == NULL);
  CHECK(classify.invalid_utf8 == Q3G_INVALID_UTF8_REJECT && classify.cancel == NULL);
  CHECK(classify.policy == NULL && classify.thinking == Q3G_THINKING_NONE);
  CHECK(classify.dropped_messages == Q3G_FROM_POLICY && classify.long_text == Q3G_FROM_POLICY);
  q3g_stream_options stream;
  CHECK_OK(q3g_stream_options_init(&stream, sizeof stream));
  CHECK(stream.max_tokens == 0 && stream.policy == NULL && stream.context == Q3G_FROM_POLICY);
  CHECK(stream.dropped_messages == Q3G_FROM_POLICY);
  CHECK(stream.invalid_utf8 == Q3G_INVALID_UTF8_REJECT && stream.thinking == Q3G_THINKING_NONE);
  CHECK(stream.judge_unsettled == 1 && stream.gen_interval_tokens == 32 && stream.cancel == NULL);
  CHECK(stream.allow_control_ids == 0);
  q3g_batch_options batch;
  CHECK_OK(q3g_batch_options_init(&batch, sizeof batch));
  CHECK(batch.max_step_tokens == 256 && batch.max_session_tokens == 64 && batch.memory_budget_bytes == 0);
  CHECK(batch.max_waiting_bytes == 262144 && batch.default_deadline_ms == 100);
  q3g_sampling_options sampling;
  CHECK_OK(q3g_sampling_options_init(&sampling, sizeof sampling));
  CHECK(is_near(sampling.temperature, 0.7) && sampling.top_k == 20 && is_near(sampling.top_p, 0.8));
  q3g_quantize_options quantize;
  CHECK_OK(q3g_quantize_options_init(&quantize, sizeof quantize));
  CHECK(quantize.type == Q3G_PACKED_INT8 && quantize.group_size == -1 && quantize.overwrite == 0);
  CHECK(quantize.keep_prefix == 0 && quantize.n_threads == 0 && quantize.progress == NULL);
}

static void flags(void) {
  q3g_cancel* cancel = NULL;
  NEED_OK(q3g_cancel_new(&cancel, &err));
  CHECK(q3g_cancel_is_set(cancel) == 0);
  CHECK(q3g_cancel_set(cancel) == Q3G_OK);
  CHECK(q3g_cancel_is_set(cancel) == 1);
  CHECK(q3g_cancel_reset(cancel) == Q3G_OK);
  CHECK(q3g_cancel_is_set(cancel) == 0);
  q3g_cancel_free(cancel);
  CHECK(q3g_cancel_set(NULL) == Q3G_E_BAD_HANDLE);
  CHECK(q3g_cancel_reset(NULL) == Q3G_E_BAD_HANDLE);
  CHECK(q3g_cancel_is_set(NULL) == 0);
  q3g_cancel_free(NULL);
}

void values_part(void) {
  names();
  parsing();
  defaults();
  flags();
}
