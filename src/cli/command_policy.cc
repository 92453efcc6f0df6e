// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "cli.hpp"
#include "load_policy.hpp"

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
}

}  // namespace qwen3guard::cli
