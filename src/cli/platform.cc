// SPDX-License-Identifier: Apache-2.0
#include "platform.hpp"

#include <array>
#include <atomic>
#include <csignal>

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <fcntl.h>
#include <io.h>
// This one first.
#include <windows.h>
//
#include <shellapi.h>

#include <algorithm>
#include <climits>
#include <memory>
#include <new>
#include <string>
#include <vector>
#else
#include <unistd.h>

#include <cerrno>
#endif

namespace qwen3guard::cli {
namespace {

constexpr std::array<int, 2> kInterrupts = {SIGINT, SIGTERM};

/// A signal's handler has no other way to say something.
std::atomic<bool> has_interrupt = false;
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void note_interrupt(int number) {
  has_interrupt = true;
  std::signal(number, SIG_DFL);
}

}  // namespace

InterruptCatcher::InterruptCatcher() {
  has_interrupt = false;
  for (const int number : kInterrupts) {
    // Who runs it with the signal ignored (nohup, a job in the background) keeps that.
    if (std::signal(number, note_interrupt) == SIG_IGN) std::signal(number, SIG_IGN);
  }
}

InterruptCatcher::~InterruptCatcher() {
  for (const int number : kInterrupts) {
    if (std::signal(number, SIG_DFL) == SIG_IGN) std::signal(number, SIG_IGN);
  }
}

bool InterruptCatcher::is_interrupted() noexcept { return has_interrupt; }

#ifdef _WIN32

namespace {

std::string to_utf8(const wchar_t* text) {
  const int size = WideCharToMultiByte(CP_UTF8, 0, text, -1, nullptr, 0, nullptr, nullptr);
  if (size <= 0) return {};
  std::string out(static_cast<std::size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text, -1, out.data(), size, nullptr, nullptr);
  out.pop_back();  // the terminating zero
  return out;
}

}  // namespace

void use_utf8_arguments(int& argc, char**& argv) {
  static std::vector<std::string> arguments;
  static std::vector<char*> pointers;
  int n = 0;
  const std::unique_ptr<wchar_t*, decltype(&LocalFree)> words(CommandLineToArgvW(GetCommandLineW(), &n),
                                                              &LocalFree);
  if (words == nullptr) throw std::bad_alloc();
  for (int i = 0; i < n; ++i) arguments.push_back(to_utf8(words.get()[i]));
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  argc = n;
  argv = pointers.data();
}

void use_binary_streams() {
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
}

std::optional<std::size_t> read_some(char* buffer, std::size_t capacity) {
  const int n =
      _read(_fileno(stdin), buffer, static_cast<unsigned>(std::min<std::size_t>(capacity, INT_MAX)));
  if (n < 0) return std::nullopt;
  return static_cast<std::size_t>(n);
}

bool is_terminal(std::FILE* stream) { return _isatty(_fileno(stream)) != 0; }

#else

void use_utf8_arguments(int&, char**&) {}

void use_binary_streams() {}

std::optional<std::size_t> read_some(char* buffer, std::size_t capacity) {
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, capacity);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) return std::nullopt;
  }
}

bool is_terminal(std::FILE* stream) { return isatty(fileno(stream)) != 0; }

#endif

}  // namespace qwen3guard::cli
