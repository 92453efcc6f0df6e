// SPDX-License-Identifier: Apache-2.0
#include <qwen3guard.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  q3g_error error = {.struct_size = sizeof error};
  q3g_policy *policy = NULL, *strict = NULL;
  q3g_guard* guard = NULL;
  q3g_classify_options options;
  q3g_verdict verdict = {.struct_size = sizeof verdict};
  // A file, or one of the library's own.
  if (argc > 1 ? q3g_policy_load(argv[1], strlen(argv[1]), &policy, &error)
               : q3g_policy_preset("chat-game", 9, &policy, &error))
    goto done;

  const char* text = "I will burn your house down, idiot";
  if (q3g_classify_options_init(&options, sizeof options)) goto done;
  options.policy = policy;  // what is made with the options keeps it: the handle may be freed at any time
  if (q3g_guard_load_embedded("nano-gen", 8, NULL, &guard, &error) ||
      q3g_guard_classify_prompt(guard, text, strlen(text), &options, &verdict, &error))
    goto done;
  printf("%s -> %s, by rule %s of %s %s\n", q3g_severity_name(verdict.severity),
         q3g_action_name(verdict.action), q3g_rule_name(verdict.rule), verdict.policy_name,
         verdict.policy_version);

  // What was judged once can be ruled on again, without a model: the verdict's ruling is another one then.
  if (q3g_policy_preset("strict", 6, &strict, &error) ||
      q3g_policy_decide_verdict(strict, &verdict, NULL, 0, &error))
    goto done;
  printf("strict would %s it\n", q3g_action_name(verdict.action));

done:
  if (error.code) fprintf(stderr, "%s: %s\n", q3g_status_name(error.code), error.message);
  q3g_guard_free(guard);
  q3g_policy_free(strict);
  q3g_policy_free(policy);
  return error.code != Q3G_OK;
}
