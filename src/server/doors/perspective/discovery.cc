// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/discovery.hpp"

namespace qwen3guard::server {
namespace {

// No word about authentication: a client that knows of none sends its key, or nothing, and asks no service
// for tokens.
constexpr std::string_view kBegin = R"({
  "kind": "discovery#restDescription", "discoveryVersion": "v1", "id": "commentanalyzer:v1alpha1",
  "name": "commentanalyzer", "version": "v1alpha1", "title": "qwen3guard serve", "protocol": "rest",
  "servicePath": "", "batchPath": "batch", "rootUrl": ")";

constexpr std::string_view kEnd = R"(",
  "parameters": {
    "key": {"type": "string", "location": "query"},
    "alt": {"type": "string", "location": "query", "default": "json", "enum": ["json"]},
    "fields": {"type": "string", "location": "query"},
    "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
    "quotaUser": {"type": "string", "location": "query"}
  },
  "resources": {"comments": {"methods": {
    "analyze": {"id": "commentanalyzer.comments.analyze", "httpMethod": "POST",
      "path": "v1alpha1/comments:analyze", "flatPath": "v1alpha1/comments:analyze",
      "parameters": {}, "parameterOrder": [],
      "request": {"$ref": "AnalyzeCommentRequest"}, "response": {"$ref": "AnalyzeCommentResponse"}},
    "suggestscore": {"id": "commentanalyzer.comments.suggestscore", "httpMethod": "POST",
      "path": "v1alpha1/comments:suggestscore", "flatPath": "v1alpha1/comments:suggestscore",
      "parameters": {}, "parameterOrder": [],
      "request": {"$ref": "SuggestCommentScoreRequest"}, "response": {"$ref": "SuggestCommentScoreResponse"}}
  }}},
  "schemas": {
    "TextEntry": {"id": "TextEntry", "type": "object", "properties": {
      "text": {"type": "string"}, "type": {"type": "string"}}},
    "ArticleAndParentComment": {"id": "ArticleAndParentComment", "type": "object", "properties": {
      "article": {"$ref": "TextEntry"}, "parentComment": {"$ref": "TextEntry"}}},
    "Context": {"id": "Context", "type": "object", "properties": {
      "entries": {"type": "array", "items": {"$ref": "TextEntry"}},
      "articleAndParentComment": {"$ref": "ArticleAndParentComment"}}},
    "AttributeParameters": {"id": "AttributeParameters", "type": "object", "properties": {
      "scoreType": {"type": "string"}, "scoreThreshold": {"type": "number", "format": "float"}}},
    "Score": {"id": "Score", "type": "object", "properties": {
      "value": {"type": "number", "format": "float"}, "type": {"type": "string"}}},
    "SpanScore": {"id": "SpanScore", "type": "object", "properties": {
      "begin": {"type": "integer", "format": "int32"}, "end": {"type": "integer", "format": "int32"},
      "score": {"$ref": "Score"}}},
    "AttributeScores": {"id": "AttributeScores", "type": "object", "properties": {
      "summaryScore": {"$ref": "Score"}, "spanScores": {"type": "array", "items": {"$ref": "SpanScore"}}}},
    "AnalyzeCommentRequest": {"id": "AnalyzeCommentRequest", "type": "object", "properties": {
      "comment": {"$ref": "TextEntry"}, "context": {"$ref": "Context"},
      "requestedAttributes": {"type": "object", "additionalProperties": {"$ref": "AttributeParameters"}},
      "languages": {"type": "array", "items": {"type": "string"}},
      "doNotStore": {"type": "boolean"}, "spanAnnotations": {"type": "boolean"},
      "dropUnsupportedAttributes": {"type": "boolean"},
      "clientToken": {"type": "string"}, "sessionId": {"type": "string"}, "communityId": {"type": "string"}}},
    "AnalyzeCommentResponse": {"id": "AnalyzeCommentResponse", "type": "object", "properties": {
      "attributeScores": {"type": "object", "additionalProperties": {"$ref": "AttributeScores"}},
      "languages": {"type": "array", "items": {"type": "string"}},
      "detectedLanguages": {"type": "array", "items": {"type": "string"}},
      "clientToken": {"type": "string"}}},
    "SuggestCommentScoreRequest": {"id": "SuggestCommentScoreRequest", "type": "object", "properties": {
      "comment": {"$ref": "TextEntry"}, "context": {"$ref": "Context"},
      "attributeScores": {"type": "object", "additionalProperties": {"$ref": "AttributeScores"}},
      "languages": {"type": "array", "items": {"type": "string"}},
      "clientToken": {"type": "string"}, "sessionId": {"type": "string"}, "communityId": {"type": "string"}}},
    "SuggestCommentScoreResponse": {"id": "SuggestCommentScoreResponse", "type": "object", "properties": {
      "detectedLanguages": {"type": "array", "items": {"type": "string"}},
      "requestedLanguages": {"type": "array", "items": {"type": "string"}},
      "clientToken": {"type": "string"}}}
  }
})";

}  // namespace

std::string discovery_document(std::string_view root_url) {
  std::string out(kBegin);
  out += root_url;
  out += kEnd;
  return out;
}

bool is_host_and_port(std::string_view host) noexcept {
  constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
  return !host.empty() && host.find_first_not_of(kCharacters) == std::string_view::npos;
}

}  // namespace qwen3guard::server
