// SPDX-License-Identifier: Apache-2.0
#include "stream_client.hpp"

#include <utility>

#include "texts.hpp"

namespace load {
namespace {

/// The value of the body's first "id".
std::string id_in(std::string_view body) {
  constexpr std::string_view kId = "\"id\":\"";
  const std::size_t at = body.find(kId);
  if (at == std::string_view::npos) return {};
  body.remove_prefix(at + kId.size());
  return std::string(body.substr(0, body.find('"')));
}

}  // namespace

StreamClient::StreamClient(boost::asio::io_context& io, const Target& target)
    : target_(target),
      pushes_(std::make_shared<Client>(io, target)),
      events_(std::make_shared<Client>(io, target)) {}

StreamClient::~StreamClient() {
  pushes_->close();
  events_->close();
}

void StreamClient::open(const std::string& prompt, EventReader::OnEvent on_event, Done done) {
  open_without_events(prompt,
                      [this, on_event = std::move(on_event), done = std::move(done)](bool is_ok) mutable {
                        if (!is_ok) return done(false);
                        listen(std::move(on_event), std::move(done));
                      });
}

void StreamClient::open_without_events(const std::string& prompt, Done done) {
  const std::string body = prompt.empty() ? "{}" : "{\"prompt\":" + quoted(prompt) + "}";
  pushes_->send(target_.request("POST", "/v1/stream", body),
                [this, done = std::move(done)](bool is_whole, Reply& reply) {
                  if (is_whole && reply.status == 201) id_ = id_in(reply.body);
                  done(!id_.empty());
                });
}

void StreamClient::listen(EventReader::OnEvent on_event, Done done) {
  const auto begun = std::make_shared<Done>(std::move(done));  // called once: when they begin, or at the end
  events_->send(
      target_.request("GET", "/v1/stream/" + id_ + "/events"),
      [begun](bool, Reply&) {
        if (const Done once = std::exchange(*begun, nullptr)) once(false);
      },
      [begun, reader = EventReader(std::move(on_event))](std::string_view piece) mutable {
        if (const Done once = std::exchange(*begun, nullptr)) once(true);
        reader.take(piece);
      });
}

void StreamClient::push(const std::string& text, bool ends, Done done) {
  post("{\"text\":" + quoted(text) + (ends ? ",\"end\":true}" : "}"), std::move(done));
}

void StreamClient::push_anew(const std::string& text, Done done) {
  post("{\"rewind_to_byte\":0,\"text\":" + quoted(text) + "}", std::move(done));
}

void StreamClient::post(const std::string& body, Done done) {
  pushes_->send(
      target_.request("POST", "/v1/stream/" + id_, body),
      [done = std::move(done)](bool is_whole, Reply& reply) { done(is_whole && reply.status == 200); });
}

void StreamClient::remove(Done done) {
  pushes_->send(
      target_.request("DELETE", "/v1/stream/" + id_),
      [done = std::move(done)](bool is_whole, Reply& reply) { done(is_whole && reply.status == 200); });
}

}  // namespace load
