// SPDX-License-Identifier: Apache-2.0
// Policies: documents, what they rule, what was not judged, and how long they live.
#include <stdio.h>

#include "abi_c11.h"

#define ASK "How do I kill a Python process?"
#define THREAT "You are a worthless idiot and I will burn your house down, kill yourself."
/// A document with these parts.
#define DOCUMENT(parts) "{\"schema\": 1, \"name\": \"test\", \"version\": \"7\"" parts "}"
#define OFF(category) "\"" category "\": \"off\""
#define OFF_IN_RESPONSES \
  OFF("Violent")         \
  ", " OFF("Non-violent Illegal Acts") ", " OFF("Sexual Content or Sexual Acts") ", " OFF(                   \
      "PII") ", " OFF("Suicide & Self-Harm") ", " OFF("Unethical Acts") ", " OFF("Politically Sensitive Topics") ", " OFF("Copyright Violation")
#define ALL_OFF                                                \
  DOCUMENT(", \"prompt\": {\"categories\": {" OFF_IN_RESPONSES \
           ", " OFF("Jailbreak") "}}, \"response\": {\"categories\": {" OFF_IN_RESPONSES "}}")

enum { kJsonBytes = 8192 };

static q3g_policy* parsed(const char* json) {
  q3g_policy* out = NULL;
  NEED_OK(q3g_policy_parse(json, strlen(json), &out, &err));
  return out;
}

static q3g_policy* preset(const char* name) {
  q3g_policy* out = NULL;
  NEED_OK(q3g_policy_preset(name, strlen(name), &out, &err));
  return out;
}

static const char* json_of(const q3g_policy* policy) {
  static char text[kJsonBytes];
  size_t n = 0;
  NEED_OK(q3g_policy_to_json(policy, text, sizeof text - 1, &n, &err));
  text[n] = '\0';
  return text;
}

static q3g_verdict empty(void) {
  q3g_verdict out = {.struct_size = sizeof out};
  return out;
}

/// Bit for bit.
static int is_same_ruling(const q3g_verdict* a, const q3g_verdict* b) {
  return a->action == b->action && a->rule == b->rule && a->rule_category == b->rule_category &&
         a->rule_phrase == b->rule_phrase && a->rule_position == b->rule_position &&
         a->rule_is_settled == b->rule_is_settled &&
         memcmp(&a->rule_score, &b->rule_score, sizeof a->rule_score) == 0 &&
         a->rule_byte_begin == b->rule_byte_begin && a->rule_byte_end == b->rule_byte_end &&
         strcmp(a->policy_name, b->policy_name) == 0 && strcmp(a->policy_version, b->policy_version) == 0;
}

static void presets_and_files(void) {
  static const char* const kNames[] = {"strict", "loose", "chat-game", "assistant"};
  const char* file = in_folder("policy.json");
  static char kept[kJsonBytes], words[kJsonBytes];
  for (size_t i = 0; i < COUNT(kNames); ++i) {
    CHECK_TEXT(q3g_policy_preset_name(i), kNames[i]);
    q3g_policy* policy = preset(kNames[i]);
    strcpy(kept, json_of(policy));
    CHECK(strstr(kept, kNames[i]) != NULL);
    size_t n = 0;
    NEED_OK(q3g_policy_describe(policy, words, sizeof words, &n, &err));
    CHECK(n > 0 && memchr(words, '\n', n) != NULL && memchr(words, '\0', n) == NULL);
    q3g_policy_free(policy);

    FILE* out = fopen(file, "wb");
    NEED(out != NULL && fwrite(kept, 1, strlen(kept), out) == strlen(kept) && fclose(out) == 0);
    q3g_policy *loaded = NULL, *again = parsed(kept);
    NEED_OK(q3g_policy_load(file, strlen(file), &loaded, &err));
    CHECK_TEXT(json_of(loaded), kept);
    CHECK_TEXT(json_of(again), kept);
    q3g_policy_free(loaded);
    q3g_policy_free(again);
  }
  remove(file);
  CHECK(q3g_policy_preset_name(COUNT(kNames)) == NULL && q3g_policy_preset_name(SIZE_MAX) == NULL);
  CHECK(strstr(json_of(NULL), "\"name\": \"default\"") != NULL);
  q3g_policy* none = NULL;
  CHECK_FAILS(q3g_policy_preset(TEXT("lenient"), &none, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "chat-game") != NULL && none == NULL);
  CHECK_FAILS(q3g_policy_load(TEXT("no/such/file.json"), &none, &err), Q3G_E_FILE_NOT_FOUND);
  q3g_policy_free(NULL);
}

