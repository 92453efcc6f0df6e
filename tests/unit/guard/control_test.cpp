// SPDX-License-Identifier: Apache-2.0
// What a host controls from outside: cancelling, memory, models from memory, the log, progress.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory_resource>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "stream_fixture.hpp"
#include "temporary_folder.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

const std::string kPrompt = "How do I kill a Python process?";

std::string long_text(std::size_t n_words) {
  std::string out;
  for (std::size_t i = 0; i < n_words; ++i) out += "bread " + std::to_string(i) + " ";
  return out;
}

/// Counts what it gives out; may refuse.
class CountingMemory final : public std::pmr::memory_resource {
 public:
  std::atomic<std::size_t> n_blocks{0}, n_bytes{0};
  std::atomic<std::int64_t> n_left{std::int64_t{1} << 60};

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (n_left.fetch_sub(1) <= 0) throw std::bad_alloc();
    ++n_blocks;
    n_bytes += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    n_bytes -= bytes;
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("a flag that is up stops every call that runs the model", "[cancel]") {
  const auto flag = std::make_shared<CancelFlag>();
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    ClassifyOptions options;
    options.cancel = flag;
    StreamOptions stream_options;
    stream_options.cancel = flag;
    StreamSession session = guard.open_stream(stream_options).value();
    flag->cancel();
    CHECK(guard.classify_prompt(kPrompt, options).error().code == ErrorCode::cancelled);
    CHECK(guard.classify_response(kPrompt, "No.", options).error().code == ErrorCode::cancelled);
    options.decoder = Decoder::greedy;
    CHECK(guard.classify_prompt(kPrompt, options).error().code == ErrorCode::cancelled);
    options.decoder = Decoder::constrained;
    const std::vector<std::vector<Message>> conversations(3, {{Role::user, kPrompt}});
    for (const auto& verdict : guard.classify_batch(conversations, options))
      CHECK(verdict.error().code == ErrorCode::cancelled);
    const std::vector<TokenId> ids = {1, 2, 3};
    CHECK(guard.logits(ids, true, flag.get()).error().code == ErrorCode::cancelled);
    CHECK(session.push_prompt(kPrompt).error().code == ErrorCode::cancelled);
    CHECK(session.position() == 0);
    flag->reset();
    CHECK(guard.classify_prompt(kPrompt, options).ok());
    for (const auto& verdict : guard.classify_batch(conversations, options)) CHECK(verdict.ok());
    REQUIRE(session.push_prompt(kPrompt).ok());
  }
}

TEST_CASE("a batch that is stopped encodes nothing more", "[cancel]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    GuardOptions small;
    small.max_context_tokens = 600;
    const Guard guard = test::load_tiny(name, small).value();
    ClassifyOptions options;
    const auto flag = std::make_shared<CancelFlag>();
    options.cancel = flag;
    const std::vector<std::vector<Message>> too_long(2, {{Role::user, long_text(2000)}});
    for (const Decoder decoder : {Decoder::constrained, Decoder::greedy}) {
      options.decoder = decoder;
      for (const auto& verdict : guard.classify_batch(too_long, options))
        CHECK(verdict.error().code == ErrorCode::context_full);  // which takes the tokens to know
      flag->cancel();
      for (const auto& verdict : guard.classify_batch(too_long, options))
        CHECK(verdict.error().code == ErrorCode::cancelled);
      flag->reset();
    }
  }
}

TEST_CASE("a packed file's verification is stopped", "[cancel]") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "model.q3g";
  REQUIRE(quantize(test::tiny("gen"), path).ok());
  CancelFlag flag;
  CHECK(verify_packed(path, &flag).ok());
  flag.cancel();
  CHECK(verify_packed(path, &flag).error().code == ErrorCode::cancelled);
}

TEST_CASE("a stopped push leaves the session as it was", "[cancel]") {
  const Guard guard = test::load_tiny("stream").value();
  const auto flag = std::make_shared<CancelFlag>();
  StreamOptions options;
  options.cancel = flag;
  StreamSession session = guard.open_stream(options).value();
  StreamSession untouched = guard.open_stream().value();
  for (StreamSession* s : {&session, &untouched}) {
    REQUIRE(s->push_prompt("Go on.").ok());
    REQUIRE(s->push_text("Once upon a ").ok());
  }
  flag->cancel();
  CHECK(session.push_text("time there was ").error().code == ErrorCode::cancelled);
  flag->reset();
  for (StreamSession* s : {&session, &untouched}) {
    REQUIRE(s->push_text("fox. ").ok());
    REQUIRE(s->end_turn().ok());
  }
  test::check_close(session.verdicts(), untouched.verdicts());
}

TEST_CASE("a fork has a flag of its own", "[cancel]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    const auto flag = std::make_shared<CancelFlag>(), other = std::make_shared<CancelFlag>();
    StreamOptions options;
    options.cancel = flag;
    StreamSession session = guard.open_stream(options).value();
    REQUIRE(session.push_prompt("Go on.").ok());
    StreamSession fork = session.fork().value();
    flag->cancel();
    CHECK(session.push_text(long_text(40)).error().code == ErrorCode::cancelled);
    CHECK(fork.push_text(long_text(40)).ok());
    fork.set_cancel(other);
    other->cancel();
    CHECK(fork.push_text(long_text(40)).error().code == ErrorCode::cancelled);
    fork.set_cancel(nullptr);
    CHECK(fork.push_text(long_text(40)).ok());
  }
}

