// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "cli.hpp"
#include "platform.hpp"

namespace {

/// One line, whatever the message holds: a file name with a line break must not look like a second message.
int fail(std::string message) {
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  std::fprintf(stderr, "qwen3guard: error: %s\n", message.c_str());
  return qwen3guard::cli::kExitError;
}

/// A first word that is no command gets an error that names it; CLI11 would only say that a command is
/// missing.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::string known;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == argv[1]) return;
    known += (known.empty() ? "" : ", ") + command->get_name();
  }
  throw qwen3guard::cli::UsageError("unknown command \"" + std::string(argv[1]) + "\"; there is " + known);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace qwen3guard;
  CLI::App app("Safety moderation with Qwen3Guard models on the CPU.", "qwen3guard");
  app.set_version_flag("--version", std::string("qwen3guard ") + version());
  app.require_subcommand(1);
  cli::add_classify_command(app);
  cli::add_stream_command(app);
  cli::add_tokenize_command(app);
  cli::add_logits_command(app);
  cli::add_info_command(app);
  cli::add_quantize_command(app);
  cli::add_verify_command(app);
  cli::add_bench_command(app);
  try {
    cli::use_binary_streams();
    cli::use_utf8_arguments(argc, argv);
    check_command(app, argc, argv);
    app.parse(argc, argv);  // runs the chosen subcommand's callback
    return cli::kExitOk;
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help, --version
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();  // a command that has said what was wrong
  } catch (const CLI::ParseError& e) {
    return fail(std::string(e.what()) + " (qwen3guard --help shows how)");
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}
