// SPDX-License-Identifier: Apache-2.0
// Judges a prompt and a response with a model that is part of the library, or with the checkpoint folder
// given.
#include <iostream>
#include <qwen3guard/qwen3guard.hpp>

int main(int argc, char** argv) {
  using namespace qwen3guard;
  const auto guard = argc > 1 ? Guard::load(argv[1]) : Guard::load_embedded("nano-gen");
  if (!guard.ok()) {
    std::cerr << guard.error().detail << '\n';
    return 2;
  }
  const auto prompt = guard->classify_prompt("How do I kill a Python process?");
  const auto response =
      guard->classify_response("Tell me how to pick a lock.", "I'm sorry, I can't help with that.");
  for (const auto* verdict : {&prompt, &response}) {
    if (!verdict->ok()) {
      std::cerr << verdict->error().detail << '\n';
      return 2;
    }
    std::cout << to_string((*verdict)->severity) << ", P(unsafe) = " << (*verdict)->probabilities.unsafe
              << ": " << to_string((*verdict)->ruling.action) << '\n';
    for (const CategoryScore& score : (*verdict)->categories)
      std::cout << "  " << to_string(score.category) << '\n';
    if ((*verdict)->refusal)
      std::cout << "  refusal: " << ((*verdict)->refusal->value ? "yes" : "no") << '\n';
  }
}
