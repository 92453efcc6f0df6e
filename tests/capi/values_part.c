// SPDX-License-Identifier: Apache-2.0
// Versions, names, defaults, flags, and the pure functions: actions and policies.
#include <math.h>
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
  CHECK(classify.decoder == Q3G_DECODER_CONSTRAINED && classify.mode == Q3G_MODE_STRICT);
  CHECK(classify.invalid_utf8 == Q3G_INVALID_UTF8_REJECT && classify.cancel == NULL);
  CHECK(classify.policy == NULL && classify.thinking == Q3G_THINKING_NONE);
  CHECK(classify.flag_threshold == -1 && classify.block_threshold == -1 && classify.progress == NULL);
  q3g_stream_options stream;
  CHECK_OK(q3g_stream_options_init(&stream, sizeof stream));
  CHECK(stream.max_tokens == 0 && stream.policy == NULL && stream.context == Q3G_CONTEXT_ERROR);
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

static void actions(void) {
  int32_t action = -1;
  CHECK_OK(q3g_decide_action(NULL, Q3G_SEVERITY_SAFE, 0.5F, 0.3F, 0.2F, &action, &err));
  CHECK(action == Q3G_ACTION_ALLOW);
  CHECK_OK(q3g_decide_action(NULL, Q3G_SEVERITY_NOT_JUDGED, 1, 0, 0, &action, &err));
  CHECK(action == Q3G_ACTION_NONE);
  CHECK_OK(q3g_decide_action(NULL, Q3G_SEVERITY_CONTROVERSIAL, 0.5F, 0.3F, 0.2F, &action, &err));
  CHECK(action == Q3G_ACTION_BLOCK);
  q3g_classify_options options;
  CHECK_OK(q3g_classify_options_init(&options, sizeof options));
  options.mode = Q3G_MODE_LOOSE;
  CHECK_OK(q3g_decide_action(&options, Q3G_SEVERITY_CONTROVERSIAL, 0.5F, 0.3F, 0.2F, &action, &err));
  CHECK(action == Q3G_ACTION_FLAG);
  options.mode = Q3G_MODE_STRICT;
  options.flag_threshold = 0.4F;
  options.block_threshold = 0.6F;
  CHECK_OK(q3g_decide_action(&options, Q3G_SEVERITY_SAFE, 0.5F, 0.3F, 0.2F, &action, &err));
  CHECK(action == Q3G_ACTION_FLAG);
  options.block_threshold = 0.3F;
  CHECK_FAILS(q3g_decide_action(&options, Q3G_SEVERITY_SAFE, 0.5F, 0.3F, 0.2F, &action, &err),
              Q3G_E_INVALID_ARGUMENT);
  CHECK(action == Q3G_ACTION_FLAG);
  const float bad[] = {-0.1F, 1.1F, (float)INFINITY, (float)NAN};
  for (size_t i = 0; i < COUNT(bad) * 3; ++i) {
    float p[] = {0.5F, 0.3F, 0.2F};
    p[i % 3] = bad[i / 3];
    CHECK_FAILS(q3g_decide_action(NULL, Q3G_SEVERITY_SAFE, p[0], p[1], p[2], &action, &err),
                Q3G_E_INVALID_ARGUMENT);
  }
}

/// A token that is `severity` for certain, of the violent category.
static q3g_token_verdict token(int32_t position, int32_t severity) {
  q3g_token_verdict out = {.struct_size = sizeof out, .severity = severity, .position = position};
  out.p_safe = severity == Q3G_SEVERITY_SAFE ? 1 : 0;
  out.p_controversial = severity == Q3G_SEVERITY_CONTROVERSIAL ? 1 : 0;
  out.p_unsafe = severity == Q3G_SEVERITY_UNSAFE ? 1 : 0;
  out.category_probabilities[Q3G_CATEGORY_VIOLENT] = 1;
  out.id = 100 + position;
  out.source = Q3G_SOURCE_HEADS;
  out.counts = out.is_settled = 1;
  out.byte_begin = 10 * position;
  out.byte_end = out.byte_begin + 10;
  return out;
}

