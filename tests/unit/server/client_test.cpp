// SPDX-License-Identifier: Apache-2.0
#include "server/http/client.hpp"

#include <functional>
#include <optional>

#include "q3g_catch.hpp"
#include "server/http/listener.hpp"
#include "server/replies.hpp"

using namespace qwen3guard::server;

namespace {

/// A listener and a client of it on one loop.
class Pair {
 public:
  explicit Pair(Handler handler, const ClientOptions& options = {}) {
    ListenerOptions listener;
    listener.port = 0;
    listener_ = Listener::open(loop, listener, std::move(handler),
                               [](const ApiError& error, std::string_view) { return error_response(error); });
    client = HttpClient::make(loop, parse_url(listener_->address()), options);
  }

  Loop loop;
  std::unique_ptr<HttpClient> client;
  /// That were ever made.
  [[nodiscard]] std::uint64_t n_connections() const { return listener_->stats().n_accepted; }

 private:
  std::unique_ptr<Listener> listener_;
};

/// What became of a request.
struct Outcome {
  int status = 0;
  std::string body;
  bool has_ended = false;
  std::optional<ClientFailure> failure;
};

ClientCallbacks record(Outcome& outcome, std::function<void()> then) {
  ClientCallbacks out;
  out.head = [&](int status, const Headers&) { outcome.status = status; };
  out.piece = [&](std::string_view piece) { outcome.body += piece; };
  out.end = [&, then] { outcome.has_ended = true, then(); };
  out.failed = [&, then](const ClientFailure& failure) { outcome.failure = failure, then(); };
  return out;
}

const std::string kLarge(std::size_t{1} << 20, 'x');

Handler answer_with(const std::string& body) {
  return [body](const std::shared_ptr<Exchange>& exchange) { exchange->reply({200, {}, body}); };
}

}  // namespace

TEST_CASE("http client: requests go and replies come, over one connection", "[server][http]") {
  Pair pair([](const std::shared_ptr<Exchange>& exchange) {
    Request& request = exchange->request();
    exchange->reply(
        {201, {}, request.method + request.path + request.body + std::string(find(request.headers, "x-a"))});
  });
  const std::string body(100'000, 'y');
  std::vector<Outcome> outcomes(4);
  std::function<void(std::size_t)> ask = [&](std::size_t i) {
    if (i == outcomes.size()) return pair.loop.stop();
    ClientRequest request;
    request.method = "POST";
    request.target = "/any?thing";
    request.headers = {{"x-a", "b"}};
    request.body = body;
    pair.client->send(request, record(outcomes[i], [&, i] { ask(i + 1); }));
  };
  ask(0);
  pair.loop.run();
  for (const Outcome& outcome : outcomes) {
    CHECK(outcome.status == 201);
    CHECK(outcome.has_ended);
    CHECK(outcome.body == "POST/any" + body + "b");
  }
  CHECK(pair.n_connections() == 1);
}

TEST_CASE("http client: a paused call reads nothing, and loses nothing", "[server][http]") {
  Pair pair(answer_with(kLarge));
  Outcome outcome;
  ClientCallbacks callbacks = record(outcome, [&] { pair.loop.stop(); });
  std::shared_ptr<ClientCall> call;
  std::unique_ptr<Loop::Timer> timer;
  std::size_t n_at_pause = 0;
  callbacks.piece = [&](std::string_view piece) {
    outcome.body += piece;
    if (timer) return;
    call->pause();
    n_at_pause = outcome.body.size();
    timer = pair.loop.after(std::chrono::milliseconds(50), [&] {
      CHECK(outcome.body.size() == n_at_pause);
      call->resume();
    });
  };
  ClientRequest request;
  request.max_reply_bytes = kLarge.size();
  call = pair.client->send(request, callbacks);
  pair.loop.run();
  CHECK(n_at_pause < kLarge.size());
  CHECK(outcome.body == kLarge);
}

TEST_CASE("http client: nothing is called behind cancel()", "[server][http]") {
  for (const bool in_head : {true, false}) {
    Pair pair(answer_with(kLarge));
    Outcome outcome;
    std::shared_ptr<ClientCall> call;
    ClientCallbacks callbacks = record(outcome, [] {});
    const auto cancel = [&] {
      call->cancel();
      call->cancel();
    };
    if (in_head) {
      callbacks.head = [&](int, const Headers&) { cancel(); };
    } else {
      callbacks.piece = [&](std::string_view) { cancel(); };
    }
    call = pair.client->send({}, callbacks);
    const auto timer = pair.loop.after(std::chrono::milliseconds(100), [&] { pair.loop.stop(); });
    pair.loop.run();
    CHECK_FALSE(outcome.has_ended);
    CHECK_FALSE(outcome.failure.has_value());
    CHECK(outcome.body.empty());
  }
}

TEST_CASE("http client: failures say what a gateway would", "[server][http]") {
  std::vector<std::shared_ptr<Exchange>> held;
  ClientOptions options;
  options.stall_timeout = std::chrono::milliseconds(100);
  Pair pair(
      [&](const std::shared_ptr<Exchange>& exchange) {
        const std::string& path = exchange->request().path;
        if (path == "/stall") return held.push_back(exchange);
        if (path == "/large") return exchange->reply({200, {}, kLarge});
        exchange->begin(200, {});
        exchange->write("half");
        exchange->abort();
      },
      options);
  Outcome stalled, large, dead;
  int n_left = 3;
  const auto count = [&] {
    if (--n_left == 0) pair.loop.stop();
  };
  const auto ask = [&](const char* target, Outcome& outcome) {
    ClientRequest request;
    request.target = target;
    request.max_reply_bytes = 1000;
    pair.client->send(request, record(outcome, count));
  };
  ask("/stall", stalled);
  ask("/large", large);
  ask("/dead", dead);
  pair.loop.run();
  held.clear();  // before the loop ends
  REQUIRE(stalled.failure.has_value());
  CHECK(stalled.failure->status == 504);
  REQUIRE(large.failure.has_value());
  CHECK(large.failure->status == 502);
  CHECK(large.body.size() <= 1000);
  REQUIRE(dead.failure.has_value());
  CHECK(dead.failure->status == 502);
}