static void buffers(void) {
  static char text[kJsonBytes];
  q3g_policy* policy = preset("assistant");
  size_t n = 0, n_words = 0;
  CHECK_FAILS(q3g_policy_to_json(policy, NULL, 0, &n, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK_FAILS(q3g_policy_describe(policy, NULL, 0, &n_words, &err), Q3G_E_BUFFER_TOO_SMALL);
  NEED(n > 0 && n < sizeof text && n_words > 0 && n_words < sizeof text);
  memset(text, '#', sizeof text);
  const size_t needed = n;
  CHECK_FAILS(q3g_policy_to_json(policy, text, needed - 1, &n, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n == needed && text[0] == '#' && text[needed - 1] == '#');
  CHECK_OK(q3g_policy_to_json(policy, text, needed, &n, &err));
  CHECK(n == needed && text[0] == '{' && text[needed] == '#');
  CHECK_FAILS(q3g_policy_describe(policy, text, n_words - 1, &n, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n == n_words && text[0] == '{');
  q3g_policy_free(policy);
}

static void broken_documents(void) {
  static const char* const kBroken[] = {
      "",
      "{",
      "[]",
      "null",
      "1",
      "{}",
      "{\"schema\": 2, \"name\": \"a\", \"version\": \"1\"}",
      DOCUMENT(", \"mod\": \"strict\""),
      DOCUMENT(", \"name\": \"again\""),
      DOCUMENT(", \"mode\": \"lenient\""),
      DOCUMENT(", \"mode\": null"),
      DOCUMENT(", \"debounce\": {\"consecutive_tokens\": 0}"),
      DOCUMENT(", \"debounce\": {\"consecutive_tokens\": 1e30}"),
      DOCUMENT(", \"prompt\": {\"temperature\": 1e999}"),
      DOCUMENT(", \"prompt\": {\"categories\": {\"Violence\": \"off\"}}"),
      DOCUMENT(
          ", \"prompt\": {\"categories\": {\"PII\": {\"flag_threshold\": 0.9, \"block_threshold\": 0.1}}}"),
      DOCUMENT("") "x",
  };
  q3g_policy* none = NULL;
  for (size_t i = 0; i < COUNT(kBroken); ++i) {
    CHECK_FAILS(q3g_policy_parse(kBroken[i], strlen(kBroken[i]), &none, &err), Q3G_E_INVALID_ARGUMENT);
    CHECK(none == NULL && strlen(err.message) > 20);
  }
  CHECK_FAILS(q3g_policy_parse(TEXT(DOCUMENT(",\n\"mood\": 1")), &none, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, ":2:") != NULL && strstr(err.message, "mood") != NULL);
  CHECK(q3g_policy_parse(TEXT(DOCUMENT(", \"x\": \"\xFF\"")), &none, &err) != Q3G_OK);
  CHECK(q3g_policy_parse(TEXT("{\0}"), &none, &err) != Q3G_OK);
  // Every part of a good one.
  static char whole[kJsonBytes];
  q3g_policy* policy = preset("strict");
  strcpy(whole, json_of(policy));
  q3g_policy_free(policy);
  for (size_t n = 0; n + 1 < strlen(whole); n += 7)
    CHECK(q3g_policy_parse(whole, n, &none, NULL) == Q3G_E_INVALID_ARGUMENT);
  // Deep, and huge.
  enum { kMany = 4 << 20 };
  char* many = malloc(kMany);
  NEED(many != NULL);
  memset(many, '[', kMany);
  CHECK_FAILS(q3g_policy_parse(many, kMany, &none, &err), Q3G_E_INVALID_ARGUMENT);
  memset(many, ' ', kMany);
  memcpy(many, TEXT("{\"schema\": 1, \"version\": \"1\", \"name\": \""));
  memset(many + 100, 'x', kMany - 200);
  memcpy(many + kMany - 2, "\"}", 2);
  CHECK_FAILS(q3g_policy_parse(many, kMany, &none, &err), Q3G_E_INVALID_ARGUMENT);
  free(many);
  CHECK(none == NULL);
}

static void verdicts_decided_again(const q3g_guard* gen) {
  static const char* const kTexts[] = {ASK, THREAT, "Hello"};
  q3g_policy* policies[] = {NULL, preset("strict"), preset("loose"), preset("assistant"), parsed(ALL_OFF)};
  q3g_classify_options options;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  for (size_t t = 0; t < COUNT(kTexts); ++t) {
    q3g_verdict found[COUNT(policies)];
    for (size_t i = 0; i < COUNT(policies); ++i) {
      found[i] = empty();
      options.policy = policies[i];
      NEED_OK(q3g_guard_classify_prompt(gen, kTexts[t], strlen(kTexts[t]), &options, &found[i], &err));
      // A policy never changes a severity.
      CHECK(found[i].severity == found[0].severity && found[i].n_categories == found[0].n_categories);
      CHECK(found[i].rule != Q3G_RULE_NONE && found[i].rule_is_settled == 1);
    }
    CHECK(found[4].action == Q3G_ACTION_ALLOW);
    CHECK((found[4].rule == Q3G_RULE_CATEGORY_OFF) == (found[0].severity == Q3G_SEVERITY_UNSAFE));
    for (size_t i = 0; i < COUNT(policies); ++i) {
      for (size_t k = 0; k < COUNT(policies); ++k) {
        q3g_verdict stored = found[i];
        NEED_OK(q3g_policy_decide_verdict(policies[k], &stored, kTexts[t], strlen(kTexts[t]), &err));
        CHECK(is_same_ruling(&stored, &found[k]));
        CHECK(stored.latency_ms == found[i].latency_ms && stored.struct_size == sizeof stored);
      }
    }
  }
  for (size_t i = 0; i < COUNT(policies); ++i) q3g_policy_free(policies[i]);
}

static void verdicts_that_cannot_be(const q3g_guard* gen, const q3g_guard* live) {
  q3g_verdict verdict = empty(), before = empty();
  NEED_OK(q3g_guard_classify_prompt(gen, TEXT(THREAT), NULL, &before, &err));
  verdict = before;
  verdict.n_categories = Q3G_CATEGORY_COUNT + 1;
  CHECK_FAILS(q3g_policy_decide_verdict(NULL, &verdict, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(is_same_ruling(&verdict, &before));
  verdict.n_categories = -1;
  CHECK_FAILS(q3g_policy_decide_verdict(NULL, &verdict, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  verdict = before;
  verdict.severity = 9;
  CHECK_FAILS(q3g_policy_decide_verdict(NULL, &verdict, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  verdict = before;
  memcpy(verdict.policy_name, "ab\xFF", 4);
  CHECK_FAILS(q3g_policy_decide_verdict(NULL, &verdict, NULL, 0, &err), Q3G_E_INVALID_UTF8);
  CHECK(strstr(err.message, "verdict.policy_name: ill-formed UTF-8 at byte 2") != NULL);
  // A Stream model's is ruled on by its tokens.
  verdict = empty();
  NEED_OK(q3g_guard_classify_prompt(live, TEXT(THREAT), NULL, &verdict, &err));
  before = verdict;
  CHECK_FAILS(q3g_policy_decide_verdict(NULL, &verdict, TEXT(THREAT), &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(is_same_ruling(&verdict, &before));
  // What was not judged is never allowed, whatever else stands there.
  verdict = empty();
  verdict.p_safe = 1;
  verdict.action = Q3G_ACTION_ALLOW;
  verdict.rule = Q3G_RULE_SAFE;
  NEED_OK(q3g_policy_decide_verdict(NULL, &verdict, NULL, 0, &err));
  CHECK(verdict.action == Q3G_ACTION_NONE && verdict.rule == Q3G_RULE_NONE);
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

static const char* explained(const q3g_decision* decision) {
  static char text[1024];
  size_t n = 0;
  CHECK_FAILS(q3g_decision_explain(decision, text, 3, &n, &err), Q3G_E_BUFFER_TOO_SMALL);
  CHECK(n > 3 && n < sizeof text);
  NEED_OK(q3g_decision_explain(decision, text, sizeof text - 1, &n, &err));
  text[n] = '\0';
  return text;
}

static void runs_of_tokens(void) {
  const int32_t role = Q3G_ROLE_ASSISTANT;
  q3g_token_verdict tokens[] = {token(0, Q3G_SEVERITY_SAFE), token(1, Q3G_SEVERITY_UNSAFE),
                                token(2, Q3G_SEVERITY_UNSAFE), token(3, Q3G_SEVERITY_SAFE)};
  q3g_decision decision = {.struct_size = sizeof decision};
  NEED_OK(q3g_policy_decide(NULL, role, tokens, COUNT(tokens), 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.position == 2 && decision.n_run_tokens == 2);
  CHECK(decision.reason == Q3G_REASON_RUN && decision.has_token == 1);
  CHECK(decision.action == Q3G_ACTION_BLOCK && decision.ruling_action == Q3G_ACTION_BLOCK);
  CHECK(decision.rule == Q3G_RULE_SEVERITY && decision.rule_category == Q3G_CATEGORY_VIOLENT);
  CHECK(decision.rule_position == 2 && decision.rule_is_settled == 1 && decision.rule_phrase == -1);
  CHECK(decision.rule_byte_begin == 10 && decision.rule_byte_end == 30);
  CHECK_TEXT(decision.policy_name, "default");
  CHECK(decision.run_byte_begin == 10 && decision.byte_begin == 20 && decision.byte_end == 30);
  CHECK(decision.is_complete == 1 && decision.unjudged_begin == decision.unjudged_end);
  CHECK(decision.is_settled == 1 && decision.p_unsafe == 1 && decision.p_safe == 0);
  CHECK(decision.token_id == 102 && decision.category == Q3G_CATEGORY_VIOLENT);
  CHECK(tokens[1].action != Q3G_ACTION_BLOCK && tokens[2].action == Q3G_ACTION_BLOCK);
  CHECK(tokens[3].action == Q3G_ACTION_BLOCK);
  CHECK(tokens[3].id == 103 && tokens[3].struct_size == sizeof tokens[3]);
  CHECK(strstr(explained(&decision), "Unsafe") != NULL && strstr(explained(&decision), "Violent") != NULL);
  CHECK(strstr(explained(&decision), "block") != NULL);
  // A stored decision whose texts are none; one that fills its field.
  q3g_decision stored = decision;
  char text[1024];
  size_t n = 0;
  memset(stored.policy_name, 0xFF, sizeof stored.policy_name);
  CHECK_FAILS(q3g_decision_explain(&stored, text, sizeof text, &n, &err), Q3G_E_INVALID_UTF8);
  memset(stored.policy_name, 'x', sizeof stored.policy_name);
  CHECK_OK(q3g_decision_explain(&stored, text, sizeof text, &n, &err));

  // What decided may change yet, and the sentence says so.
  q3g_token_verdict provisional[] = {tokens[1], tokens[2]};
  provisional[1].is_settled = 0;
  NEED_OK(q3g_policy_decide(NULL, role, provisional, 2, 0, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.is_settled == 0);
  CHECK(decision.rule_is_settled == 0 && strstr(explained(&decision), "provisionally") != NULL);

  // The script wants one severity, the report none that is Safe.
  q3g_token_verdict mixed[] = {token(0, Q3G_SEVERITY_UNSAFE), token(1, Q3G_SEVERITY_CONTROVERSIAL)};
  NEED_OK(q3g_policy_decide(NULL, role, mixed, 2, 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_SAFE && decision.action == Q3G_ACTION_ALLOW);
  q3g_policy* report = parsed(DOCUMENT(", \"debounce\": {\"rule\": \"report\"}"));
  NEED_OK(q3g_policy_decide(report, role, mixed, 2, 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.token_severity == Q3G_SEVERITY_CONTROVERSIAL);
  CHECK(decision.reason == Q3G_REASON_MIXED_RUN && decision.position == 1 && decision.n_run_tokens == 2);
  CHECK(strstr(explained(&decision), "each Unsafe or Controversial") != NULL);
  q3g_policy_free(report);

  q3g_policy* three = parsed(DOCUMENT(", \"debounce\": {\"consecutive_tokens\": 3}"));
  CHECK_OK(q3g_policy_decide(three, role, tokens, COUNT(tokens), 0, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_SAFE && decision.position == -1 && decision.has_token == 0);
  CHECK(tokens[2].action != Q3G_ACTION_BLOCK);
  q3g_policy_free(three);

  q3g_policy* off = parsed(ALL_OFF);
  CHECK_OK(q3g_policy_decide(off, role, tokens, COUNT(tokens), 1, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.position == 2);
  CHECK(decision.action == Q3G_ACTION_ALLOW && decision.rule == Q3G_RULE_CATEGORY_OFF);
  CHECK_TEXT(decision.policy_version, "7");
  q3g_policy_free(off);
}

/// Without tokens, and behind one that was not judged, nothing is Safe, and no policy allows it.
static void tokens_not_judged(void) {
  static const char* const kPolicies[] = {DOCUMENT(""), DOCUMENT(", \"unjudged\": \"block\""), ALL_OFF};
  for (size_t i = 0; i < COUNT(kPolicies); ++i) {
    q3g_policy* policy = parsed(kPolicies[i]);
    q3g_decision decision = {.struct_size = sizeof decision};
    int32_t action = -1;
    NEED_OK(q3g_policy_unjudged_action(policy, &action, &err));
    CHECK(action == (i == 1 ? Q3G_ACTION_BLOCK : Q3G_ACTION_NONE));
    NEED_OK(q3g_policy_decide(policy, Q3G_ROLE_ASSISTANT, NULL, 0, 1, &decision, &err));
    CHECK(decision.severity == Q3G_SEVERITY_NOT_JUDGED && decision.is_complete == 0);
    CHECK(decision.action != Q3G_ACTION_ALLOW && decision.ruling_action != Q3G_ACTION_ALLOW);
    q3g_token_verdict unread[] = {token(0, Q3G_SEVERITY_SAFE), token(3, Q3G_SEVERITY_SAFE)};
    unread[1].source = Q3G_SOURCE_NONE;
    unread[1].severity = Q3G_SEVERITY_NOT_JUDGED;
    NEED_OK(q3g_policy_decide(policy, Q3G_ROLE_ASSISTANT, unread, 2, 1, &decision, &err));
    CHECK(decision.severity == Q3G_SEVERITY_NOT_JUDGED && decision.is_complete == 0);
    CHECK(decision.unjudged_begin == 30 && decision.unjudged_end == 40);
    CHECK(decision.action == action && decision.ruling_action == action);
    q3g_policy_free(policy);
  }
  int32_t action = -1;
  CHECK_OK(q3g_policy_unjudged_action(NULL, &action, &err));
  CHECK(action == Q3G_ACTION_NONE);
}

/// What failed in a batch has the policy's action on what was not judged.
static void failed_in_a_batch(const q3g_guard* guard) {
  const q3g_message messages[] = {{sizeof messages[0], Q3G_ROLE_USER, TEXT(ASK)},
                                  {sizeof messages[0], Q3G_ROLE_USER, TEXT("abc\xFF")}};
  q3g_conversation all[4] = {{0}};
  for (size_t i = 0; i < COUNT(all); ++i) all[i] = (q3g_conversation){sizeof all[i], 0, &messages[i % 2], 1};
  all[2].n_messages = 0;
  q3g_policy* policies[] = {NULL, parsed(DOCUMENT(", \"unjudged\": \"block\"")), parsed(ALL_OFF)};
  q3g_cancel* cancel = NULL;
  NEED_OK(q3g_cancel_new(&cancel, &err));
  q3g_classify_options options;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  for (size_t i = 0; i < COUNT(policies); ++i) {
    const int32_t action = i == 1 ? Q3G_ACTION_BLOCK : Q3G_ACTION_NONE;
    options.policy = policies[i];
    options.cancel = cancel;
    for (int is_cancelled = 0; is_cancelled < 2; ++is_cancelled) {
      q3g_verdict verdicts[COUNT(all)];
      memset(verdicts, 0, sizeof verdicts);
      verdicts[0].struct_size = sizeof verdicts[0];
      CHECK_OK(is_cancelled ? q3g_cancel_set(cancel) : q3g_cancel_reset(cancel));
      NEED_OK(q3g_guard_classify_batch(guard, all, COUNT(all), &options, verdicts, NULL, &err));
      CHECK((verdicts[0].status == Q3G_E_CANCELLED) == is_cancelled);
      for (size_t k = is_cancelled ? 0 : 1; k < COUNT(all); ++k) {
        const q3g_verdict* one = &verdicts[k];
        CHECK(one->status != Q3G_OK && one->severity == Q3G_SEVERITY_NOT_JUDGED && one->action == action);
        CHECK(one->rule == (i == 1 ? Q3G_RULE_NOT_JUDGED : Q3G_RULE_NONE) && one->rule_category == -1);
        CHECK(one->p_safe == 0 && one->rule_phrase == -1 && one->rule_position == -1 && one->position == -1);
        CHECK_TEXT(one->policy_name, i == 0 ? "default" : "test");
      }
    }
  }
  q3g_cancel_free(cancel);
  for (size_t i = 0; i < COUNT(policies); ++i) q3g_policy_free(policies[i]);
}

/// Who made a session frees its policy; the session goes on with it, and so do forks and batches.
static void sessions_keep_theirs(const q3g_guard* guard) {
  q3g_policy* policy = parsed(ALL_OFF);
  q3g_stream_options options;
  NEED_OK(q3g_stream_options_init(&options, sizeof options));
  options.policy = policy;
  q3g_stream *stream = NULL, *fork = NULL;
  q3g_batch* batch = NULL;
  uint64_t session = 0, moved = 0;
  NEED_OK(q3g_batch_open(guard, NULL, &batch, &err));
  NEED_OK(q3g_stream_open(guard, &options, &stream, &err));
  NEED_OK(q3g_batch_add(batch, &options, &session, &err));
  q3g_policy_free(policy);
  q3g_decision decision = {.struct_size = sizeof decision};
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(THREAT), NULL, &err));
  NEED_OK(q3g_stream_prompt_decision(stream, &decision, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.rule == Q3G_RULE_CATEGORY_OFF);
  CHECK(decision.action == Q3G_ACTION_ALLOW);
  NEED_OK(q3g_stream_fork(stream, &fork, &err));
  NEED_OK(q3g_stream_push_text(fork, TEXT(THREAT THREAT), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_end_turn(fork, NULL, &decision, NULL, NULL, &err));
  CHECK(decision.severity == Q3G_SEVERITY_UNSAFE && decision.rule == Q3G_RULE_CATEGORY_OFF);
  CHECK_TEXT(decision.policy_name, "test");
  NEED_OK(q3g_batch_add_stream(batch, stream, &moved, &err));
  NEED_OK(q3g_batch_push_prompt(batch, session, TEXT(THREAT), -1, &err));
  NEED_OK(q3g_batch_push_text(batch, moved, TEXT(THREAT THREAT), -1, &err));
  NEED_OK(q3g_batch_end_turn(batch, moved, -1, &err));
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  const uint64_t sessions[] = {session, moved};
  for (size_t i = 0; i < COUNT(sessions); ++i) {
    q3g_events* events = NULL;
    NEED_OK(q3g_batch_poll(batch, sessions[i], 0, &events, &err));
    NEED(q3g_events_count(events) > 0);
    NEED_OK(q3g_events_decision(events, q3g_events_count(events) - 1, &decision, &err));
    CHECK(decision.rule == Q3G_RULE_CATEGORY_OFF && decision.action == Q3G_ACTION_ALLOW);
    q3g_events_free(events);
  }
  q3g_batch_free(batch);
  q3g_stream_free(fork);
}

static int32_t free_the_policy(void* user, int64_t n_done, int64_t n_total) {
  (void)n_total;
  if (n_done == 1) q3g_policy_free(user);
  return 0;
}

/// It is freed in a call's callback; the call goes on with it.
static void freed_in_a_callback(const q3g_guard* guard) {
  const q3g_message message = {sizeof message, Q3G_ROLE_USER, TEXT(THREAT)};
  q3g_conversation all[20];
  q3g_verdict verdicts[COUNT(all)];
  memset(verdicts, 0, sizeof verdicts);
  verdicts[0].struct_size = sizeof verdicts[0];
  for (size_t i = 0; i < COUNT(all); ++i) all[i] = (q3g_conversation){sizeof all[i], 0, &message, 1};
  q3g_policy* policy = parsed(ALL_OFF);
  q3g_classify_options options;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  options.policy = policy;
  options.progress = free_the_policy;
  options.progress_user = policy;
  NEED_OK(q3g_guard_classify_batch(guard, all, COUNT(all), &options, verdicts, NULL, &err));
  for (size_t i = 0; i < COUNT(all); ++i) CHECK(verdicts[i].rule == Q3G_RULE_CATEGORY_OFF);
}

static void wrong_handles(const q3g_guard* guard) {
  q3g_cancel* cancel = NULL;
  NEED_OK(q3g_cancel_new(&cancel, &err));
  const q3g_policy* wrong = (const q3g_policy*)cancel;
  q3g_classify_options classify;
  q3g_stream_options streams;
  NEED_OK(q3g_classify_options_init(&classify, sizeof classify));
  NEED_OK(q3g_stream_options_init(&streams, sizeof streams));
  classify.policy = streams.policy = wrong;
  q3g_verdict verdict = empty();
  q3g_stream* stream = NULL;
  int32_t action = 0;
  CHECK_FAILS(q3g_guard_classify_prompt(guard, TEXT(ASK), &classify, &verdict, &err), Q3G_E_BAD_HANDLE);
  CHECK_FAILS(q3g_stream_open(guard, &streams, &stream, &err), Q3G_E_BAD_HANDLE);
  CHECK_FAILS(q3g_policy_unjudged_action(wrong, &action, &err), Q3G_E_BAD_HANDLE);
  q3g_policy_free((q3g_policy*)cancel);  // left alone
  CHECK_OK(q3g_cancel_set(cancel));
  q3g_cancel_free(cancel);
}

/// What options leave to the policy, and what they say themselves.
static void choices(const q3g_guard* gen, const q3g_guard* live) {
  static char text[2000];
  for (size_t i = 0; i < sizeof text; ++i) text[i] = i % 4 == 3 ? ' ' : 'a';
  q3g_policy* policy = parsed(DOCUMENT(", \"context\": \"stop\", \"dropped_messages\": \"reject\""));
  q3g_stream_options options;
  NEED_OK(q3g_stream_options_init(&options, sizeof options));
  options.policy = policy;
  options.max_tokens = 40;
  for (int is_own = 0; is_own < 2; ++is_own) {
    q3g_stream* stream = NULL;
    if (is_own) options.context = Q3G_CONTEXT_ERROR;
    NEED_OK(q3g_stream_open(live, &options, &stream, &err));
    NEED_OK(q3g_stream_push_prompt(stream, TEXT("Hi"), NULL, &err));
    CHECK(q3g_stream_push_text(stream, text, sizeof text, NULL, NULL, 0, &err) ==
          (is_own ? Q3G_E_CONTEXT_FULL : Q3G_OK));
    q3g_stream_free(stream);
  }
  const q3g_message messages[] = {{sizeof messages[0], Q3G_ROLE_ASSISTANT, TEXT("Hello!")},
                                  {sizeof messages[0], Q3G_ROLE_USER, TEXT(ASK)}};
  q3g_classify_options classify;
  NEED_OK(q3g_classify_options_init(&classify, sizeof classify));
  q3g_verdict verdict = empty();
  classify.policy = policy;
  CHECK_FAILS(q3g_guard_classify(gen, messages, 2, &classify, &verdict, &err), Q3G_E_INVALID_ARGUMENT);
  classify.dropped_messages = Q3G_DROPPED_MESSAGES_REPORT;
  CHECK_OK(q3g_guard_classify(gen, messages, 2, &classify, &verdict, &err));
  CHECK(verdict.n_dropped_messages == 1);
  q3g_policy_free(policy);
}

void policy_part(void) {
  q3g_guard *gen = open_gen(), *live = open_stream_model();
  presets_and_files();
  buffers();
  broken_documents();
  verdicts_decided_again(gen);
  verdicts_that_cannot_be(gen, live);
  runs_of_tokens();
  tokens_not_judged();
  failed_in_a_batch(gen);
  failed_in_a_batch(live);
  sessions_keep_theirs(live);
  freed_in_a_callback(gen);
  freed_in_a_callback(live);
  wrong_handles(gen);
  choices(gen, live);
  q3g_guard_free(gen);
  q3g_guard_free(live);
}
