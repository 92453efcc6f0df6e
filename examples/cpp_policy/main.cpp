// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <qwen3guard/qwen3guard.hpp>

int main(int argc, char** argv) {
  using namespace qwen3guard;
  // A file, or one of the library's own.
  const Policy policy = argc > 1 ? Policy::load(argv[1]).value() : Policy::preset("chat-game").value();
  std::cout << policy.describe();

  const Guard guard = Guard::load_embedded("nano-gen").value();
  ClassifyOptions options;
  options.policy = policy;
  const Verdict verdict = guard.classify_prompt("I will burn your house down, idiot", options).value();
  const Ruling& ruling = verdict.ruling;
  std::cout << to_string(verdict.severity) << " -> " << to_string(ruling.action) << ", by rule "
            << to_string(ruling.rule) << " of " << ruling.policy_name << ' ' << ruling.policy_version << '\n';

  // What was judged once can be ruled on again, without a model.
  const Ruling stricter = decide(Policy::preset("strict").value(), verdict).value();
  std::cout << "strict would " << to_string(stricter.action) << " it\n";
}
