// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>

namespace load {
namespace {

constexpr const char* kUsage =
    "server_bench --url http://127.0.0.1:8080 [--key KEY] [--pid N] [--clients 1,8,64] [--seconds 5]\n"
    "             [--kind verdict|streamed|both]\n"
    "             [--peer-url URL [--peer-path /v1/moderations|/v1/chat/completions] [--peer-model NAME]]\n"
    "             [--overhead] [--load 1,2,10] [--idle-streams 1000] [--slow-clients 30] [--soak SECONDS]";

double number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0) || value > 1e9)
    throw std::runtime_error(text + ": expected a positive number");
  return value;
}

std::vector<double> numbers(const std::string& text) {
  std::vector<double> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    out.push_back(number(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

void read_kind(Options& options, const std::string& kind) {
  options.verdicts = kind == "verdict" || kind == "both";
  options.streamed = kind == "streamed" || kind == "both";
  if (!options.verdicts && !options.streamed) throw std::runtime_error(kUsage);
}

}  // namespace

Options read_options(int argc, char** argv) {
  Options options;
  const auto count = [](const std::string& text) { return static_cast<std::size_t>(number(text)); };
  const std::map<std::string, std::function<void(const std::string&)>> with_value = {
      {"--url", [&](const std::string& value) { options.url = value; }},
      {"--key", [&](const std::string& value) { options.key = value; }},
      {"--peer-url", [&](const std::string& value) { options.peer_url = value; }},
      {"--peer-path", [&](const std::string& value) { options.peer_path = value; }},
      {"--peer-model", [&](const std::string& value) { options.peer_model = value; }},
      {"--kind", [&](const std::string& value) { read_kind(options, value); }},
      {"--seconds", [&](const std::string& value) { options.seconds = number(value); }},
      {"--pid", [&](const std::string& value) { options.pid = static_cast<int>(number(value)); }},
      {"--load", [&](const std::string& value) { options.load = numbers(value); }},
      {"--idle-streams", [&](const std::string& value) { options.n_idle_streams = count(value); }},
      {"--slow-clients", [&](const std::string& value) { options.n_slow_clients = count(value); }},
      {"--soak", [&](const std::string& value) { options.soak_seconds = number(value); }},
      {"--clients", [&](const std::string& value) {
         options.clients.clear();
         for (const double n : numbers(value)) options.clients.push_back(static_cast<std::size_t>(n));
       }}};
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--overhead") {
      options.overhead = true;
      continue;
    }
    const auto found = with_value.find(name);
    if (found == with_value.end() || ++i == argc) throw std::runtime_error(kUsage);
    found->second(argv[i]);
  }
  if (options.url.empty()) throw std::runtime_error(kUsage);
  return options;
}

}  // namespace load
