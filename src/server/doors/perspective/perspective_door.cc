// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "server/doors/doors.hpp"
#include "server/doors/perspective/analyze_request.hpp"
#include "server/doors/perspective/discovery.hpp"
#include "server/doors/perspective/google_error.hpp"
#include "server/doors/perspective/sentences.hpp"
#include "server/doors/perspective/span_scores.hpp"
#include "server/doors/verdict_json.hpp"
#include "server/http/query.hpp"
#include "server/judging/ask.hpp"

namespace qwen3guard::server {
namespace {

/// BCP 47: nobody has determined which.
constexpr const char* kUnknownLanguage = "und";

using Options = std::shared_ptr<const ClassifyOptions>;
using Request = std::shared_ptr<const AnalyzeRequest>;

/// What was found out about a comment.
struct Analysis {
  Result<Verdict> answer;
  /// The same text, judged token by token; empty where nobody asked for that, or no model can.
  std::optional<Result<Verdict>> tokens;
};

void put_score(wire::JsonOut& json, double value) {
  json.begin_object();
  json.key("value").number(static_cast<float>(value));
  json.key("type").string("PROBABILITY");
  json.end_object();
}

double summary_of(const Attribute& attribute, const Result<Verdict>& answer) {
  return answer.ok() ? score_of(attribute, *answer) : 1;
}

/// As Perspective: a single span has the whole text, and its score.
void put_spans(wire::JsonOut& json, const AnalyzeRequest::Wanted& wanted, const AnalyzeRequest& request,
               const Analysis& analysis, const std::vector<Sentence>& sentences) {
  std::vector<double> scores;
  if (!analysis.tokens) {
    scores.assign(sentences.size(), summary_of(*wanted.attribute, analysis.answer));
  } else if (analysis.tokens->ok()) {
    scores = sentence_scores(*wanted.attribute, sentences, request.text, **analysis.tokens);
  } else {
    scores.assign(sentences.size(), 1);
  }
  json.key("spanScores").begin_array();
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    if (scores[i] < wanted.threshold) continue;
    json.begin_object();
    json.key("begin").integer(static_cast<std::int64_t>(sentences[i].utf16_begin));
    json.key("end").integer(static_cast<std::int64_t>(sentences[i].utf16_end));
    put_score(json.key("score"), scores[i]);
    json.end_object();
  }
  json.end_array();
}

void put_attributes(wire::JsonOut& json, const AnalyzeRequest& request, const Analysis& analysis) {
  std::vector<Sentence> sentences = sentences_of(request.text);
  if (!analysis.tokens) sentences = {{0, request.text.size(), 0, sentences.back().utf16_end}};
  json.key("attributeScores").begin_object();
  for (const AnalyzeRequest::Wanted& wanted : request.wanted) {
    const double summary = summary_of(*wanted.attribute, analysis.answer);
    // Without its summary an attribute is not there, so that no client takes a span for it.
    if (summary < wanted.threshold) continue;
    json.key(wanted.attribute->name).begin_object();
    put_spans(json, wanted, request, analysis, sentences);
    put_score(json.key("summaryScore"), summary);
    json.end_object();
  }
  json.end_object();
}

void put_languages(wire::JsonOut& json, const AnalyzeRequest& request) {
  json.key("languages").begin_array();
  for (const std::string& language : request.languages) json.string(language);
  if (request.languages.empty()) json.string(kUnknownLanguage);
  json.end_array();
  json.key("detectedLanguages").begin_array().string(kUnknownLanguage).end_array();
}

std::string reply_of(const AnalyzeRequest& request, const Analysis& analysis, const Policy& policy) {
  wire::JsonOut json;
  json.begin_object();
  put_attributes(json, request, analysis);
  put_languages(json, request);
  if (request.client_token) json.key("clientToken").string(*request.client_token);
  if (analysis.answer.ok()) {
    put_verdict(json, *analysis.answer);
  } else {
    put_unjudged(json, rule_unjudged(policy), analysis.answer.error());
  }
  json.end_object();
  return json.text();
}

class Perspective : public std::enable_shared_from_this<Perspective> {
 public:
  explicit Perspective(Services& services) : services_(services) {}

  void analyze(const std::shared_ptr<Exchange>& exchange) {
    answer_json(exchange, [&](const wire::JsonValue& body) {
      try {
        check_format(*exchange);
        judge(exchange, std::make_shared<const AnalyzeRequest>(read_analyze_request(body)));
      } catch (const AnalyzeError& e) {
        refuse(*exchange, {400, e.what(), e.param, e.type});
      }
    });
  }

