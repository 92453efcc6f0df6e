// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "cli.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

struct VerifyFlags {
  std::string file;
  bool json = false;
};

void run(const VerifyFlags& flags) {
  verify_packed(flags.file).throw_if_error();
  if (!flags.json) return print_line(escaped(flags.file) + ": all checksums match");
  JsonOut json;
  json.begin_output("verified").key("file").string(flags.file).end_object();
  print_line(json.text());
}

}  // namespace

void add_verify_command(CLI::App& app) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* command = app.add_subcommand("verify", "read a packed file and compare all its checksums");
  command->add_option("--model", flags->file, "the packed file")->required();
  command->add_flag("--json", flags->json, "one JSON object");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
