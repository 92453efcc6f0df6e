// SPDX-License-Identifier: Apache-2.0
#include "util/cpu_count.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#ifdef __linux__
#include <sched.h>
#endif

#include "util/error.hpp"
#include "util/exceptions.hpp"
#include "util/mutex.hpp"

namespace qwen3guard::detail {
namespace {

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
#if Q3G_HAS_THREADS
  return static_cast<long>(std::thread::hardware_concurrency());
#else
  return 1;
#endif
}

int processors_of(long quota, long period) noexcept {
  if (quota <= 0 || period <= 0) return 0;
  const long n = quota / period + (quota % period != 0 ? 1 : 0);
  return static_cast<int>(n < kMaxThreads ? n : kMaxThreads);
}

/// The beginning of a small file; empty when there is none.
std::string read_start(const std::string& path) {
  std::string text(std::size_t{1} << 14, '\0');
#ifdef __linux__
  constexpr const char* kMode = "rbe";  // not for the programs that other threads start
#else
  constexpr const char* kMode = "rb";
#endif
  std::FILE* file = std::fopen(path.c_str(), kMode);
  if (file == nullptr) return {};
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

/// Calls read(folder) for the group's folder below `mount` and for every one above it, and returns the lowest
/// number but 0.
template <class Read>
int lowest_of_path(const std::string& mount, std::string_view group, const Read& read) {
  // From inside a container the path may be the host's, of which only a part or nothing is mounted here; one
  // with ".." leads out of what is.
  std::string path(group.find("..") == std::string_view::npos ? group : std::string_view("/"));
  int lowest = 0;
  for (;;) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    if (const int n = read(mount + path); n > 0 && (lowest == 0 || n < lowest)) lowest = n;
    if (path.empty()) return lowest;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

int read_version_2(const std::string& folder) {
  return processors_of_cpu_max(read_start(folder + "/cpu.max").c_str());
}

int read_version_1(const std::string& folder) {
  return processors_of(leading_number(read_start(folder + "/cpu.cfs_quota_us").c_str()),
                       leading_number(read_start(folder + "/cpu.cfs_period_us").c_str()));
}

/// The quota of one line of /proc/self/cgroup, "<number>:<controllers>:<path>"; version 2 names no
/// controllers.
int processors_of_line(const std::string& root, std::string_view line) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
  if (second == std::string_view::npos) return 0;
  const std::string controllers(line.substr(first + 1, second - first - 1));
  const std::string_view group = line.substr(second + 1);
  const std::string mounts = root + "/sys/fs/cgroup";
  if (controllers.empty()) {
    const int n = lowest_of_path(mounts, group, read_version_2);
    return n > 0 ? n : lowest_of_path(mounts + "/unified", group, read_version_2);
  }
  if (("," + controllers + ",").find(",cpu,") == std::string::npos) return 0;
  const int n = lowest_of_path(mounts + "/" + controllers, group, read_version_1);
  return n > 0 ? n : lowest_of_path(mounts + "/cpu", group, read_version_1);
}

long quota_processors() noexcept {
#ifdef __linux__
  return if_memory_lasts([] { return processors_of_cgroups(""); }, [] { return 0; });
#else
  return 0;
#endif
}

}  // namespace

int processors_of_cpu_max(const char* text) noexcept {
  const char* space = std::strchr(text, ' ');
  return processors_of(leading_number(text), space != nullptr ? leading_number(space + 1) : 0);
}

int processors_of_cgroups(const std::string& root) {
  std::string groups = read_start(root + "/proc/self/cgroup");
  if (groups.empty()) groups = "0::/";
  int lowest = 0;
  for (std::size_t begin = 0; begin < groups.size();) {
    const std::size_t end = std::min(groups.find('\n', begin), groups.size());
    const int n = processors_of_line(root, std::string_view(groups).substr(begin, end - begin));
    if (n > 0 && (lowest == 0 || n < lowest)) lowest = n;
    begin = end + 1;
  }
  return lowest;
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

Status check_n_threads(std::int32_t n_threads) {
  if (n_threads >= 0 && n_threads <= kMaxThreads) return {};
  return error(ErrorCode::invalid_argument, "options.n_threads: ", n_threads, "; expected 0 (automatic) to ",
               kMaxThreads);
}

}  // namespace qwen3guard::detail
