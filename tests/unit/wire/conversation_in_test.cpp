// SPDX-License-Identifier: Apache-2.0
#include "wire/conversation_in.hpp"

#include <fstream>
#include <string>
#include <vector>

#include "guard/conversation/conversation.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "q3g_catch.hpp"
#include "tiny_models.hpp"
#include "tokenizer/tokenizer_files.hpp"

using namespace qwen3guard;
using namespace qwen3guard::wire;

TEST_CASE("conversation in: rendered for Stream checkpoints as the published template does", "[wire]") {
  const auto checkpoint = detail::open_checkpoint(test::tiny("stream"));
  if (!checkpoint.ok()) Q3G_SKIP("built without models");
  const Tokenizer tokenizer = detail::load_tokenizer((*checkpoint)->tokenizer_files()).value();
  // Made by tests/tools/make_chat_template_golden.py.
  std::ifstream in(std::string(Q3G_TEST_DIR) + "/golden/chat_template/conversations.jsonl", std::ios::binary);
  std::size_t n = 0;
  for (std::string line; std::getline(in, line); ++n) {
    CAPTURE(n);
    const JsonValue json = JsonValue::parse(line);
    const std::vector<Message> messages = read_conversation(json, InvalidUtf8::reject);
    const bool is_answer = messages.back().role == Role::assistant;
    const std::vector<TokenId> ids = detail::render_chat(tokenizer, messages, !is_answer).value();
    REQUIRE(tokenizer.decode(ids).value() ==
            json.find("text").value().text() + (is_answer ? "<|im_end|>\n" : ""));
  }
  CHECK(n == 150);
}
