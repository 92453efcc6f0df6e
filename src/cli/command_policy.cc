// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli.hpp"
#include "input_lines.hpp"
#include "load_policy.hpp"
#include "wire/conversation_in.hpp"
#include "wire/fields_in.hpp"
#include "wire/verdict_in.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::cli {
namespace {

/// Every file is looked at, so that one run finds all that are refused.
void check_policies(const std::vector<std::string>& files) {
  bool all_good = true;
  for (const std::string& file : files) {
    const auto policy = Policy::load(file);
    if (!policy.ok()) {
      print_error(policy.error().detail);
      all_good = false;
      continue;
    }
    if (files.size() > 1) print_line(escaped(file) + ":");
    print_text(policy->describe());
  }
  if (!all_good) throw CLI::RuntimeError(kExitError);
}

/// The ruling on a line that was stored. Its "content", where a line has one, is the text that was judged.
Ruling rule_again(const Policy& policy, const JsonValue& line) {
  const auto type = line.find("type");
  const std::string name = type && type->kind() == JsonValue::Kind::string ? type->text() : "";
  if (name == "error") return rule_unjudged(policy);
  if (name != "verdict")
    fail("", "not a line of classify --json; expected \"type\" to be \"verdict\" or \"error\"");
  const auto content = line.find("content");
  const std::string text = content ? read_text(*content, "content", InvalidUtf8::replace) : "";
  auto ruling = decide(policy, read_verdict(line), text);
  if (!ruling.ok()) throw LineError(ruling.error().code, ruling.error().detail);
  return *std::move(ruling);
}

/// The line as it was, but for the ruling.
std::string with_ruling(const JsonValue& line, const Ruling& ruling) {
  JsonOut json;
  json.begin_object();
  bool is_done = false;
  for (const JsonValue::Member& member : line.members()) {
    json.key(member.key);
    if (member.key == "ruling") {
      put_ruling(json, ruling);
      is_done = true;
    } else {
      json.raw(member.value.raw());
    }
  }
  if (!is_done) put_ruling(json.key("ruling"), ruling);
  json.end_object();
  return json.text();
}

/// Prints the line with its new ruling, or what is wrong with it. False: something is.
bool decide_line(const Policy& policy, std::string_view text, const std::string& where) {
  std::string id = "null";
  Error error;
  try {
    const JsonValue line = JsonValue::parse(text);
    id = read_id(line, InvalidUtf8::replace);
    print_line(with_ruling(line, rule_again(policy, line)));
    return true;
  } catch (const JsonError& e) {
    error = {ErrorCode::invalid_argument, where + e.what()};
  } catch (const LineError& e) {
    error = {e.code, where + e.what()};
  }
  print_line(error_to_json(rule_unjudged(policy), id, error));
  return false;
}

void decide_lines(const std::string& name_or_file) {
  const Policy policy = load_policy(name_or_file);
  InputLines input;
  std::size_t n_lines = 0, n_failed = 0;
  for (std::string_view text; input.next(text); ++n_lines) {
    if (!decide_line(policy, text, input.at(""))) ++n_failed;
  }
  if (n_failed == 0) return;
  report_failed(n_failed, n_lines);
  throw CLI::RuntimeError(kExitError);
}

}  // namespace

void add_policy_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("policy", "check policies, show them, decide again (docs/policy.md)");
  command->require_subcommand(1);

  auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* check =
      command->add_subcommand("check", "say in plain words what a policy does, or what is wrong in it");
  check->add_option("FILE", *files, "policies, as JSON")->required();
  check->callback([files] { check_policies(*files); });

  auto name = std::make_shared<std::string>();
  CLI::App* show =
      command->add_subcommand("show", "print a policy as JSON, with all that it can say: to begin with");
  show->add_option("POLICY", *name, kPolicyForm)->required();
  show->callback([name] { print_text(load_policy(*name).to_json()); });

  auto other = std::make_shared<std::string>();
  CLI::App* decide = command->add_subcommand(
      "decide", "standard input is what classify --json printed; print it with the ruling of another policy");
  decide->add_option("--policy", *other, kPolicyForm)->required();
  decide->callback([other] { decide_lines(*other); });
}

}  // namespace qwen3guard::cli
