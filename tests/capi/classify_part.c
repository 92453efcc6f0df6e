// SPDX-License-Identifier: Apache-2.0
// Verdicts on prompts, responses, conversations and batches of them.
#include "abi_c11.h"

#define ASK "How do I kill a Python process?"
#define ANSWER "Send it a signal with the kill command."

static q3g_message message(int32_t role, const char* text) {
  q3g_message out = {.struct_size = sizeof out, .role = role, .text = text, .text_bytes = strlen(text)};
  return out;
}

static q3g_verdict empty(void) {
  q3g_verdict out = {.struct_size = sizeof out};
  return out;
}

static void check_sound(const q3g_verdict* verdict) {
  CHECK(verdict->status == Q3G_OK && verdict->struct_size == sizeof *verdict);
  CHECK(verdict->severity >= Q3G_SEVERITY_SAFE && verdict->severity <= Q3G_SEVERITY_UNSAFE);
  CHECK(verdict->action >= Q3G_ACTION_ALLOW && verdict->action <= Q3G_ACTION_BLOCK);
  const float p[] = {verdict->p_safe, verdict->p_controversial, verdict->p_unsafe};
  for (size_t i = 0; i < COUNT(p); ++i) CHECK(p[i] >= 0 && p[i] <= 1);
  CHECK(is_near(p[0] + p[1] + p[2], 1));
  CHECK((verdict->n_categories == 0) == (verdict->severity == Q3G_SEVERITY_SAFE));
  CHECK(verdict->prompt_tokens > 0 && verdict->latency_ms >= 0);
}

/// Whether two verdicts say the same; how long they took and what was kept from before does not count.
static int is_same(const q3g_verdict* a, const q3g_verdict* b) {
  int same = a->status == b->status && a->severity == b->severity && a->action == b->action &&
             a->n_categories == b->n_categories && a->has_refusal == b->has_refusal &&
             a->refusal == b->refusal && is_near(a->refusal_probability, b->refusal_probability) &&
             a->prompt_tokens == b->prompt_tokens && a->text_bytes == b->text_bytes;
  same = same && is_near(a->p_safe, b->p_safe) && is_near(a->p_controversial, b->p_controversial) &&
         is_near(a->p_unsafe, b->p_unsafe) && a->position == b->position;
  for (int i = 0; i < a->n_categories && i < b->n_categories; ++i)
    same = same && a->categories[i] == b->categories[i];
  return same;
}

static void every_way(const q3g_guard* guard, int is_gen) {
  q3g_verdict prompt = empty(), other = empty(), response = empty();
  NEED_OK(q3g_guard_classify_prompt(guard, TEXT(ASK), NULL, &prompt, &err));
  check_sound(&prompt);
  CHECK(prompt.has_refusal == 0);
  const q3g_message messages[] = {message(Q3G_ROLE_USER, ASK), message(Q3G_ROLE_ASSISTANT, ANSWER)};
  NEED_OK(q3g_guard_classify(guard, messages, 1, NULL, &other, &err));
  CHECK(is_same(&prompt, &other));
  NEED_OK(q3g_guard_classify_response(guard, TEXT(ASK), TEXT(ANSWER), NULL, &response, &err));
  check_sound(&response);
  CHECK(response.has_refusal == is_gen);
  CHECK(response.prompt_tokens > prompt.prompt_tokens);
  NEED_OK(q3g_guard_classify(guard, messages, 2, NULL, &other, &err));
  CHECK(is_same(&response, &other));
}