static void policies(void) {
  q3g_policy policy;
  NEED(q3g_policy_init(&policy, sizeof policy) == Q3G_OK);
  CHECK(policy.run_rule == Q3G_RUN_RULE_PUBLISHED);
  CHECK(policy.consecutive_tokens == 2 && policy.category_mask == (1U << Q3G_CATEGORY_COUNT) - 1);
  CHECK_OK(q3g_policy_check(&policy, &err));
  CHECK_OK(q3g_policy_check(NULL, &err));
  q3g_token_verdict tokens[] = {token(0, Q3G_SEVERITY_SAFE), token(1, Q3G_SEVERITY_UNSAFE),
                                token(2, Q3G_SEVERITY_UNSAFE), token(3, Q3G_SEVERITY_SAFE)};
  q3g_decision decision = {.struct_size = sizeof decision};
  NEED_OK(q3g_policy_decide(NULL, tokens, COUNT(tokens), 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.position == 2 && decision.n_run_tokens == 2);
  CHECK(decision.reason == Q3G_REASON_RUN && decision.is_flagged == 1 && decision.has_token == 1);
  CHECK(decision.run_byte_begin == 10 && decision.byte_begin == 20 && decision.byte_end == 30);
  CHECK(decision.is_complete == 1 && decision.unjudged_begin == decision.unjudged_end);
  CHECK(decision.is_settled == 1 && decision.p_unsafe == 1 && decision.p_safe == 0);
  CHECK(decision.token_id == 102 && decision.category == Q3G_CATEGORY_VIOLENT);
  CHECK(!tokens[0].is_flagged && !tokens[1].is_flagged && tokens[2].is_flagged && tokens[3].is_flagged);
  CHECK(tokens[3].id == 103 && tokens[3].struct_size == sizeof tokens[3]);

  char text[256];
  size_t n = 0;
  CHECK_FAILS(q3g_decision_explain(&decision, text, 3, &n, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n > 3 && n < sizeof text);
  NEED_OK(q3g_decision_explain(&decision, text, sizeof text - 1, &n, &err));
  text[n] = '\0';
  CHECK(strstr(text, "Unsafe") != NULL && strstr(text, "Violent") != NULL);

  // What raised the flag may change yet, and the sentence says so.
  q3g_token_verdict provisional[] = {tokens[1], tokens[2]};
  provisional[1].is_settled = 0;
  NEED_OK(q3g_policy_decide(NULL, provisional, 2, 0, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.is_settled == 0);
  NEED_OK(q3g_decision_explain(&decision, text, sizeof text - 1, &n, &err));
  text[n] = '\0';
  CHECK(strstr(text, "provisionally") != NULL);

  // Without tokens, and behind one that was not judged, nothing is Safe.
  NEED_OK(q3g_policy_decide(NULL, NULL, 0, 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_NOT_JUDGED && decision.is_complete == 0);
  q3g_token_verdict unread[] = {tokens[0], tokens[3]};
  unread[1].source = Q3G_SOURCE_NONE;
  unread[1].severity = Q3G_SEVERITY_NOT_JUDGED;
  NEED_OK(q3g_policy_decide(NULL, unread, 2, 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_NOT_JUDGED && decision.is_complete == 0);
  CHECK(decision.unjudged_begin == 30 && decision.unjudged_end == 40);

  // The script wants one severity, the report none that is Safe.
  q3g_token_verdict mixed[] = {token(0, Q3G_SEVERITY_UNSAFE), token(1, Q3G_SEVERITY_CONTROVERSIAL)};
  NEED_OK(q3g_policy_decide(&policy, mixed, 2, 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_SAFE);
  policy.run_rule = Q3G_RUN_RULE_REPORT;
  NEED_OK(q3g_policy_decide(&policy, mixed, 2, 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.token_severity == Q3G_SEVERITY_CONTROVERSIAL);
  CHECK(decision.reason == Q3G_REASON_MIXED_RUN && decision.position == 1 && decision.n_run_tokens == 2);
  NEED_OK(q3g_decision_explain(&decision, text, sizeof text - 1, &n, &err));
  text[n] = '\0';
  CHECK(strstr(text, "each Unsafe or Controversial") != NULL);
  policy.run_rule = 2;
  CHECK_FAILS(q3g_policy_check(&policy, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "run_rule") != NULL);
  policy.run_rule = Q3G_RUN_RULE_PUBLISHED;

  policy.consecutive_tokens = 3;
  CHECK_OK(q3g_policy_decide(&policy, tokens, COUNT(tokens), 0, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_SAFE && decision.position == -1 && decision.has_token == 0);
  CHECK(!tokens[2].is_flagged);
  int32_t severity = -1;
  CHECK_OK(q3g_policy_counted_severity(NULL, &tokens[1], &severity, &err));
  CHECK(severity == Q3G_SEVERITY_UNSAFE);
  policy.category_mask &= ~(1U << Q3G_CATEGORY_VIOLENT);
  CHECK_OK(q3g_policy_counted_severity(&policy, &tokens[1], &severity, &err));
  CHECK(severity == Q3G_SEVERITY_SAFE);
  policy.consecutive_tokens = 0;
  CHECK_FAILS(q3g_policy_check(&policy, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "consecutive_tokens") != NULL);
}

void values_part(void) {
  names();
  parsing();
  defaults();
  flags();
  actions();
  policies();
}
