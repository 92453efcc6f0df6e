// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <qwen3guard/qwen3guard.hpp>

int main() {
  using namespace qwen3guard;
  const Guard guard =
      Guard::load_embedded("nano-gen").value();  // or Guard::load("path/to/Qwen3Guard-Gen-0.6B")
  const Verdict verdict = guard.classify_prompt("How do I kill a Python process?").value();
  std::cout << to_string(verdict.severity) << " -> " << to_string(verdict.ruling.action) << '\n';

  const Guard stream = Guard::load_embedded("nano-stream").value();
  StreamSession session = stream.open_stream().value();
  const TokenVerdict prompt = session.push_prompt("Tell me a story.").value();
  std::cout << to_string(prompt.severity) << '\n';
  for (const TokenId id :
       stream.tokenizer()->encode("Once upon a time").value()) {  // as your model writes them
    TokenVerdict token;
    session.push_tokens({&id, 1}, {&token, 1}).throw_if_error();
    if (token.action == Action::block) break;
  }
  std::cout << to_string(session.decision().severity) << '\n';
}
