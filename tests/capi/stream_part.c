// SPDX-License-Identifier: Apache-2.0
// Streams: turns of text and of tokens, verdicts, decisions, several streams at once.
#include "abi_c11.h"

#define ASK "How do I bake bread?"
#define ANSWER "Mix flour, water, salt and yeast; wait; then bake it for an hour."

enum { kTokens = 128 };

static q3g_stream* open_stream(const q3g_guard* guard) {
  q3g_stream* out = NULL;
  NEED_OK(q3g_stream_open(guard, NULL, &out, &err));
  return out;
}

static q3g_stream_info info_of(const q3g_stream* stream) {
  q3g_stream_info out = {.struct_size = sizeof out};
  NEED_OK(q3g_stream_get_info(stream, &out, &err));
  return out;
}

/// The turn's verdicts so far.
static size_t verdicts_of(const q3g_stream* stream, q3g_token_verdict* out) {
  size_t n = 0;
  out[0].struct_size = sizeof out[0];
  NEED_OK(q3g_stream_verdicts(stream, 0, out, kTokens, &n, &err));
  NEED(n <= kTokens);
  return n;
}

static void check_same(const q3g_stream* a, const q3g_stream* b) {
  static q3g_token_verdict of_a[kTokens], of_b[kTokens];
  const size_t n = verdicts_of(a, of_a);
  NEED(n > 0 && verdicts_of(b, of_b) == n);
  for (size_t i = 0; i < n; ++i) CHECK(is_same_token(&of_a[i], &of_b[i]));
  CHECK(info_of(a).position == info_of(b).position && info_of(a).turn_bytes == info_of(b).turn_bytes);
}

