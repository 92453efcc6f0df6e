// SPDX-License-Identifier: Apache-2.0
#include "measured.hpp"

#include <cstdio>
#include <fstream>

namespace load {

double resident_mib(int pid) {
  if (pid == 0) return 0;
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmRSS:" && status >> kib) return kib / 1024;
  }
  return -1;
}

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

void print_row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line.append(" ").append(cell).append(" |");
  std::puts(line.c_str());
  std::fflush(stdout);
}

void print_head(const std::vector<std::string>& names, std::size_t n_words) {
  print_row(names);
  std::string line = "|";
  for (std::size_t i = 0; i < names.size(); ++i) line += i < n_words ? "---|" : "---:|";
  std::puts(line.c_str());
}

}  // namespace load