TEST_CASE("the verdict on a prompt is behind its last byte", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession short_form = guard.open_stream().value(), long_form = guard.open_stream().value();
  const TokenVerdict verdict = short_form.push_prompt(kPrompt).value();
  REQUIRE(long_form.begin_turn(Role::user).ok());
  REQUIRE(long_form.push_text(kPrompt).ok());
  const TokenVerdict same = long_form.end_turn().value().prompt.value();
  CHECK(verdict.byte_begin == static_cast<std::int64_t>(kPrompt.size()));
  CHECK(verdict.byte_begin == same.byte_begin);
  CHECK(verdict.byte_end == same.byte_end);
}

TEST_CASE("a call is stopped from another thread", "[cancel]") {
  const Guard guard = test::load_tiny("gen").value();
  const std::string text = long_text(300);
  ClassifyOptions options;
  const auto flag = std::make_shared<CancelFlag>();
  options.cancel = flag;
  std::atomic<bool> is_done{false};
  std::thread other([&] {
    while (!is_done) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      flag->cancel();
    }
  });
  // The flag stays up, so that one of the calls sees it, at its beginning at the latest.
  auto verdict = guard.classify_prompt(text, options);
  for (int i = 0; i < 1000 && verdict.ok(); ++i) verdict = guard.classify_prompt(text, options);
  is_done = true;
  other.join();
  REQUIRE(!verdict.ok());
  CHECK(verdict.error().code == ErrorCode::cancelled);
}

TEST_CASE("a generator is stopped, and goes on", "[cancel]") {
  const Guard guard = test::load_tiny("gen").value();
  SamplingOptions options;
  const auto flag = std::make_shared<CancelFlag>();
  options.cancel = flag;
  Generator generator = guard.open_generator(options).value();
  const std::vector<Message> messages = {{Role::user, kPrompt}};
  REQUIRE(generator.set_conversation(messages).ok());
  const auto position = generator.position();
  flag->cancel();
  CHECK(generator.next().error().code == ErrorCode::cancelled);
  CHECK(generator.position() == position);
  flag->reset();
  CHECK(generator.next().ok());
}

TEST_CASE("classify_batch tells its progress and can be stopped by it", "[cancel]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    std::vector<std::vector<Message>> conversations(40, {{Role::user, long_text(60)}});
    conversations[3][0].content = "\xFF";  // an error counts as done, before all others
    ClassifyOptions options;
    std::vector<std::size_t> seen;
    options.progress = [&](std::size_t n_done, std::size_t n_total) {
      CHECK(n_total == conversations.size());
      seen.push_back(n_done);
      return true;
    };
    (void)guard.classify_batch(conversations, options);
    REQUIRE(seen.size() == conversations.size() - 1);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
    CHECK(seen.back() == conversations.size());

    options.progress = [](std::size_t n_done, std::size_t) { return n_done < 5; };
    const auto verdicts = guard.classify_batch(conversations, options);
    std::size_t n_ok = 0, n_cancelled = 0;
    for (const auto& verdict : verdicts) {
      n_ok += verdict.ok();
      n_cancelled += !verdict.ok() && verdict.error().code == ErrorCode::cancelled;
    }
    CHECK(n_ok == 4);
    CHECK(n_cancelled == 35);

    options.progress = [](std::size_t, std::size_t) -> bool { throw std::runtime_error("mine"); };
    CHECK(guard.classify_batch(conversations, options)[20].error().code == ErrorCode::internal);
  }
}

TEST_CASE("large blocks come from the given memory and go back to it", "[memory]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const auto memory = std::make_shared<CountingMemory>();
    GuardOptions options;
    options.memory = memory;
    const Verdict expected = test::load_tiny(name).value().classify_prompt(kPrompt).value();
    {
      const Guard guard = test::load_tiny(name, options).value();
      CHECK(guard.classify_prompt(kPrompt).value().probabilities.safe == expected.probabilities.safe);
      StreamSession session = guard.open_stream().value();
      REQUIRE(session.push_prompt(kPrompt).ok());
      REQUIRE(session.push_text("It is easy.").ok());
      // A page of keys and values, and the scratch matrices.
      CHECK(memory->n_blocks > 10);
      CHECK(memory->n_bytes > static_cast<std::size_t>(guard.info().kv_bytes_per_token) * 64);
      const auto fork = session.fork();
      REQUIRE(fork.ok());
    }
    CHECK(memory->n_bytes == 0);
    CHECK(memory.use_count() <= 2);  // this one and the options
  }
}

