// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "measured.hpp"
#include "measurements.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "texts.hpp"

namespace load {

void measure_overhead(boost::asio::io_context& io, const Options& options, const Target& ours) {
  const qwen3guard::Guard guard = qwen3guard::Guard::load_embedded("nano-gen").value();
  const auto client = std::make_shared<Client>(io, ours);
  std::vector<double> in_process_ms, http_ms, beside_ms;
  const auto in_process = [&](std::size_t number) {
    const std::vector<qwen3guard::Message> messages = {{qwen3guard::Role::user, prompt_text(number)}};
    const auto begin = Clock::now();
    guard.classify(messages).throw_if_error();
    in_process_ms.push_back(ms_since(begin));
  };
  const auto over_http = [&](std::size_t number) {
    std::string request =
        ours.request("POST", "/v1/moderations", moderation_body(prompt_text(number), "nano-gen"));
    const auto begin = Clock::now();
    const bool is_ok = wait_for(io, [&](auto done) {
      client->send(std::move(request), [&, begin, done](bool is_whole, Reply& reply) {
        http_ms.push_back(ms_since(begin));
        beside_ms.push_back(http_ms.back() - what_is_said(reply.body).latency_ms);
        done(is_whole && reply.status == 200);
      });
    });
    if (!is_ok) throw std::runtime_error("no verdict from " + options.url);
  };
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(options.seconds));
  for (std::size_t number = 0; number < 20; ++number) in_process(number), over_http(number);  // warms both
  in_process_ms.clear();
  http_ms.clear();
  beside_ms.clear();
  // Who comes first changes, so that what one leaves in the caches is not always the other's.
  for (std::size_t number = 20; Clock::now() < end; ++number) {
    if (number % 2 == 0) {
      in_process(number);
      over_http(number);
    } else {
      over_http(number);
      in_process(number);
    }
  }
  client->close();
  const double inside = percentile(in_process_ms, 50), outside = percentile(http_ms, 50);
  print_head({"verdict of nano-gen", "p50, ms", "p99, ms", "verdicts"});
  print_row({"in process", fixed(inside, 3), fixed(percentile(in_process_ms, 99), 3),
             std::to_string(in_process_ms.size())});
  print_row({"over HTTP, 1 client", fixed(outside, 3), fixed(percentile(http_ms, 99), 3),
             std::to_string(http_ms.size())});
  print_row({"difference", fixed(outside - inside, 3),
             fixed(percentile(http_ms, 99) - percentile(in_process_ms, 99), 3), ""});
  print_row({"over HTTP, less the reply's own latency_ms", fixed(percentile(beside_ms, 50), 3),
             fixed(percentile(beside_ms, 99), 3), ""});
}

}  // namespace load
