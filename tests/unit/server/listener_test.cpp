// SPDX-License-Identifier: Apache-2.0
#include "server/http/listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "q3g_catch.hpp"
#include "server/replies.hpp"
#include "temporary_folder.hpp"

using namespace qwen3guard::server;

namespace {

/// A listener on a thread of its own, which answers with the length of the body, or by `handler`.
class Echo {
 public:
  explicit Echo(ListenerOptions options = {}, Handler handler = nullptr) {
    options.port = 0;
    if (!handler) {
      handler = [](const std::shared_ptr<Exchange>& exchange) {
        exchange->reply({200, {}, std::to_string(exchange->request().body.size())});
      };
    }
    listener_ = Listener::open(loop_, options, std::move(handler),
                               [](const ApiError& error, std::string_view) { return error_response(error); });
    const std::string address = listener_->address();
    port_ = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Echo() {
    loop_.post([this] { loop_.stop(); });
    thread_.join();
  }

  /// What comes back for these bytes until the server closes, or has sent `expected` replies' worth of
  /// "HTTP/1.1".
  [[nodiscard]] std::string talk(const std::string& bytes) const {
    const int s = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port_);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(s, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    static_cast<void>(::send(s, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    std::string out;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(s, buffer, sizeof buffer, 0)) > 0;)
      out.append(buffer, static_cast<std::size_t>(n));
    ::close(s);
    return out;
  }

 private:
  Loop loop_;
  std::unique_ptr<Listener> listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string post(const std::string& body, const std::string& more = "") {
  return "POST / HTTP/1.1\r\nhost: x\r\n" + more + "content-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
const char* const kClose = "connection: close\r\n";

}  // namespace

TEST_CASE("listener: requests one behind another on one connection are answered in order", "[server]") {
  const Echo echo;
  const std::string out = echo.talk(post("a") + post("bb") + post("ccc", kClose));
  const std::size_t one = out.find("\r\n\r\n1HTTP/1.1 200"), two = out.find("\r\n\r\n2HTTP/1.1 200");
  CHECK(one < two);
  CHECK(two != std::string::npos);
  CHECK(out.ends_with("\r\n\r\n3"));
}

TEST_CASE(
    "listener: what is no good request is refused in the shape of all errors, and the connection closed",
    "[server]") {
  ListenerOptions options;
  options.max_body_bytes = 10;
  const Echo echo(options);
  CHECK(echo.talk(post("elevenbytes")).starts_with("HTTP/1.1 413"));
  CHECK(
      echo.talk(
              "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nb\r\nelevenbytes\r\n0\r\n\r\n")
          .starts_with("HTTP/1.1 413"));
  CHECK(
      echo.talk("GET / HTTP/1.1\r\nx: " + std::string(20'000, 'a') + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  for (const std::string bytes :
       {"hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: "
        "identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    CAPTURE(bytes);
    const std::string out = echo.talk(bytes);
    CHECK(out.starts_with("HTTP/1.1 400"));
    CHECK(out.find("{\"error\":{") != std::string::npos);
    CHECK(out.find("\r\nx-request-id: req-") != std::string::npos);
    CHECK(out.find("HTTP/1.1", 8) == std::string::npos);
  }
}

TEST_CASE("listener: a request that was promised is waited for, and asked for", "[server]") {
  const Echo echo;
  const std::string out = echo.talk(
      "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: "
      "2\r\n\r\nab");
  CHECK(out.find("HTTP/1.1 200") != std::string::npos);
  CHECK(out.ends_with("\r\n\r\n2"));
}

TEST_CASE("listener: an exchange that nobody answers is answered with an error", "[server]") {
  const Echo echo({}, [](const std::shared_ptr<Exchange>&) {});
  CHECK(echo.talk(post("a", kClose)).starts_with("HTTP/1.1 500"));
}

TEST_CASE("listener: HTTP/1.0 gets no chunks", "[server]") {
  const Echo echo({}, [](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin(200, {});
    exchange->write("one ");
    exchange->write("two");
    exchange->end();
  });
  const std::string old = echo.talk("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.find("chunked") == std::string::npos);
  CHECK(old.ends_with("\r\n\r\none two"));
  CHECK(echo.talk("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .ends_with("4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"));
}

TEST_CASE("listener: requests with bytes changed at random do not bring it down", "[server]") {
  ListenerOptions options;
  options.read_timeout = std::chrono::milliseconds(200);
  options.idle_timeout = std::chrono::milliseconds(200);
  const Echo echo(options);
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::string good = post("abc", kClose);
  for (int i = 0; i < 40; ++i) {
    std::string bytes = good;
    for (unsigned k = random() % 4; k > 0 && !bytes.empty(); --k) {
      const std::size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = static_cast<char>(random());
          break;
        case 1:
          bytes.erase(at, 1 + random() % 5);
          break;
        default:
          bytes.insert(at, 1 + random() % 5, static_cast<char>(random()));
      }
    }
    static_cast<void>(echo.talk(bytes));
  }
  CHECK(echo.talk(good).ends_with("\r\n\r\n3"));
}

TEST_CASE("listener: a file that is no socket is not taken away for one", "[server]") {
  const q3g_test::TemporaryFolder folder;
  ListenerOptions options;
  options.unix_socket = folder / "file";
  std::ofstream(options.unix_socket) << "precious";
  Loop loop;
  const auto open = [&] { return Listener::open(loop, options, nullptr, nullptr); };
  CHECK_THROWS(open());
  CHECK(std::filesystem::file_size(options.unix_socket) == 8);
  options.unix_socket = folder / "socket";
  {
    const auto listener = open();
    CHECK(listener->address() == "unix:" + options.unix_socket);
    CHECK_THROWS(open());  // somebody answers there
  }
  CHECK_FALSE(std::filesystem::exists(options.unix_socket));
}
