// SPDX-License-Identifier: Apache-2.0
// Judges a response while it is written. A host that shares the model's vocabulary pushes its own token ids;
// here the response is encoded first and pushed one token at a time.
#include <iostream>
#include <qwen3guard/qwen3guard.hpp>

int main(int argc, char** argv) {
  using namespace qwen3guard;
  try {
    const Guard guard = (argc > 1 ? Guard::load(argv[1]) : Guard::load_embedded("nano-stream")).value();
    StreamOptions options;
    options.max_tokens = 1024;  // the cache is allocated for this many, once
    StreamSession session = guard.open_stream(options).value();
    std::cout << "prompt: "
              << to_string(session.push_prompt("What do you think of my cooking?").value().severity) << '\n';

    const auto ids =
        guard.tokenizer()
            ->encode("It smells lovely. Only an ugly idiot like you would eat it, nobody likes you.")
            .value();
    StreamingDecoder decoder(*guard.tokenizer());
    for (const TokenId id : ids) {
      TokenVerdict verdict;
      session.push_tokens({&id, 1}, {&verdict, 1}).throw_if_error();
      std::cout << decoder.push(id).value() << std::flush;
      if (verdict.flagged) {
        std::cout << "  <- stopped: " << to_string(verdict.severity) << ", " << to_string(verdict.category);
        break;
      }
    }
    std::cout << decoder.finish() << '\n';
  } catch (const Exception&
               e) {  // value() and throw_if_error() throw; ok() and error() are the way without exceptions
    std::cerr << e.what() << '\n';
    return 2;
  }
}