TEST_CASE("memory that runs out is an error at every place", "[memory]") {
  const auto memory = std::make_shared<CountingMemory>();
  GuardOptions options;
  options.memory = memory;
  std::size_t n_failed = 0;
  for (std::int64_t n = 0; n < 200; ++n) {
    memory->n_left = n;
    const auto guard = test::load_tiny("gen", options);
    const auto verdict = guard.ok() ? guard->classify_prompt(kPrompt) : Result<Verdict>(guard.error());
    if (verdict.ok()) break;
    ++n_failed;
    REQUIRE(verdict.error().code == ErrorCode::out_of_memory);
  }
  CHECK(n_failed > 5);
  CHECK(n_failed < 200);
  CHECK(memory->n_bytes == 0);
}

TEST_CASE("a packed model is loaded from memory and its bytes are let go", "[memory]") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "model.q3g";
  REQUIRE(quantize(test::tiny("gen"), path).ok());
  const Verdict expected = Guard::load(path).value().classify_prompt(kPrompt).value();
  // Shifted, so that every matrix has to be copied; and as it is.
  for (const std::size_t shift : {std::size_t{0}, std::size_t{1}}) {
    CAPTURE(shift);
    auto bytes = std::make_shared<std::vector<std::byte>>(shift);
    const std::vector<std::byte> file = read_file(path);
    bytes->insert(bytes->end(), file.begin(), file.end());
    const std::weak_ptr<std::vector<std::byte>> watch = bytes;
    std::optional<StreamSession> session;
    {
      const ModelFile packed{"any name", std::span(*bytes).subspan(shift)};
      const Guard guard = Guard::load_memory({&packed, 1}, std::move(bytes)).value();
      CHECK(guard.classify_prompt(kPrompt).value().probabilities.safe == expected.probabilities.safe);
      session = guard.open_stream().value();
    }
    CHECK(!watch.expired());  // the session still reads them
    CHECK(session->push_prompt(kPrompt).ok());
    session.reset();
    CHECK(watch.expired());
  }
}

TEST_CASE("a checkpoint folder is loaded from memory, and what is wrong is named", "[memory]") {
  const std::filesystem::path folder = test::tiny("stream");
  std::vector<std::string> names = {"config.json", "model.safetensors", "tokenizer.json"};
  std::vector<std::vector<std::byte>> contents;
  std::vector<ModelFile> files;
  for (const std::string& name : names) contents.push_back(read_file(folder / name));
  for (std::size_t i = 0; i < names.size(); ++i) files.push_back({names[i], contents[i]});
  const Verdict expected = test::load_tiny("stream").value().classify_prompt(kPrompt).value();
  CHECK(Guard::load_memory(files, nullptr).value().classify_prompt(kPrompt).value().probabilities.unsafe ==
        expected.probabilities.unsafe);

  CHECK(Guard::load_memory({}, nullptr).error().code == ErrorCode::invalid_argument);
  const auto without_weights = Guard::load_memory(std::vector<ModelFile>{files[0], files[2]}, nullptr);
  CHECK(without_weights.error().code == ErrorCode::file_not_found);
  CHECK(without_weights.error().detail.find("model.safetensors") != std::string::npos);
  // One file is taken for a packed model.
  CHECK(Guard::load_memory(std::span(files).first(1), nullptr).error().code == ErrorCode::bad_checkpoint);
  CHECK(Guard::load_memory(std::span(files).subspan(1, 1), nullptr).error().code ==
        ErrorCode::bad_checkpoint);
  const std::vector<std::byte> zeros(4096);
  const ModelFile damaged{"zeros", zeros};
  auto owner = std::make_shared<int>(1);
  CHECK(Guard::load_memory({&damaged, 1}, owner).error().code == ErrorCode::bad_checkpoint);
  CHECK(owner.use_count() == 1);
}

TEST_CASE("the log tells what was loaded", "[log]") {
  std::vector<std::string> lines;
  GuardOptions options;
  options.log = [&](LogLevel level, std::string_view line) {
    CHECK(level == LogLevel::info);
    lines.emplace_back(line);
  };
  REQUIRE(test::load_tiny("gen", options).ok());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("tiny/gen") != std::string::npos);
  CHECK(lines[0].find("gen checkpoint") != std::string::npos);
  lines.clear();
  CHECK(!Guard::load("no/such/folder", options).ok());
  CHECK(lines.empty());
  options.log = [](LogLevel, std::string_view) { throw std::runtime_error("mine"); };
  CHECK(test::load_tiny("gen", options).error().code == ErrorCode::internal);
}

TEST_CASE("verdicts from an index on", "[stream]") {
  for (const char* name : {"gen", "stream"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    StreamSession session = guard.open_stream().value();
    CHECK(session.n_verdicts() == 0);
    REQUIRE(session.push_prompt(kPrompt).ok());
    REQUIRE(session.push_text("It is easy, and this is how it is done: close it.").ok());
    const auto all = session.verdicts();
    REQUIRE(all.size() == session.n_verdicts());
    REQUIRE(all.size() > 5);
    for (const std::size_t begin : {std::size_t{0}, std::size_t{3}, all.size(), all.size() + 1}) {
      const auto some = session.verdicts(begin);
      REQUIRE(some.size() == (begin < all.size() ? all.size() - begin : 0));
      if (!some.empty()) CHECK(some.front().position == all[begin].position);
    }
  }
}
