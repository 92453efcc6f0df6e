// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli.hpp"
#include "cli/load_policy.hpp"
#include "cli/serve/commands.hpp"
#include "cli/serve/model_digest.hpp"
#include "server/http/stand_alone.hpp"
#include "server/server.hpp"

namespace qwen3guard::cli {
namespace {

struct ServeFlags {
  ModelFlags model;
  std::vector<std::string> models, policies;
  double read_timeout_s = 15, write_timeout_s = 30, time_limit_s = 30, stop_timeout_s = 30,
         session_timeout_s = 300;
  double upstream_connect_timeout_s = 10, upstream_stall_timeout_s = 60;
  server::ServerOptions options;
};

std::chrono::milliseconds ms_of(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

/// "name=path", or a path or an embedded model's name, which is its own.
struct NamedModel {
  std::string name, model;
};

NamedModel parse_model(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return {text, text};
  NamedModel named = {text.substr(0, equals), text.substr(equals + 1)};
  if (named.name.empty() || named.model.empty())
    throw UsageError("--model " + printable(text) + ": expected NAME=MODEL, or a model alone");
  return named;
}

std::vector<server::ModelToServe> load_models(const ServeFlags& flags) {
  std::vector<std::string> wanted = flags.models;
  if (wanted.empty()) wanted = Guard::embedded_models();
  if (wanted.empty()) throw UsageError("this build has no models of its own: give --model");
  std::vector<server::ModelToServe> out;
  for (const std::string& text : wanted) {
    const NamedModel named = parse_model(text);
    const bool is_there =
        std::any_of(out.begin(), out.end(), [&](const auto& one) { return one.name == named.name; });
    if (is_there) throw UsageError("two models are named " + printable(named.name));
    ModelFlags model = flags.model;
    model.model = named.model;
    Guard guard = load_guard(model);
    out.push_back({named.name, model_digest(named.model), std::move(guard)});
  }
  return out;
}

/// The policy of each route: that of "ROUTE=POLICY", else the one that was given alone, else the library's.
std::vector<Policy> load_policies(const std::vector<std::string>& given) {
  std::map<std::string, std::string> by_route;
  for (const std::string& text : given) {
    const std::size_t equals = text.find('=');
    const std::string route = equals == std::string::npos ? "" : text.substr(0, equals);
    by_route[route] = equals == std::string::npos ? text : text.substr(equals + 1);
  }
  std::vector<Policy> out;
  for (int i = 0; i < server::kRouteCount; ++i) {
    const auto own = by_route.find(to_string(static_cast<server::Route>(i)));
    const auto all = by_route.find("");
    const auto found = own != by_route.end() ? own : all;
    out.push_back(found == by_route.end() ? Policy() : load_policy(found->second));
  }
  return out;
}

std::string route_names() {
  std::string names;
  for (int i = 0; i < server::kRouteCount; ++i)
    names += (i > 0 ? ", " : "") + std::string(to_string(static_cast<server::Route>(i)));
  return names;
}

void check_routes(const std::vector<std::string>& given) {
  for (const std::string& text : given) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) continue;
    bool is_known = false;
    for (int i = 0; i < server::kRouteCount; ++i)
      is_known = is_known || text.substr(0, equals) == to_string(static_cast<server::Route>(i));
    if (!is_known)
      throw UsageError("--policy " + printable(text) +
                       ": no such route; expected POLICY or ROUTE=POLICY, with one of " + route_names());
  }
}

/// The names of the models of the library among those that are served.
std::string embedded_among(const ServeFlags& flags) {
  std::string names;
  for (const std::string& text : flags.models.empty() ? Guard::embedded_models() : flags.models) {
    const std::string model = parse_model(text).model;
    if (!is_path(model)) names += (names.empty() ? "" : ", ") + model;
  }
  return names;
}

void serve(const ServeFlags& flags) {
  server::stand_alone();
  server::ServerOptions options = flags.options;
  check_routes(flags.policies);
  if (options.listener.tls_certificate.empty() != options.listener.tls_key.empty())
    throw UsageError("--tls-cert and --tls-key belong together");
  if (!options.listener.unix_socket.empty() && !options.listener.tls_certificate.empty())
    throw UsageError("--unix-socket and --tls-cert: a socket of this machine has no TLS");
  options.listener.read_timeout = ms_of(flags.read_timeout_s);
  options.listener.write_timeout = ms_of(flags.write_timeout_s);
  options.time_limit = ms_of(flags.time_limit_s);
  options.stop_timeout = ms_of(flags.stop_timeout_s);
  options.session_timeout = std::chrono::duration_cast<std::chrono::seconds>(ms_of(flags.session_timeout_s));
  options.upstream.connect_timeout = ms_of(flags.upstream_connect_timeout_s);
  options.upstream.stall_timeout = ms_of(flags.upstream_stall_timeout_s);
  options.models = load_models(flags);
  options.load_policies = [given = flags.policies] { return load_policies(given); };
  options.log = [](std::string_view line) { print_warning(line); };
  const std::string demonstrations = embedded_among(flags);
  const bool has_upstream = !options.upstream.url.empty();
  std::signal(SIGPIPE, SIG_IGN);  // a log whose reader is gone is no reason to end
  server::Server server(std::move(options));
  print_warning("listening on " + server.address());
  if (!demonstrations.empty())
    print_warning(demonstrations + ": demonstrations, which miss much and must not guard anything" +
                  (has_upstream ? "; give --model for a chat that people use" : ""));
  if (!server.run()) throw CLI::RuntimeError(kExitError);
}

void add_limits(CLI::App& command, ServeFlags& flags) {
  server::ServerOptions& o = flags.options;
  const auto positive = CLI::Range(1, 1 << 30);
  const auto seconds = CLI::Range(0.001, 86400.0);
  command.add_option("--max-connections", o.listener.max_connections, "more are turned away with 503")
      ->check(positive)
      ->capture_default_str()
      ->group("Limits");
  command
      .add_option("--max-body-bytes", o.listener.max_body_bytes,
                  "of a request; a longer one is refused with 413")
      ->check(positive)
      ->capture_default_str()
      ->group("Limits");
  command
      .add_option("--max-waiting", o.max_waiting,
                  "conversations that may wait for a model; more are refused with 429")
      ->check(positive)
      ->capture_default_str()
      ->group("Limits");
  command.add_option("--max-batch", o.max_batch, "of these, so many are judged together")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str()
      ->group("Limits");
  command.add_option("--max-inputs", o.max_inputs, "texts of one moderation request")
      ->check(positive)
      ->capture_default_str()
      ->group("Limits");
  command.add_option("--max-sessions", o.max_sessions, "streams that may be open; more are refused with 429")
      ->check(positive)
      ->capture_default_str()
      ->group("Limits");
  command
      .add_option("--sessions-memory-bytes", o.sessions_memory_bytes,
                  "that streams of one model may hold together")
      ->check(CLI::Range(std::uint64_t{1} << 20, std::uint64_t{1} << 40))
      ->capture_default_str()
      ->group("Limits");
  command
      .add_option("--session-timeout-s", flags.session_timeout_s,
                  "a stream that nobody uses ends after so many seconds")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str()
      ->group("Limits");
  command
      .add_option("--time-limit-s", flags.time_limit_s,
                  "a verdict that is not begun by then is an error (504)")
      ->check(seconds)
      ->capture_default_str()
      ->group("Limits");
  command.add_option("--read-timeout-s", flags.read_timeout_s, "for a request to come whole")
      ->check(seconds)
      ->capture_default_str()
      ->group("Limits");
  command.add_option("--write-timeout-s", flags.write_timeout_s, "for a client to take any byte of a reply")
      ->check(seconds)
      ->capture_default_str()
      ->group("Limits");
  command
      .add_option("--stop-timeout-s", flags.stop_timeout_s,
                  "at the end, for what was accepted to be answered")
      ->check(seconds)
      ->capture_default_str()
      ->group("Limits");
}

void add_upstream(CLI::App& command, ServeFlags& flags) {
  server::UpstreamOptions& o = flags.options.upstream;
  const auto seconds = CLI::Range(0.001, 86400.0);
  command
      .add_option(
          "--upstream", o.url,
          "a chat server that speaks OpenAI's API, http:// or https://: /v1/chat/completions is passed on "
          "to it, and what it answers is judged before it is shown")
      ->group("Proxy");
  command.add_option("--upstream-ca-file", o.ca_file, "certificates to trust, PEM; without it the system's")
      ->check(CLI::ExistingFile)
      ->group("Proxy");
  command
      .add_option("--upstream-key-file", o.key_file,
                  "a file with the key that is sent, in the client's place")
      ->check(CLI::ExistingFile)
      ->group("Proxy");
  command
      .add_option("--hold-back-tokens", o.hold_back_tokens,
                  "text leaves when so many judged tokens stand behind it")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str()
      ->group("Proxy");
  command.add_option("--block-message", o.block_message, "what stands in the place of what was blocked")
      ->group("Proxy");
  command
      .add_flag("--block-as-error", o.block_as_error,
                "a prompt that is blocked is answered with 400, content_filter, and not with a completion")
      ->group("Proxy");
  command
      .add_flag("--monitor-only", flags.options.monitor_only,
                "the proxy judges and counts, and lets everything through at once")
      ->group("Proxy");
  command.add_option("--upstream-connect-timeout-s", flags.upstream_connect_timeout_s, "for a connection")
      ->check(seconds)
      ->capture_default_str()
      ->group("Proxy");
  command.add_option("--upstream-stall-timeout-s", flags.upstream_stall_timeout_s, "without a byte")
      ->check(seconds)
      ->capture_default_str()
      ->group("Proxy");
}

void add_listener(CLI::App& command, ServeFlags& flags) {
  server::ServerOptions& o = flags.options;
  command.add_option("--host", o.listener.host, "the address to listen on")->capture_default_str();
  command.add_option("--port", o.listener.port, "0: one that is free; the first line on stderr names it")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_option("--unix-socket", o.listener.unix_socket, "a path to listen on, instead");
  command.add_option("--tls-cert", o.listener.tls_certificate, "certificate and chain, PEM: https")
      ->check(CLI::ExistingFile);
  command.add_option("--tls-key", o.listener.tls_key, "its key, PEM")->check(CLI::ExistingFile);
  command.add_option("--keys", o.keys_file,
                     "a file of API keys, a line each: NAME KEY; without it nobody needs one");
  command.add_flag("--allow-remote-without-keys", o.allow_remote_without_keys,
                   "listen where other machines reach it, and let everybody use it");
  command.add_option(
      "--allowed-host", o.allowed_hosts,
      "a name by which clients reach it, any number of times; without keys others are refused, but for "
      "addresses and localhost");
  command.add_option("--cors-origin", o.cors_origin, "an origin whose pages may use it, or *");
  command.add_option("--audit-log", o.audit.path, "a file that gets a JSON line for each verdict");
  command.add_flag("--audit-text", o.audit.with_text,
                   "with the texts that were judged, not their hashes alone");
}

}  // namespace

void add_serve_command(CLI::App& app) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = app.add_subcommand(
      "serve", "answer over HTTP: moderations, verdicts, streams, and a proxy that guards a chat");
  add_model_flags(*command, flags->model);
  command->remove_option(command->get_option("--model"));
  command->add_option(
      "--model", flags->models,
      "NAME=MODEL, or a model alone, any number of times; a model: an embedded model's name, or a path "
      "with a slash or .q3g at its end. Without it: all that are in the program");
  add_template_flags(*command, flags->model);
  command->add_option("--policy", flags->policies,
                      "POLICY for all doors, or ROUTE=POLICY for one (" + route_names() +
                          "): " + kPolicyForm + "; read again at SIGHUP");
  add_listener(*command, *flags);
  add_limits(*command, *flags);
  add_upstream(*command, *flags);
  command->callback([flags] { serve(*flags); });
}

}  // namespace qwen3guard::cli
