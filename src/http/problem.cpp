#include "http/problem.hpp"

#include <array>
#include <string>
#include <utility>

namespace castiel::http {

namespace {

constexpr std::pair<std::string_view, int> kStatusOfCode[] = {
    {"unauthorized", 401},
    {"unauthenticated", 401},
    {"forbidden", 403},
    {"cross_origin", 403},
    {"local_socket_only", 403},
    {"not_found", 404},
    {"method_not_allowed", 405},
    {"not_acceptable", 406},
    {"request_timeout", 408},
    {"conflict", 409},
    {"already_exists", 409},
    {"already_running", 409},
    {"version_conflict", 409},
    {"gone", 410},
    {"precondition_failed", 412},
    {"body_too_large", 413},
    {"unsupported_media_type", 415},
    {"expectation_failed", 417},
    {"misdirected_request", 421},
    {"unprocessable", 422},
    {"rate_limited", 429},
    {"quota_exceeded", 429},
    {"header_too_large", 431},
    {"internal", 500},
    {"corrupt", 500},
    {"not_implemented", 501},
    {"bad_gateway", 502},
    {"server_busy", 503},
    {"stopping", 503},
    {"deadline_exceeded", 504},
    {"store_full", 507},
};

}  // namespace

int status_of(const Error& error) {
  for (const auto& [code, status] : kStatusOfCode)
    if (error.code == code) return status;
  if (error.code.ends_with("_not_found") || error.code.starts_with("unknown_")) return 404;
  return error.cls == ErrorClass::permanent ? 400 : 503;
}

Problem problem_of(const Error& error, std::string_view instance) {
  Problem problem;
  problem.status = status_of(error);
  problem.code = error.code;
  problem.title = reason_of(problem.status);
  problem.detail = error.message;
  problem.instance = instance;
  if (problem.status == 503 || problem.status == 429) problem.retry_after_seconds = 1;
  return problem;
}

Response to_response(const Problem& problem) {
  json::object body;
  body["type"] = problem.code.empty() ? "about:blank" : "urn:castiel:problem:" + problem.code;
  body["title"] = problem.title.empty() ? std::string(reason_of(problem.status)) : problem.title;
  body["status"] = problem.status;
  body["detail"] = problem.detail;
  body["code"] = problem.code;
  if (!problem.instance.empty()) body["instance"] = problem.instance;
  auto response = Response::bytes(json::serialize(body), "application/problem+json", problem.status);
  if (problem.retry_after_seconds > 0)
    response.headers.set("Retry-After", std::to_string(problem.retry_after_seconds));
  return response;
}

}  // namespace castiel::http
