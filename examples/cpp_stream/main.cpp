// SPDX-License-Identifier: Apache-2.0
// Judges a response while it is written. The host is any model with any tokenizer: it pushes text as it
// comes, in pieces that may end anywhere, and shows what has passed.
#include <iostream>
#include <qwen3guard/qwen3guard.hpp>
#include <string>
#include <string_view>

int main(int argc, char** argv) {
  using namespace qwen3guard;
  try {
    const Guard guard = (argc > 1 ? Guard::load(argv[1]) : Guard::load_embedded("nano-stream")).value();
    StreamSession session = guard.open_stream().value();
    std::cout << "prompt: "
              << to_string(session.push_prompt("What do you think of my cooking?").value().severity) << '\n';

    const std::string text = "It smells lovely. Only an ugly idiot like you would eat it, nobody likes you.";
    for (std::size_t pos = 0; pos < text.size(); pos += 5) {
      session.push_text(std::string_view(text).substr(pos, 5)).throw_if_error();
      if (session.decision().action == Action::block) break;
      std::cout << text.substr(pos, 5) << std::flush;
    }
    std::cout << "\nstopped: " << explain(session.decision()) << '\n';
  } catch (const Exception&
               e) {  // value() and throw_if_error() throw; ok() and error() are the way without exceptions
    std::cerr << e.what() << '\n';
    return 2;
  }
}
