// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "cli.hpp"

namespace qwen3guard::cli {

void add_verify_command(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("verify", "read a packed file and compare all its checksums");
  command->add_option("--model", *file, "the packed file")->required();
  command->callback([file] {
    verify_packed(*file).throw_if_error();
    print_line(escaped(*file) + ": all checksums match");
  });
}

}  // namespace qwen3guard::cli