static void batch(const q3g_guard* guard) {
  const q3g_message first = message(Q3G_ROLE_USER, ASK), bad = message(Q3G_ROLE_USER, "abc\xFF");
  const q3g_message third[] = {first, message(Q3G_ROLE_ASSISTANT, ANSWER)};
  q3g_conversation conversations[3] = {{.messages = &first, .n_messages = 1},
                                       {.messages = &bad, .n_messages = 1},
                                       {.messages = third, .n_messages = 2}};
  char text[COUNT(conversations)][256];
  q3g_verdict verdicts[COUNT(conversations)];
  q3g_error errors[COUNT(conversations)];
  // Beyond the first elements nothing is set, not even sizes.
  memset(verdicts, 0xA5, sizeof verdicts);
  memset(errors, 0xA5, sizeof errors);
  verdicts[0].struct_size = sizeof verdicts[0];
  errors[0].struct_size = sizeof errors[0];
  for (size_t i = 0; i < COUNT(conversations); ++i) {
    conversations[i].struct_size = sizeof conversations[i];
    verdicts[i].text = text[i];
    verdicts[i].text_capacity = sizeof text[i];
  }
  NEED_OK(q3g_guard_classify_batch(guard, conversations, 3, NULL, verdicts, errors, &err));
  q3g_verdict alone = empty();
  NEED_OK(q3g_guard_classify(guard, &first, 1, NULL, &alone, &err));
  CHECK(is_same(&verdicts[0], &alone) && errors[0].code == Q3G_OK);
  CHECK_TEXT(errors[0].message, "");
  NEED_OK(q3g_guard_classify(guard, third, 2, NULL, &alone, &err));
  CHECK(is_same(&verdicts[2], &alone) && errors[2].code == Q3G_OK);
  CHECK(verdicts[1].status == Q3G_E_INVALID_UTF8 && errors[1].code == Q3G_E_INVALID_UTF8);
  CHECK(strstr(errors[1].message, "UTF-8") != NULL);
  CHECK(verdicts[1].struct_size == sizeof verdicts[1] && errors[1].struct_size == sizeof errors[1]);
  CHECK(verdicts[1].text == text[1] && verdicts[1].text_capacity == sizeof text[1]);
  CHECK(verdicts[1].severity == Q3G_SEVERITY_NOT_JUDGED && verdicts[1].action == Q3G_ACTION_NONE);
  CHECK(Q3G_SEVERITY_NOT_JUDGED == 0 && Q3G_ACTION_NONE == 0 && Q3G_SEVERITY_SAFE > 0 &&
        Q3G_ACTION_ALLOW > 0);
  CHECK(verdicts[1].p_safe == 0 && verdicts[1].position == -1 && verdicts[1].n_categories == 0 &&
        verdicts[1].text_bytes == 0);
  CHECK_OK(q3g_guard_classify_batch(guard, NULL, 0, NULL, NULL, NULL, &err));

  // With U+FFFD in the place of what is no text, all three are judged; without slots, too.
  q3g_classify_options options;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  options.invalid_utf8 = Q3G_INVALID_UTF8_REPLACE;
  NEED_OK(q3g_guard_classify_batch(guard, conversations, 3, &options, verdicts, NULL, &err));
  NEED_OK(q3g_guard_classify_prompt(guard, TEXT("abc\xEF\xBF\xBD"), NULL, &alone, &err));
  CHECK(is_same(&verdicts[1], &alone));
}

static int32_t count_progress(void* user, int64_t n_done, int64_t n_total) {
  int64_t* last = user;
  CHECK(n_done > *last && n_done <= n_total && n_total == 3);
  *last = n_done;
  return 0;
}

static void progress(const q3g_guard* guard) {
  const q3g_message ask = message(Q3G_ROLE_USER, ASK);
  q3g_conversation one = {.struct_size = sizeof one, .messages = &ask, .n_messages = 1};
  const q3g_conversation all[] = {one, one, one};
  q3g_verdict verdicts[3] = {empty()};
  q3g_classify_options options;
  int64_t n_done = 0;
  NEED_OK(q3g_classify_options_init(&options, sizeof options));
  options.progress = count_progress;
  options.progress_user = &n_done;
  NEED_OK(q3g_guard_classify_batch(guard, all, 3, &options, verdicts, NULL, &err));
  CHECK(n_done == 3);
}

static void written_text(const q3g_guard* gen) {
  char text[256];
  memset(text, '#', sizeof text);
  q3g_verdict verdict = empty();
  verdict.text = text;
  verdict.text_capacity = sizeof text;
  NEED_OK(q3g_guard_classify_prompt(gen, TEXT(ASK), NULL, &verdict, &err));
  CHECK(verdict.text == text && verdict.text_capacity == sizeof text);
  NEED(verdict.text_bytes > 8 && verdict.text_bytes < sizeof text);
  CHECK(memcmp(text, "Safety: ", 8) == 0);
  CHECK(text[verdict.text_bytes] == '#');
  // What does not fit whole is not written at all.
  const size_t n = verdict.text_bytes;
  memset(text, '#', sizeof text);
  verdict.text_capacity = n - 1;
  NEED_OK(q3g_guard_classify_prompt(gen, TEXT(ASK), NULL, &verdict, &err));
  CHECK(verdict.text_bytes == n && text[0] == '#' && text[n - 1] == '#');
  verdict.text_capacity = n;
  NEED_OK(q3g_guard_classify_prompt(gen, TEXT(ASK), NULL, &verdict, &err));
  CHECK(memcmp(text, "Safety: ", 8) == 0 && text[n] == '#');
}

