// SPDX-License-Identifier: Apache-2.0
#include <qwen3guard.h>
#include <stdio.h>
#include <string.h>

#define BEGIN "It smells lovely, and the table looks great. Serve it warm with a little butter. "

int main(void) {
  // What the host's model writes: at first, and when it is asked to go on from an earlier place.
  const char* tries[] = {BEGIN "Only an ugly idiot like you would eat it, somebody should burn you.",
                         BEGIN "Enjoy your meal, and tell me how it was."};
  const char* prompt = "What do you think of my cooking?";
  q3g_error error = {.struct_size = sizeof error};
  q3g_guard* guard = NULL;
  q3g_stream* stream = NULL;
  q3g_hold_back* hold = NULL;
  q3g_token_verdict asked = {.struct_size = sizeof asked};
  q3g_hold_back_release out = {.struct_size = sizeof out};
  q3g_hold_back_stats stats = {.struct_size = sizeof stats};
  if (q3g_guard_load_embedded("nano-stream", 11, NULL, &guard, &error) ||
      q3g_stream_open(guard, NULL, &stream, &error) ||
      q3g_stream_push_prompt(stream, prompt, strlen(prompt), &asked, &error) ||
      asked.action == Q3G_ACTION_BLOCK || q3g_hold_back_open(stream, NULL, &hold, &error))
    goto done;

  size_t i_try = 0, n_written = 0;
  do {
    const char* piece = tries[i_try] + n_written;
    const size_t n = strlen(piece) < 4 ? strlen(piece) : 4;  // about a token
    n_written += n;
    if (n > 0 ? q3g_hold_back_put(hold, piece, n, &error) : q3g_hold_back_finish(hold, &error)) goto done;
    do {
      char text[64];
      if (q3g_hold_back_take(hold, 0, text, sizeof text, &out, NULL, &error)) goto done;
      fwrite(text, 1, out.text_bytes, stdout);
    } while (out.has_more);
    if (out.state != Q3G_HOLD_BACK_BLOCKED) continue;
    if (out.retries_left == 0 ? q3g_hold_back_withdraw(hold, &error) : q3g_hold_back_retry(hold, -1, &error))
      goto done;
    if (out.retries_left == 0) break;  // what was shown stands
    n_written = (size_t)out.continue_byte;
    i_try = 1;
  } while (out.state == Q3G_HOLD_BACK_WRITING || out.state == Q3G_HOLD_BACK_BLOCKED);
  if (q3g_hold_back_get_stats(hold, &stats, &error)) goto done;
  printf("\n[%d retry, %lld bytes withdrawn]\n", stats.n_retries, (long long)stats.withdrawn_bytes);

done:
  if (error.code) fprintf(stderr, "%s: %s\n", q3g_status_name(error.code), error.message);
  q3g_hold_back_free(hold);
  q3g_stream_free(stream);
  q3g_guard_free(guard);
  return error.code != Q3G_OK;
}