  /// Where clients learn what there is, and at which address.
  void discover(Exchange& exchange) const {
    const server::Request& request = exchange.request();
    const std::string version = query_value(request.query, "version").value_or("v1alpha1");
    if (version != "v1alpha1")
      return refuse(exchange, {404, "version: " + quote(version, 40) + "; there is v1alpha1", "version", ""});
    const std::string_view host = find(request.headers, "host");
    if (!is_host_and_port(host))
      return refuse(exchange, {400, "Host: " + quote(host, 60) + " is no address to come back to", "", ""});
    const bool has_tls = !services_.options.listener.tls_certificate.empty();
    Response response =
        json_response(200, discovery_document((has_tls ? "https://" : "http://") + std::string(host) + "/"));
    // It names the address that this client has used.
    response.headers.push_back({"cache-control", "no-store"});
    exchange.reply(std::move(response));
  }

 private:
  static void check_format(Exchange& exchange) {
    const auto format = query_value(exchange.request().query, "alt");
    if (format && *format != "json")
      throw BadRequestError("alt: " + quote(*format, 40) + "; expected json", "alt");
  }

  [[nodiscard]] Question question_of(ServedModel& model, const Request& request, Options options,
                                     std::vector<Message> conversation) const {
    Question question;
    question.route = Route::perspective;
    question.model = &model;
    question.conversations.push_back(std::move(conversation));
    question.options = std::move(options);
    question.is_private = request->is_private;
    return question;
  }

  void judge(const std::shared_ptr<Exchange>& exchange, const Request& request) {
    const Options options = services_.policies.options(Route::perspective);
    ask(services_, exchange,
        question_of(services_.models.first(ModelKind::gen), request, options, {{Role::user, request->text}}),
        [self = shared_from_this(), exchange, request, options](Answers answers) {
          self->judge_tokens(exchange, request, options, std::move(answers.front()));
        });
  }

  /// The comment once more, as text of which every token has a verdict: these judge only what an assistant
  /// says.
  void judge_tokens(const std::shared_ptr<Exchange>& exchange, const Request& request, const Options& options,
                    Result<Verdict> answer) {
    if (refuse_unjudged(*exchange, answer, options->policy)) return;
    ServedModel& model = services_.models.first(ModelKind::stream);
    const bool is_judged = answer.ok() && answer->severity != Severity::not_judged;
    // The chat template leaves out of an answer what stands in front of this, as thinking.
    const bool has_thinking = request->text.find("</think>") != std::string::npos;
    if (!request->wants_spans || !is_judged || has_thinking || model.guard.kind() != ModelKind::stream) {
      exchange->reply(
          json_response(200, reply_of(*request, {std::move(answer), std::nullopt}, options->policy)));
      return;
    }
    ask(services_, exchange,
        question_of(model, request, with_token_verdicts(options),
                    {{Role::user, ""}, {Role::assistant, request->text}}),
        [exchange, request, options, answer = std::move(answer)](Answers answers) {
          if (refuse_unjudged(*exchange, answers.front(), options->policy)) return;
          exchange->reply(
              json_response(200, reply_of(*request, {answer, std::move(answers.front())}, options->policy)));
        });
  }

  static bool refuse_unjudged(Exchange& exchange, const Result<Verdict>& answer, const Policy& policy) {
    if (answer.ok() || blocks_unjudged(policy)) return false;
    refuse(exchange, api_error(answer.error(), "comment.text"));
    return true;
  }

  /// One object for all requests under a policy, so that they are judged together.
  Options with_token_verdicts(const Options& options) {
    if (options != options_) {
      options_ = options;
      ClassifyOptions copy = *options;
      copy.keep_token_verdicts = true;
      token_options_ = std::make_shared<const ClassifyOptions>(std::move(copy));
    }
    return token_options_;
  }

  Services& services_;
  Options options_, token_options_;  // the latter from the former
};

}  // namespace

void add_perspective_door(Routes& routes, Services& services) {
  const auto perspective = std::make_shared<Perspective>(services);
  routes.add({"perspective", "POST", "/v1alpha1/comments:analyze", false,
              [perspective](const auto& exchange, const std::string&) { perspective->analyze(exchange); },
              true});
  routes.add({"perspective", "POST", "/v1alpha1/comments:suggestscore", false,
              [](const auto& exchange, const std::string&) {
                refuse(*exchange,
                       {501, "comments:suggestscore is not offered: nothing here learns from scores", "",
                        "not_offered"});
              },
              true});
  routes.add({"perspective", "GET", "/$discovery/rest", true,
              [perspective](const auto& exchange, const std::string&) { perspective->discover(*exchange); }});
  routes.add_spelling("/v1alpha1/", google_error);
  routes.add_spelling("/$discovery/", google_error);
}

}  // namespace qwen3guard::server
