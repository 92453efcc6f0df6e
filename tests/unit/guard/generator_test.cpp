// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

const std::vector<Message> kMessages = {{Role::user, "Tell me a story."}};

std::vector<TokenId> generate(Generator& generator, int n) {
  std::vector<TokenId> out;
  for (int i = 0; i < n; ++i) out.push_back(generator.next().value());
  return out;
}

Generator open(const Guard& guard, float temperature, std::uint64_t seed = 1) {
  SamplingOptions options;
  options.temperature = temperature;
  options.seed = seed;
  Generator generator = guard.open_generator(options).value();
  generator.set_conversation(kMessages).throw_if_error();
  return generator;
}

}  // namespace

TEST_CASE("generator: greedy is the argmax of the logits, step by step", "[generator]") {
  const Guard guard = test::load_tiny("gen").value();
  Generator generator = guard.open_generator({0.0F, 0, 1.0F, 0}).value();
  std::vector<TokenId> ids =
      guard.tokenizer()->encode("<|im_start|>user\nHello", SpecialTokens::recognized).value();
  REQUIRE(generator.set_tokens(ids).ok());
  for (int i = 0; i < 8; ++i) {
    const auto logits = guard.logits(ids, true).value()[0].values;
    const auto best = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    REQUIRE(generator.next().value() == best);
    ids.push_back(best);
    CHECK(generator.position() == static_cast<std::int32_t>(ids.size()));
  }
}

TEST_CASE("generator: the conversation is rendered as the guard renders it", "[generator]") {
  const Guard guard = test::load_tiny("gen").value();
  Generator a = open(guard, 0), b = guard.open_generator({0.0F, 0, 1.0F, 0}).value();
  const auto ids =
      guard.tokenizer()
          ->encode(
              "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
              SpecialTokens::recognized)
          .value();
  REQUIRE(b.set_tokens(ids).ok());
  CHECK(a.position() == b.position());
  CHECK(generate(a, 5) == generate(b, 5));
}

TEST_CASE("generator: a seed is the text, another try is another text", "[generator]") {
  const Guard guard = test::load_tiny("gen").value();
  Generator a = open(guard, 1.5F, 7), b = open(guard, 1.5F, 7), c = open(guard, 1.5F, 8);
  const std::int32_t begin = a.position();
  const auto first = generate(a, 30);
  CHECK(first == generate(b, 30));
  CHECK(first != generate(c, 30));
  REQUIRE(a.rewind(begin).ok());
  CHECK(a.position() == begin);
  CHECK(generate(a, 30) != first);
}

TEST_CASE("generator: after a rewind greedy writes the same again", "[generator]") {
  const Guard guard = test::load_tiny("gen").value();
  Generator generator = open(guard, 0);
  const std::int32_t begin = generator.position();
  const auto all = generate(generator, 20);
  for (const std::int32_t n : {20, 13, 1, 0}) {
    CAPTURE(n);
    REQUIRE(generator.rewind(begin + n).ok());
    CHECK(generate(generator, 20 - n) == std::vector<TokenId>(all.begin() + n, all.end()));
  }
  // A conversation that goes on is read from where it differs; the text is that of a new generator.
  std::vector<Message> more = kMessages;
  more.push_back({Role::assistant, "Once."});
  more.push_back({Role::user, "Go on."});
  Generator fresh = guard.open_generator({0.0F, 0, 1.0F, 0}).value();
  REQUIRE(generator.set_conversation(more).ok());
  REQUIRE(fresh.set_conversation(more).ok());
  CHECK(generate(generator, 10) == generate(fresh, 10));
}

TEST_CASE("generator: errors leave it as it was", "[generator]") {
  CHECK(test::load_tiny("stream").value().open_generator().error().code == ErrorCode::unsupported_model);
  GuardOptions small;
  small.max_context_tokens = 40;
  const Guard guard = test::load_tiny("gen", small).value();
  CHECK(guard.open_generator({-1.0F, 0, 1.0F, 0}).error().code == ErrorCode::invalid_argument);
  Generator generator = guard.open_generator().value();
  CHECK(generator.next().error().code == ErrorCode::invalid_argument);
  CHECK(generator.set_conversation({}).error().code == ErrorCode::invalid_argument);
  CHECK(generator.set_conversation(std::vector<Message>{{Role::assistant, "x"}}).error().code ==
        ErrorCode::invalid_argument);
  CHECK(generator.set_conversation(std::vector<Message>{{Role::user, "\xFF"}}).error().code ==
        ErrorCode::invalid_utf8);
  CHECK(generator.set_tokens({}).error().code == ErrorCode::invalid_argument);
  CHECK(generator.set_tokens(std::vector<TokenId>{1, -1}).error().code == ErrorCode::token_out_of_range);
  CHECK(generator.set_tokens(std::vector<TokenId>(41, 1)).error().code == ErrorCode::context_full);
  REQUIRE(generator.set_tokens(std::vector<TokenId>(38, 1)).ok());
  CHECK(generator.rewind(39).error().code == ErrorCode::invalid_argument);
  CHECK(generator.rewind(-1).error().code == ErrorCode::invalid_argument);
  CHECK(generator.next().ok());
  CHECK(generator.next().ok());
  CHECK(generator.next().error().code == ErrorCode::context_full);
  CHECK(generator.position() == 40);
  CHECK(generator.is_end(guard.tokenizer()->find_added("<|im_end|>").value()));
  CHECK_FALSE(generator.is_end(1));
}
