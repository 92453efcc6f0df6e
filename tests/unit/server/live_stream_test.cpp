// SPDX-License-Identifier: Apache-2.0
#include "server/doors/live_stream.hpp"

#include <future>
#include <random>

#include "q3g_catch.hpp"
#include "tiny_models.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

/// A stream, step by step.
class Client {
 public:
  explicit Client(StreamPool& pool)
      : pool_(pool), live_(std::make_shared<LiveStream>(pool, StreamOptions())) {
    std::promise<Status> opened;
    pool_.post([&](StreamBatch& batch) { opened.set_value(live_->open(batch)); });
    REQUIRE(opened.get_future().get().ok());
  }
  ~Client() {
    pool_.post([live = live_](StreamBatch& batch) { live->close(batch); });
  }
  [[nodiscard]] Result<StreamOutcome> take(const StreamStep& step) {
    std::promise<Result<StreamOutcome>> done;
    pool_.post([&](StreamBatch& batch) {
      live_->take(batch, step, [&](Result<StreamOutcome> outcome) { done.set_value(std::move(outcome)); });
    });
    return done.get_future().get();
  }

 private:
  StreamPool& pool_;
  std::shared_ptr<LiveStream> live_;
};

StreamStep text_step(std::string text, bool ends_turn = false) {
  StreamStep step;
  step.text = std::move(text);
  step.ends_turn = ends_turn;
  return step;
}
StreamStep prompt_step(std::string prompt) {
  StreamStep step;
  step.prompt = std::move(prompt);
  return step;
}

/// What a client has that keeps verdicts [0, first) and takes the others from the reply.
std::vector<std::string> follow(std::vector<std::string> tokens, const StreamOutcome& outcome) {
  const std::string text = "{" + outcome.json + "}";
  const auto json = wire::JsonValue::parse(text);
  tokens.resize(static_cast<std::size_t>(std::stoul(std::string(json.find("first")->raw()))));
  for (const auto& token : json.find("tokens")->items())
    tokens.push_back(token.find("text")->text() + "|" + token.find("severity")->text());
  return tokens;
}

const char* const kAnswer = "Na\xC3\xAFve people said you are a worthless idiot \xF0\x9F\x98\x80, and left.";

}  // namespace

TEST_CASE("live stream: replies add up to the verdicts of the whole, however the text is cut", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  StreamPool pool(*guard, {});
  std::vector<std::string> whole;
  Decision decision;
  {
    Client client(pool);
    REQUIRE(client.take(prompt_step("Hello")).ok());
    const auto outcome = client.take(text_step(kAnswer, true)).value();
    whole = follow({}, outcome);
    decision = outcome.decision;
    CHECK(outcome.has_ended);
    CHECK(outcome.text == kAnswer);
  }
  for (int round = 0; round < 10; ++round) {
    Client client(pool);
    REQUIRE(client.take(prompt_step("Hello")).ok());
    std::vector<std::string> tokens;
    for (std::string_view rest = kAnswer; !rest.empty();) {
      const std::size_t n = std::min<std::size_t>(rest.size(), 1 + random() % 9);
      tokens = follow(tokens, client.take(text_step(std::string(rest.substr(0, n)))).value());
      rest.remove_prefix(n);
    }
    StreamStep end;
    end.ends_turn = true;
    const auto outcome = client.take(end).value();
    tokens = follow(tokens, outcome);
    CHECK(tokens.size() == whole.size());
    CHECK(outcome.decision.severity == decision.severity);
    CHECK(outcome.decision.position == decision.position);
  }
}

TEST_CASE("live stream: an error leaves the stream as it was, and it can go on", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  StreamPool pool(*guard, {});
  Client client(pool);
  REQUIRE(client.take(prompt_step("Hello")).ok());
  REQUIRE(client.take(text_step("Fine so far. ")).ok());
  const auto broken = client.take(text_step("bad \xFF byte"));
  REQUIRE_FALSE(broken.ok());
  CHECK(broken.error().code == ErrorCode::invalid_utf8);
  StreamStep too_far;
  too_far.rewind_to_byte = 1000;
  CHECK(client.take(too_far).error().code == ErrorCode::invalid_argument);
  StreamStep other_role = text_step("x");
  other_role.role = Role::user;
  CHECK(client.take(other_role).error().code == ErrorCode::invalid_argument);
  StreamStep back = text_step("Better.");
  back.rewind_to_byte = 5;
  REQUIRE(client.take(back).ok());
  const auto end = client.take(text_step("", true)).value();
  CHECK(end.text == "Fine Better.");
  CHECK(end.decision.severity == Severity::safe);
}

TEST_CASE("live stream: the texts of tokens are the turn's, whole characters each", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  StreamPool pool(*guard, {});
  Client client(pool);
  REQUIRE(client.take(prompt_step("Hello")).ok());
  std::string joined;
  for (const std::string& token : follow({}, client.take(text_step(kAnswer, true)).value()))
    joined += token.substr(0, token.find('|'));
  CHECK(joined == kAnswer);
}

TEST_CASE("live stream: a turn goes on without saying whose it is, and none can be ended that is not open",
          "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  StreamPool pool(*guard, {});
  Client client(pool);
  StreamStep end;
  end.ends_turn = true;
  CHECK(client.take(end).error().detail.find("no turn is open") != std::string::npos);
  StreamStep user = text_step("Hel");
  user.role = Role::user;
  REQUIRE(client.take(user).ok());
  REQUIRE(client.take(text_step("lo")).ok());
  const auto outcome = client.take(end).value();
  CHECK(outcome.role == Role::user);
  CHECK(outcome.text == "Hello");
  CHECK(outcome.decision.severity == Severity::safe);
}

TEST_CASE("live stream: of a Gen checkpoint, too", "[server]") {
  const auto guard = test::load_tiny("gen");
  if (!guard.ok()) Q3G_SKIP("built without models");
  StreamPool pool(*guard, {});
  Client client(pool);
  REQUIRE(client.take(prompt_step("Hello")).ok());
  const auto end = client.take(text_step("You are a worthless idiot and nobody likes you.", true)).value();
  CHECK(end.has_ended);
  CHECK(end.decision.severity != Severity::not_judged);
}
