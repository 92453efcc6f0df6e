// SPDX-License-Identifier: Apache-2.0
#include "server/operations/audit_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/digest.hpp"
#include "wire/json_out.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::server {
namespace {

int open_log(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    throw std::runtime_error("the audit log " + printable(path) +
                             " cannot be opened: " + std::strerror(errno));
  return file;
}

/// RFC 3339, in UTC, with milliseconds.
std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm t{};
  gmtime_r(&seconds, &t);
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900,
                t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, static_cast<int>(ms));
  return buffer.data();
}

std::string line_of(const AuditEntry& entry, bool with_text) {
  wire::JsonOut json;
  json.begin_object();
  json.key("time").string(now_text());
  json.key("request_id").string(entry.request_id);
  if (!entry.key_name.empty()) json.key("key").string(entry.key_name);
  json.key("route").string(to_string(entry.route));
  json.key("model").string(entry.model);
  json.key("model_digest").string(entry.model_digest);
  json.key("role").string(to_string(entry.role));
  wire::put_severity(json.key("severity"), entry.severity);
  json.key("ruling");
  if (entry.ruling != nullptr) {
    wire::put_ruling(json, *entry.ruling);
  } else {
    json.null();
  }
  if (!entry.error.empty()) json.key("error").string(entry.error);
  if (entry.was_let_through) json.key("let_through").boolean(true);
  json.key("text_sha256").string(sha256_hex(entry.text));
  json.key("text_bytes").integer(static_cast<std::int64_t>(entry.text.size()));
  if (with_text && !entry.is_private) json.key("text").string(entry.text);
  json.end_object();
  return json.text() + "\n";
}

}  // namespace

AuditLog::AuditLog(AuditOptions options) : options_(std::move(options)) {
  if (!options_.path.empty()) file_ = open_log(options_.path);
}

AuditLog::~AuditLog() {
  if (file_ >= 0) ::close(file_);
}

void AuditLog::reopen() {
  if (file_ < 0) return;
  const int file = open_log(options_.path);
  ::close(std::exchange(file_, file));
}

void AuditLog::write(const AuditEntry& entry) {
  if (file_ < 0) return;
  // Behind a line that broke off, as the disk was full, the next one begins a line of its own.
  const std::string line = (is_torn_ ? "\n" : "") + line_of(entry, options_.with_text);
  const ssize_t n = ::write(file_, line.data(), line.size());
  is_torn_ = n > 0 ? n != static_cast<ssize_t>(line.size()) : is_torn_;
  if (n != static_cast<ssize_t>(line.size())) ++n_lost_;
}

}  // namespace qwen3guard::server