static void text(const q3g_guard* guard) {
  q3g_stream *whole = open_stream(guard), *cut = open_stream(guard);
  q3g_token_verdict prompt = {.struct_size = sizeof prompt}, again = prompt;
  NEED_OK(q3g_stream_push_prompt(whole, TEXT(ASK), &prompt, &err));
  CHECK(prompt.source == Q3G_SOURCE_HEADS && prompt.position > 0);
  // It is the one at the token that closes the turn.
  int32_t im_end = -1;
  CHECK(tokens_of(guard, "<|im_end|>", Q3G_SPECIAL_RECOGNIZED, &im_end, 1) == 1 && prompt.id == im_end);
  CHECK_FAILS(q3g_stream_push_prompt(whole, TEXT(ASK), &prompt, &err), Q3G_E_INVALID_ARGUMENT);
  const q3g_message message = {
      .struct_size = sizeof message, .role = Q3G_ROLE_USER, .text = ASK, .text_bytes = sizeof ASK - 1};
  NEED_OK(q3g_stream_push_conversation(cut, &message, 1, &again, &err));
  CHECK(is_same_token(&prompt, &again));

  q3g_update update = {.struct_size = sizeof update};
  q3g_token_verdict some[3];
  some[0].struct_size = sizeof some[0];
  NEED_OK(q3g_stream_push_text(whole, TEXT(ANSWER), &update, some, COUNT(some), &err));
  CHECK(update.first == 0 && update.n_tokens > COUNT(some) && update.n_settled <= update.n_tokens);
  CHECK(update.stopped_at_byte == -1 && some[2].struct_size == sizeof some[2]);
  CHECK(some[0].byte_begin == 0 && some[1].byte_begin == some[0].byte_end);
  // Byte by byte is the same, and what the updates say adds up to the turn's verdicts.
  size_t n = 0;
  for (size_t i = 0; i + 1 < sizeof ANSWER; ++i) {
    NEED_OK(q3g_stream_push_text(cut, &ANSWER[i], 1, &update, NULL, 0, &err));
    CHECK(update.first <= n);
    n = update.first + update.n_tokens;
  }
  CHECK(n == info_of(cut).n_verdicts);
  check_same(whole, cut);

  q3g_decision before = {.struct_size = sizeof before}, after = before;
  NEED_OK(q3g_stream_decision(whole, &before, &err));
  CHECK(before.severity >= Q3G_SEVERITY_SAFE && before.severity <= Q3G_SEVERITY_UNSAFE);
  q3g_turn turn = {.struct_size = sizeof turn};
  q3g_verdict written = {.struct_size = sizeof written};
  NEED_OK(q3g_stream_end_turn(whole, &turn, &after, NULL, &written, &err));
  CHECK(turn.role == Q3G_ROLE_ASSISTANT && turn.has_prompt == 0 && turn.has_written == 0);
  CHECK(after.severity == before.severity && after.is_complete == 1);
  // The policy's function says of the stored verdicts what the stream decided.
  static q3g_token_verdict stored[kTokens];
  n = verdicts_of(whole, stored);
  CHECK_OK(q3g_policy_decide(NULL, Q3G_ROLE_ASSISTANT, stored, n, 1, &before, &err));
  CHECK(before.severity == after.severity && before.position == after.position);
  CHECK(before.reason == after.reason && before.n_run_tokens == after.n_run_tokens);
  CHECK(before.action == after.action && before.rule == after.rule && before.rule_score == after.rule_score);
  NEED_OK(q3g_stream_prompt_decision(whole, &before, &err));
  CHECK(before.action == Q3G_ACTION_ALLOW && before.rule == Q3G_RULE_SAFE && before.is_complete == 1);
  CHECK_FAILS(q3g_stream_push_text(whole, TEXT("more"), NULL, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);

  // A user's turn by hand is a prompt.
  q3g_stream* by_hand = open_stream(guard);
  NEED_OK(q3g_stream_begin_turn(by_hand, Q3G_ROLE_USER, &err));
  NEED_OK(q3g_stream_push_text(by_hand, TEXT(ASK), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_end_turn(by_hand, &turn, NULL, &again, NULL, &err));
  CHECK(turn.role == Q3G_ROLE_USER && turn.has_prompt == 1 && is_same_prompt(&prompt, &again));

  NEED_OK(q3g_stream_reset(whole, &err));
  CHECK(info_of(whole).position == 0 && info_of(whole).n_verdicts == 0);
  NEED_OK(q3g_stream_push_prompt(whole, TEXT(ASK), &again, &err));
  CHECK(is_same_token(&prompt, &again));
  q3g_stream_free(whole);
  q3g_stream_free(cut);
  q3g_stream_free(by_hand);
}

static void restored(const q3g_guard* guard) {
  q3g_stream *live = open_stream(guard), *restored = open_stream(guard), *at_once = open_stream(guard);
  q3g_message messages[] = {{.role = Q3G_ROLE_USER, .text = ASK, .text_bytes = sizeof ASK - 1},
                            {.role = Q3G_ROLE_ASSISTANT, .text = ANSWER, .text_bytes = sizeof ANSWER - 1},
                            {.role = Q3G_ROLE_USER, .text = "Thanks", .text_bytes = 6}};
  for (size_t i = 0; i < COUNT(messages); ++i) messages[i].struct_size = sizeof messages[i];
  q3g_token_verdict verdicts[3];
  for (size_t i = 0; i < COUNT(verdicts); ++i) verdicts[i].struct_size = sizeof verdicts[i];
  NEED_OK(q3g_stream_push_prompt(live, TEXT(ASK), NULL, &err));
  NEED_OK(q3g_stream_push_text(live, TEXT(ANSWER), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_end_turn(live, NULL, NULL, NULL, NULL, &err));
  NEED_OK(q3g_stream_push_prompt(live, TEXT("Thanks"), &verdicts[0], &err));
  NEED_OK(q3g_stream_restore(restored, messages, 2, &err));
  NEED_OK(q3g_stream_push_prompt(restored, TEXT("Thanks"), &verdicts[1], &err));
  NEED_OK(q3g_stream_push_conversation(at_once, messages, 3, &verdicts[2], &err));
  CHECK(is_same_token(&verdicts[0], &verdicts[1]) && is_same_token(&verdicts[0], &verdicts[2]));
  q3g_stream_free(live);
  q3g_stream_free(restored);
  q3g_stream_free(at_once);
}

/// A model's end of sequence ends its turn; any other control token is an error, unless it is allowed.
static void ends_and_control_tokens(const q3g_guard* guard, const int32_t* ids, size_t n) {
  q3g_stream* stream = open_stream(guard);
  q3g_stream_options options;
  q3g_token_verdict prompt = {.struct_size = sizeof prompt};
  static q3g_token_verdict tokens[kTokens];
  int32_t all[kTokens], forged[2];
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(ASK), &prompt, &err));
  memcpy(all, ids, n * sizeof *ids);
  all[n] = prompt.id;  // <|im_end|>
  tokens[0].struct_size = sizeof tokens[0];
  NEED_OK(q3g_stream_push_tokens(stream, all, n + 1, tokens, &err));
  CHECK(tokens[n].id == prompt.id && tokens[n].source == Q3G_SOURCE_NONE && tokens[n].counts == 0);
  CHECK(tokens[n].severity == Q3G_SEVERITY_NOT_JUDGED && info_of(stream).n_verdicts == n);
  CHECK_FAILS(q3g_stream_push_tokens(stream, ids, 1, tokens, &err), Q3G_E_INVALID_ARGUMENT);
  q3g_decision decision = {.struct_size = sizeof decision};
  NEED_OK(q3g_stream_end_turn(stream, NULL, &decision, NULL, NULL, &err));
  CHECK(decision.is_complete == 1 && decision.severity != Q3G_SEVERITY_NOT_JUDGED);
  forged[0] = prompt.id;
  forged[1] = ids[0];
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(ASK), NULL, &err));
  CHECK_FAILS(q3g_stream_push_tokens(stream, forged, 2, tokens, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "ids[0]") != NULL);
  q3g_stream_free(stream);

  NEED_OK(q3g_stream_options_init(&options, sizeof options));
  options.allow_control_ids = 2;
  CHECK_FAILS(q3g_stream_open(guard, &options, &stream, &err), Q3G_E_INVALID_ARGUMENT);
  options.allow_control_ids = 1;
  NEED_OK(q3g_stream_open(guard, &options, &stream, &err));
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(ASK), NULL, &err));
  CHECK_OK(q3g_stream_push_tokens(stream, forged, 2, tokens, &err));
  CHECK(tokens[0].source == Q3G_SOURCE_HEADS);
  // A turn that ends inside a character ends, and says what it left out.
  NEED_OK(q3g_stream_end_turn(stream, NULL, NULL, NULL, NULL, &err));
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(ASK), NULL, &err));
  NEED_OK(q3g_stream_push_text(stream, TEXT("Fine.\xE2\x82"), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_end_turn(stream, NULL, &decision, NULL, NULL, &err));
  CHECK(decision.is_complete == 0 && decision.unjudged_begin == 5 && decision.unjudged_end == 7);
  q3g_stream_free(stream);
}

