// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <new>
#include <string>

#include "cli.hpp"
#include "eval/commands.hpp"
#include "platform.hpp"
#include "serve/commands.hpp"
#include "suggest.hpp"
#include "try/commands.hpp"
#include "try/console.hpp"

namespace {

int fail(const std::string& message) {
  qwen3guard::cli::print_error(message);
  return qwen3guard::cli::kExitError;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace qwen3guard;
  CLI::App app("Safety moderation with Qwen3Guard models on the CPU.", "qwen3guard");
  app.set_version_flag("--version", std::string("qwen3guard ") + version());
  app.require_subcommand(1);
  cli::add_try_command(app);
  cli::add_classify_command(app);
  cli::add_stream_command(app);
  cli::add_tokenize_command(app);
  cli::add_logits_command(app);
  cli::add_info_command(app);
  cli::add_quantize_command(app);
  cli::add_verify_command(app);
  cli::add_policy_command(app);
#ifdef Q3G_WITH_SERVER
  cli::add_serve_command(app);
#endif
  cli::add_eval_command(app);
  cli::add_calibrate_command(app);
  cli::add_bench_command(app);
  try {
    cli::use_binary_streams();
    cli::use_utf8_arguments(argc, argv);
    cli::check_command(app, argc, argv);
    // Runs the chosen subcommand's callback. A person who gives none can try it.
    if (argc == 1 && cli::Console::is_there()) {
      app.parse("try");
    } else {
      app.parse(argc, argv);
    }
    return cli::kExitOk;
  } catch (const CLI::Success& e) {
    return app.exit(e);  // --help, --version
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();  // a command that has said what was wrong
  } catch (const CLI::ParseError& e) {
    return fail(cli::explain(app, e));
  } catch (const std::bad_alloc&) {
    return fail("not enough memory");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}
