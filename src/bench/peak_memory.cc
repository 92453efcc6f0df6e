// SPDX-License-Identifier: Apache-2.0
#include "bench/peak_memory.hpp"

#ifdef _WIN32
#include <windows.h>
// After windows.h, which it needs.
#include <psapi.h>
#else
#include <sys/resource.h>

#include <cstdio>
#include <memory>
#endif

namespace qwen3guard::bench {

#ifdef _WIN32

std::int64_t peak_resident_bytes() noexcept {
  PROCESS_MEMORY_COUNTERS counters{};
  if (!K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)) return 0;
  return static_cast<std::int64_t>(counters.PeakWorkingSetSize);
}

#else

namespace {

/// Linux: the line "VmHWM: n kB". getrusage() there also counts what the process was before it became this
/// program, as a child of a larger one. -1 without that line.
std::int64_t high_water_mark_kib() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/status", "re"),
                                                             std::fclose);
  char line[256];
  while (file != nullptr && std::fgets(line, sizeof line, file.get()) != nullptr) {
    long long kib = 0;
    if (std::sscanf(line, "VmHWM: %lld", &kib) == 1) return kib;
  }
  return -1;
}

}  // namespace

std::int64_t peak_resident_bytes() noexcept {
  const std::int64_t kib = high_water_mark_kib();
  if (kib >= 0) return kib * 1024;
  struct rusage usage {};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
#endif
}

#endif

}  // namespace qwen3guard::bench