static void tokens_and_batches(const q3g_guard* guard) {
  enum { kStreams = 3 };
  int32_t ids[kTokens];
  const size_t n = tokens_of(guard, ANSWER, Q3G_SPECIAL_AS_TEXT, ids, COUNT(ids));
  q3g_stream *by_text = open_stream(guard), *by_tokens = open_stream(guard), *together[kStreams];
  static q3g_token_verdict verdicts[kTokens], share[kStreams][kTokens];
  q3g_error errors[kStreams];
  q3g_stream_push pushes[kStreams];
  NEED_OK(q3g_stream_push_prompt(by_text, TEXT(ASK), NULL, &err));
  NEED_OK(q3g_stream_push_text(by_text, TEXT(ANSWER), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_push_prompt(by_tokens, TEXT(ASK), NULL, &err));
  verdicts[0].struct_size = sizeof verdicts[0];
  NEED_OK(q3g_stream_push_tokens(by_tokens, ids, n, verdicts, &err));
  check_same(by_text, by_tokens);
  const int32_t outside = INT32_MAX;
  CHECK_FAILS(q3g_stream_push_tokens(by_tokens, &outside, 1, verdicts, &err), Q3G_E_TOKEN_RANGE);
  CHECK_FAILS(q3g_stream_push_text(by_tokens, TEXT("x"), NULL, NULL, 0, &err), Q3G_E_INVALID_ARGUMENT);
  check_same(by_text, by_tokens);

  ends_and_control_tokens(guard, ids, n);

  for (size_t i = 0; i < kStreams; ++i) {
    together[i] = open_stream(guard);
    NEED_OK(q3g_stream_push_prompt(together[i], TEXT(ASK), NULL, &err));
    memset(&pushes[i], 0, sizeof pushes[i]);
    share[i][0].struct_size = sizeof share[i][0];
    errors[i].struct_size = sizeof errors[i];
    pushes[i].struct_size = sizeof pushes[i];
    pushes[i].stream = together[i];
    pushes[i].ids = ids;
    pushes[i].n_ids = n;
    pushes[i].tokens = share[i];
    pushes[i].error = &errors[i];
  }
  pushes[1].ids = &outside;  // one of them fails; the others do not notice
  pushes[1].n_ids = 1;
  pushes[2].error = NULL;
  NEED_OK(q3g_guard_push_batch(guard, pushes, kStreams, &err));
  CHECK(pushes[0].status == Q3G_OK && pushes[2].status == Q3G_OK && errors[0].code == Q3G_OK);
  CHECK(pushes[1].status == Q3G_E_TOKEN_RANGE && errors[1].code == Q3G_E_TOKEN_RANGE);
  CHECK(strlen(errors[1].message) > 0 && info_of(together[1]).n_verdicts == 0);
  check_same(by_text, together[0]);
  check_same(by_text, together[2]);
  for (size_t i = 0; i < n; ++i) CHECK(is_same_token(&share[0][i], &verdicts[i]));
  for (size_t i = 0; i < kStreams; ++i) q3g_stream_free(together[i]);
  q3g_stream_free(by_text);
  q3g_stream_free(by_tokens);
}

static void gen_writes(void) {
  q3g_guard* gen = open_gen();
  q3g_stream* stream = open_stream(gen);
  q3g_turn turn = {.struct_size = sizeof turn};
  char text[256];
  q3g_verdict written = {.struct_size = sizeof written, .text = text, .text_capacity = sizeof text}, alone;
  q3g_decision decision = {.struct_size = sizeof decision};
  NEED_OK(q3g_stream_push_prompt(stream, TEXT(ASK), NULL, &err));
  NEED_OK(q3g_stream_push_text(stream, TEXT(ANSWER), NULL, NULL, 0, &err));
  NEED_OK(q3g_stream_end_turn(stream, &turn, &decision, NULL, &written, &err));
  CHECK(turn.has_written == 1 && written.text == text && written.text_bytes > 8);
  CHECK(memcmp(text, "Safety: ", 8) == 0);
  memset(&alone, 0, sizeof alone);
  alone.struct_size = sizeof alone;
  NEED_OK(q3g_guard_classify_response(gen, TEXT(ASK), TEXT(ANSWER), NULL, &alone, &err));
  CHECK(alone.severity == written.severity && decision.severity == written.severity);
  CHECK(is_near(alone.p_safe, written.p_safe));
  q3g_stream_free(stream);
  q3g_guard_free(gen);
}

void stream_part(void) {
  q3g_guard* guard = open_stream_model();
  text(guard);
  restored(guard);
  tokens_and_batches(guard);
  q3g_guard_free(guard);
  gen_writes();
}