/// The Gen template leaves messages out: the verdict names them, or the call is refused.
static void dropped_messages(const q3g_guard* guard, int is_gen) {
  const q3g_message messages[] = {message(Q3G_ROLE_ASSISTANT, "Hello!"), message(Q3G_ROLE_USER, ASK),
                                  message(Q3G_ROLE_TOOL, "x"), message(Q3G_ROLE_ASSISTANT, ANSWER)};
  q3g_verdict verdict = empty();
  NEED_OK(q3g_guard_classify(guard, messages, 4, NULL, &verdict, &err));
  check_sound(&verdict);
  CHECK(verdict.n_dropped_messages == (is_gen ? 2 : 0));
  CHECK(verdict.dropped_messages[0] == 0 && verdict.dropped_messages[1] == (is_gen ? 2 : 0));
  // More than there is room for.
  q3g_message many[Q3G_DROPPED_MESSAGES_SHOWN + 4];
  for (size_t i = 0; i < COUNT(many); ++i)
    many[i] = message(i + 1 < COUNT(many) ? Q3G_ROLE_TOOL : Q3G_ROLE_USER, "x");
  NEED_OK(q3g_guard_classify(guard, many, COUNT(many), NULL, &verdict, &err));
  CHECK(verdict.n_dropped_messages == (is_gen ? Q3G_DROPPED_MESSAGES_SHOWN + 3 : 0));
  CHECK(verdict.dropped_messages[Q3G_DROPPED_MESSAGES_SHOWN - 1] ==
        (is_gen ? Q3G_DROPPED_MESSAGES_SHOWN - 1 : 0));
  q3g_classify_options reject;
  NEED_OK(q3g_classify_options_init(&reject, sizeof reject));
  reject.dropped_messages = Q3G_DROPPED_MESSAGES_REJECT;
  const q3g_status status = q3g_guard_classify(guard, messages, 4, &reject, &verdict, &err);
  CHECK(status == (is_gen ? Q3G_E_INVALID_ARGUMENT : Q3G_OK));
  if (is_gen) CHECK(strstr(err.message, "messages[0]") != NULL);
  NEED_OK(q3g_guard_classify(guard, messages + 1, 1, &reject, &verdict, &err));
  CHECK(verdict.n_dropped_messages == 0);
  CHECK_FAILS(q3g_guard_classify(guard, messages + 1, 2, NULL, &verdict, &err), Q3G_E_INVALID_ARGUMENT);
  reject.thinking = 3;
  CHECK_FAILS(q3g_guard_classify(guard, messages + 1, 1, &reject, &verdict, &err), Q3G_E_INVALID_ARGUMENT);
}

static void options(const q3g_guard* guard) {
  q3g_classify_options chosen;
  NEED_OK(q3g_classify_options_init(&chosen, sizeof chosen));
  q3g_verdict verdict = empty();
  NEED_OK(q3g_guard_classify_prompt(guard, TEXT(ASK), &chosen, &verdict, &err));
  CHECK(verdict.action == Q3G_ACTION_ALLOW && verdict.role == Q3G_ROLE_USER);
  CHECK(verdict.n_windows == 0 && verdict.is_of_folded_copy == 0);
  chosen.long_text = 2;
  CHECK_FAILS(q3g_guard_classify_prompt(guard, TEXT(ASK), &chosen, &verdict, &err), Q3G_E_INVALID_ARGUMENT);
  CHECK(strstr(err.message, "long_text") != NULL);
  CHECK_FAILS(q3g_guard_classify_prompt(guard, "abc\xFF", 4, NULL, &verdict, &err), Q3G_E_INVALID_UTF8);
  CHECK(err.code == Q3G_E_INVALID_UTF8 && strstr(err.message, "byte 3") != NULL);
  CHECK(verdict.action == Q3G_ACTION_ALLOW);
  const q3g_message system = message(Q3G_ROLE_SYSTEM, "Be kind.");
  CHECK_FAILS(q3g_guard_classify(guard, &system, 1, NULL, &verdict, &err), Q3G_E_INVALID_ARGUMENT);
}

/// A caller with an older, or a newer, header.
static void other_sizes(const q3g_guard* guard) {
  struct {
    q3g_verdict known;
    unsigned char newer[32], beyond[8];
  } wide;
  memset(&wide, 0xA5, sizeof wide);
  wide.known.struct_size = sizeof wide.known + sizeof wide.newer;
  wide.known.text = NULL;
  NEED_OK(q3g_guard_classify_prompt(guard, TEXT(ASK), NULL, &wide.known, &err));
  CHECK(wide.known.struct_size == sizeof wide.known + sizeof wide.newer);
  for (size_t i = 0; i < sizeof wide.newer; ++i) CHECK(wide.newer[i] == 0);
  for (size_t i = 0; i < sizeof wide.beyond; ++i) CHECK(wide.beyond[i] == 0xA5);
}

void classify_part(void) {
  q3g_guard* gen = open_gen();
  q3g_guard* stream = open_stream_model();
  every_way(gen, 1);
  every_way(stream, 0);
  batch(gen);
  batch(stream);
  progress(gen);
  progress(stream);
  written_text(gen);
  dropped_messages(gen, 1);
  dropped_messages(stream, 0);
  options(gen);
  options(stream);
  other_sizes(gen);
  q3g_guard_free(gen);
  q3g_guard_free(stream);
}
