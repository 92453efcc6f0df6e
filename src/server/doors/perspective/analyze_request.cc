// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/analyze_request.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/doors/perspective/google_error.hpp"
#include "wire/fields_in.hpp"

namespace qwen3guard::server {
namespace {

using Kind = wire::JsonValue::Kind;

std::string place_of(const std::string& where, std::string_view key) {
  return where.empty() ? std::string(key) : where + "." + std::string(key);
}

/// A misspelt member is not to be a wish that nobody hears.
void check_members(const wire::JsonValue& object, const std::string& where,
                   std::initializer_list<std::string_view> known) {
  if (object.kind() != Kind::object)
    throw BadRequestError(where + ": " + to_string(object.kind()) + "; expected an object", where);
  for (const auto& member : object.members()) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    const std::string place = place_of(where, printable(member.key));
    std::string message = place + ": unknown; expected ";
    for (const std::string_view name : known) {
      message += name == *known.begin() ? "" : ", ";
      message += name;
    }
    throw BadRequestError(message, place);
  }
}

/// An object's member; nothing where it is missing or null.
std::optional<wire::JsonValue> member(const wire::JsonValue& object, std::string_view key) {
  auto value = object.find(key);
  if (value && value->kind() == Kind::null) return std::nullopt;
  return value;
}

std::optional<std::string> text_member(const wire::JsonValue& object, const std::string& where,
                                       std::string_view key) {
  const auto value = member(object, key);
  if (!value) return std::nullopt;
  return wire::read_text(*value, place_of(where, key), InvalidUtf8::reject);
}

/// The text of a comment or of its context; nothing where there is none.
std::optional<std::string> read_entry(const wire::JsonValue& entry, const std::string& where) {
  check_members(entry, where, {"text", "type"});
  const std::string type = text_member(entry, where, "type").value_or("PLAIN_TEXT");
  const std::string place = place_of(where, "type");
  if (type == "HTML")
    throw BadRequestError(place +
                              ": HTML is not judged, as markup may hide what a reader sees; send the "
                              "text as PLAIN_TEXT",
                          place);
  if (type != "PLAIN_TEXT" && type != "TEXT_TYPE_UNSPECIFIED")
    throw BadRequestError(place + ": " + quote(type, 40) + "; expected PLAIN_TEXT", place);
  return text_member(entry, where, "text");
}

std::string read_comment(const wire::JsonValue& body) {
  const auto comment = member(body, "comment");
  std::string text = comment ? read_entry(*comment, "comment").value_or("") : "";
  if (text.empty()) throw AnalyzeError("the comment is empty", "comment.text", kCommentEmpty);
  if (text.size() > kMaxCommentBytes)
    throw AnalyzeError("the comment has " + std::to_string(text.size()) + " bytes; expected at most " +
                           std::to_string(kMaxCommentBytes),
                       "comment.text", kCommentTooLong);
  return text;
}

/// The comment is judged alone: whoever wrote what it answers is not to have a say in how it is judged. But
/// what is no context is refused.
void check_context(const wire::JsonValue& body) {
  const auto context = member(body, "context");
  if (!context) return;
  check_members(*context, "context", {"entries", "articleAndParentComment"});
  const auto entries = member(*context, "entries");
  const auto article = member(*context, "articleAndParentComment");
  if (entries && article)
    throw BadRequestError("context: entries or articleAndParentComment; expected one of them", "context");
  if (entries) {
    if (entries->kind() != Kind::array)
      throw BadRequestError(
          std::string("context.entries: ") + to_string(entries->kind()) + "; expected an array",
          "context.entries");
    const auto items = entries->items();
    for (std::size_t i = 0; i < items.size(); ++i)
      static_cast<void>(read_entry(items[i], wire::index("context.entries", i)));
  }
  if (article) {
    const std::string where = "context.articleAndParentComment";
    check_members(*article, where, {"article", "parentComment"});
    for (const char* key : {"article", "parentComment"}) {
      if (const auto entry = member(*article, key))
        static_cast<void>(read_entry(*entry, place_of(where, key)));
    }
  }
}

double read_threshold(const wire::JsonValue& options, const std::string& where) {
  const auto value = member(options, "scoreThreshold");
  if (!value) return 0;
  const std::string_view raw = value->raw();
  double threshold = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), threshold);
  // A threshold of 80, meant as per cent, would hide every score.
  if (error != std::errc() || end != raw.data() + raw.size() || !(threshold >= 0 && threshold <= 1)) {
    const std::string place = place_of(where, "scoreThreshold");
    throw BadRequestError(place + ": " + quote(raw, 40) + "; expected a number from 0 to 1", place);
  }
  return threshold;
}

