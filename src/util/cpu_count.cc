// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "qwen3guard/detail/util/thread_team.hpp"

namespace qwen3guard::detail {
namespace {

constexpr long kMaxThreads = 1024;

/// A positive integer at the start of the text; 0 when there is none.
long leading_number(const char* text) noexcept {
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  return end != text && n > 0 ? n : 0;
}

long available_processors() noexcept {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<long>(std::thread::hardware_concurrency());
}

long quota_processors() noexcept {
#ifdef __linux__
  std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "re");
  if (file == nullptr) return 0;
  char text[64] = {};
  const std::size_t n = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  return n > 0 ? processors_of_cpu_max(text) : 0;
#else
  return 0;
#endif
}

}  // namespace

int processors_of_cpu_max(const char* text) noexcept {
  const long quota = leading_number(text);
  const char* space = std::strchr(text, ' ');
  const long period = space != nullptr ? leading_number(space + 1) : 0;
  if (quota == 0 || period == 0) return 0;
  const long n = quota / period + (quota % period != 0 ? 1 : 0);
  return static_cast<int>(n < kMaxThreads ? n : kMaxThreads);
}

int default_n_threads() noexcept {
  if (const char* variable = std::getenv("OMP_NUM_THREADS"); variable != nullptr) {
    if (const long n = leading_number(variable); n > 0)
      return static_cast<int>(n < kMaxThreads ? n : kMaxThreads);
  }
  long n = available_processors();
  if (const long quota = quota_processors(); quota > 0 && quota < n) n = quota;
  return static_cast<int>(n < 1 ? 1 : n < kMaxThreads ? n : kMaxThreads);
}

}  // namespace qwen3guard::detail
