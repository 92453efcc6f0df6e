// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "measured.hpp"
#include "measurements.hpp"
#include "texts.hpp"
#include "worker.hpp"

namespace load {
namespace {

constexpr const char* kChat = "/v1/chat/completions";

std::string chat_body(std::size_t number, const std::string& model, bool is_streamed) {
  return "{\"model\":" + quoted(model) +
         ",\"messages\":[{\"role\":\"user\",\"content\":" + quoted(prompt_text(number)) +
         "}],\"temperature\":0,\"max_tokens\":64" + (is_streamed ? ",\"stream\":true}" : "}");
}

void print(const std::string& server, const std::string& kind, std::size_t n_clients, const Rate& rate) {
  print_row({server, kind, std::to_string(n_clients), fixed(rate.per_second(), 1),
             fixed(percentile(rate.ms, 50)), fixed(percentile(rate.ms, 99)),
             rate.first_ms.empty() ? "" : fixed(percentile(rate.first_ms, 50)),
             std::to_string(rate.n_errors)});
}

/// n workers that POST bodies; each has numbers of its own.
Workers posters(boost::asio::io_context& io, const Target& target, const std::string& path, std::size_t n,
                const MakeBody& body) {
  Workers workers;
  for (std::size_t i = 0; i < n; ++i)
    workers.push_back(
        make_poster(io, target, path, [body, i](std::size_t number) { return body(i * 100'000 + number); }));
  return workers;
}

}  // namespace

void measure_rates(boost::asio::io_context& io, const Options& options, const Target& ours,
                   const Target* peer) {
  print_head({"server", "kind", "clients", "requests/s", "p50, ms", "p99, ms", "first, ms", "errors"}, 2);
  const auto post = [&](const char* name, const char* kind, const Target& target, const std::string& path,
                        std::size_t n, const MakeBody& body) {
    print(name, kind, n, closed_loop(io, posters(io, target, path, n, body), options.seconds));
  };
  const bool peer_chats = options.peer_path == kChat;
  for (const std::size_t n : options.clients) {
    if (options.verdicts) {
      post("ours", "verdict", ours, "/v1/moderations", n,
           [](std::size_t number) { return moderation_body(prompt_text(number)); });
      if (peer != nullptr)
        post("peer", "verdict", *peer, options.peer_path, n, [&](std::size_t number) {
          return peer_chats ? chat_body(number, options.peer_model, false)
                            : moderation_body(prompt_text(number), options.peer_model);
        });
    }
    if (options.streamed) {
      Workers workers;
      for (std::size_t i = 0; i < n; ++i) workers.push_back(make_streamer(io, ours, i));
      print("ours", "streamed", n, closed_loop(io, std::move(workers), options.seconds));
      if (peer != nullptr && peer_chats)
        post("peer", "streamed", *peer, options.peer_path, n,
             [&](std::size_t number) { return chat_body(number, options.peer_model, true); });
    }
  }
}

}  // namespace load