double read_options(const wire::JsonValue& options, const std::string& where) {
  if (options.kind() == Kind::null) return 0;
  check_members(options, where, {"scoreType", "scoreThreshold"});
  const std::string type = text_member(options, where, "scoreType").value_or("PROBABILITY");
  if (type != "PROBABILITY" && type != "SCORE_TYPE_UNSPECIFIED") {
    const std::string place = place_of(where, "scoreType");
    throw BadRequestError(place + ": " + quote(type, 40) + "; expected PROBABILITY", place);
  }
  return read_threshold(options, where);
}

std::vector<AnalyzeRequest::Wanted> read_wanted(const wire::JsonValue& body) {
  const std::string where = "requestedAttributes";
  const auto requested = member(body, where);
  if (requested && requested->kind() != Kind::object)
    throw BadRequestError(where + ": " + to_string(requested->kind()) + "; expected an object", where);
  const bool may_drop = optional_flag(body, "dropUnsupportedAttributes");
  std::vector<AnalyzeRequest::Wanted> wanted;
  std::string unknown, without_counterpart;
  for (const auto& [name, options] :
       requested ? requested->members() : std::vector<wire::JsonValue::Member>()) {
    const double threshold = read_options(options, where + "." + printable(name));
    if (const Attribute* attribute = find_attribute(name)) {
      wanted.push_back({attribute, threshold});
    } else {
      std::string& names = is_without_counterpart(name) ? without_counterpart : unknown;
      names += (names.empty() ? "" : ", ") + quote(name, 60);
    }
  }
  const std::string offered = "; offered are " + offered_attributes();
  if (!unknown.empty()) throw BadRequestError(where + ": unknown attributes " + unknown + offered, where);
  if (!without_counterpart.empty() && !may_drop)
    throw BadRequestError(where + ": " + without_counterpart +
                              " would be a guess, as the model judges harm and nothing else" + offered +
                              R"(. With "dropUnsupportedAttributes": true the others are answered)",
                          where);
  if (wanted.empty()) throw AnalyzeError(where + ": none" + offered, where, kNoRequestedAttributes);
  return wanted;
}

/// The model judges all of its languages without being told which; they are only sent back.
std::vector<std::string> read_languages(const wire::JsonValue& body) {
  const auto languages = member(body, "languages");
  if (!languages) return {};
  if (languages->kind() != Kind::array)
    throw BadRequestError(std::string("languages: ") + to_string(languages->kind()) + "; expected an array",
                          "languages");
  std::vector<std::string> out;
  const auto items = languages->items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string place = wire::index("languages", i);
    out.push_back(wire::read_text(items[i], place, InvalidUtf8::reject));
    constexpr std::string_view kCodeCharacters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    constexpr std::size_t kMaxCodeBytes = 35;  // RFC 5646, section 4.4.1
    if (out.back().empty() || out.back().size() > kMaxCodeBytes ||
        out.back().find_first_not_of(kCodeCharacters) != std::string::npos)
      throw BadRequestError(place + ": " + quote(out.back(), 40) + R"(; expected a code such as "en")",
                            place);
  }
  return out;
}

}  // namespace

AnalyzeRequest read_analyze_request(const wire::JsonValue& body) {
  check_members(body, "",
                {"comment", "context", "requestedAttributes", "languages", "doNotStore", "clientToken",
                 "sessionId", "communityId", "spanAnnotations", "dropUnsupportedAttributes"});
  AnalyzeRequest request;
  request.text = read_comment(body);
  check_context(body);
  request.wanted = read_wanted(body);
  request.languages = read_languages(body);
  request.client_token = optional_text(body, "clientToken");
  // These say whose comment it is, which changes nothing here.
  for (const char* key : {"sessionId", "communityId"}) static_cast<void>(optional_text(body, key));
  request.wants_spans = optional_flag(body, "spanAnnotations");
  request.is_private = optional_flag(body, "doNotStore");
  return request;
}

}  // namespace qwen3guard::server
