// SPDX-License-Identifier: Apache-2.0
#include "suggest.hpp"

#include <algorithm>
#include <cstdint>

namespace qwen3guard::cli {
namespace {

/// For a sentence of CLI11 with the argument that it repeats.
constexpr std::size_t kMaxParseErrorBytes = 400;

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. Names are short.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> d((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return d[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      at(i, j) =
          std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

std::string did_you_mean(const std::string& name) {
  return name.empty() ? "" : "; did you mean " + name + "?";
}

std::vector<std::string> options_of(const CLI::App& command) {
  std::vector<std::string> out;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  }
  return out;
}

}  // namespace

std::string nearest(std::string_view given, const std::vector<std::string>& names) {
  constexpr std::size_t kLongestName = 64;
  if (given.size() > kLongestName) return "";
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  for (const std::string& name : names) {
    const bool is_short_form = given.size() >= 4 && name.starts_with(given);
    const std::size_t d = is_short_form ? 1 : distance(given, name);
    if (d < best_distance && d <= std::max<std::size_t>(2, given.size() / 4)) {
      best = name;
      best_distance = d;
    }
  }
  return best;
}

void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-' || app.get_subcommands({}).empty()) return;
  std::vector<std::string> names;
  std::string known;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == argv[1]) return check_command(*command, argc - 1, argv + 1);
    names.push_back(command->get_name());
    known += (known.empty() ? "" : ", ") + names.back();
  }
  throw UsageError("unknown command " + quote(argv[1]) + "; expected one of " + known +
                   did_you_mean(nearest(argv[1], names)));
}

std::string explain(const CLI::App& app, const CLI::ParseError& error, const std::string& help_of) {
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) return explain(*chosen.front(), error, help_of + " " + chosen.front()->get_name());
  const std::string help = help_of + " --help";
  for (const std::string& argument : app.remaining()) {
    if (!argument.starts_with('-') || argument == "-") continue;
    const std::string name = argument.substr(0, argument.find('='));
    const std::string with_dashes = "--" + name.substr(std::min(name.find_first_not_of('-'), name.size()));
    return "unknown option " + printable(name) + did_you_mean(nearest(with_dashes, options_of(app))) + " (" +
           help + " shows all)";
  }
  return printable(error.what(), kMaxParseErrorBytes) + " (" + help + " shows how)";
}

}  // namespace qwen3guard::cli
