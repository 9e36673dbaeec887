#include "http/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/utf8.hpp"
#include "http/client.hpp"
#include "http/openapi.hpp"
#include "http/problem.hpp"
#include "http/static_files.hpp"
#include "http/testing/test_server.hpp"

namespace castiel::http {
namespace {

using testing::HasSubstr;

struct RouterTest : testing::Test {
  ManualClock clock{Timestamp{0}};

  Request request(std::string method, std::string_view target) {
    Request out(Deadline::after(clock, std::chrono::seconds(1)));
    out.method = std::move(method);
    EXPECT_TRUE(set_target(out, target)) << target;
    return out;
  }
  static std::string body(const Response& response) { return std::get<std::string>(response.body); }
};

Route answering(std::string method, std::string pattern, std::string text) {
  return test_route(std::move(method), std::move(pattern),
                    [text](const Request&) { return Response::text(text); });
}

TEST_F(RouterTest, prefers_literals_to_names_and_names_to_tails) {
  const auto router =
      Router::create({answering("GET", "/{path...}", "tail"), answering("GET", "/deals/{id}", "name"),
                      answering("GET", "/deals/replay", "literal"), answering("GET", "/", "root")});
  ASSERT_TRUE(router);
  EXPECT_EQ(body(router->handle(request("GET", "/deals/replay"))), "literal");
  EXPECT_EQ(body(router->handle(request("GET", "/deals/7"))), "name");
  EXPECT_EQ(body(router->handle(request("GET", "/deals/7/more"))), "tail");
  EXPECT_EQ(body(router->handle(request("GET", "/"))), "root");
  EXPECT_EQ(body(router->handle(request("GET", "/deals/"))), "tail");
}

TEST_F(RouterTest, gives_names_and_tails_decoded) {
  const auto router = Router::create({test_route("GET", "/files/{tenant}/{path...}", [](const Request& r) {
    return Response::text(r.params.string_or("tenant") + "|" + r.params.string_or("path"));
  })});
  ASSERT_TRUE(router);
  EXPECT_EQ(body(router->handle(request("GET", "/files/a%20b/c/d.txt"))), "a b|c/d.txt");
  EXPECT_EQ(body(router->handle(request("GET", "/files/a"))), "a|");
}

TEST_F(RouterTest, answers_404_and_405_as_problems) {
  const auto router = Router::create({answering("GET", "/deals", ""), answering("DELETE", "/deals", "")});
  ASSERT_TRUE(router);
  const auto none = router->handle(request("GET", "/nowhere"));
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.headers.get("Content-Type"), "application/problem+json");
  EXPECT_THAT(body(none), HasSubstr(R"("code":"not_found")"));
  EXPECT_THAT(body(none), HasSubstr(R"("instance":"/nowhere")"));
  const auto wrong = router->handle(request("POST", "/deals"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.get("Allow"), "DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(router->handle(request("OPTIONS", "/deals")).status, 204);
  EXPECT_EQ(router->handle(request("HEAD", "/deals")).status, 200);
}

TEST_F(RouterTest, checks_declared_parameters) {
  auto route = answering("GET", "/deals", "ok");
  route.parameters = {{.name = "tenant", .required = true},
                      {.name = "limit", .type = Parameter::Type::integer, .minimum = 1, .maximum = 500},
                      {.name = "status", .values = {"open", "won"}},
                      {.name = "again", .type = Parameter::Type::boolean}};
  const auto router = Router::create({route});
  ASSERT_TRUE(router);
  const auto status = [&](std::string_view query) {
    return router->handle(request("GET", "/deals" + std::string(query))).status;
  };
  EXPECT_EQ(status("?tenant=a"), 200);
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("?tenant=a&limit=500&status=won&again=true"), 200);
  EXPECT_EQ(status("?tenant=a&limit=501"), 400);
  EXPECT_EQ(status("?tenant=a&limit=5x"), 400);
  EXPECT_EQ(status("?tenant=a&limit="), 400);
  EXPECT_EQ(status("?tenant=a&status=lost"), 400);
  EXPECT_EQ(status("?tenant=a&again=maybe"), 400);
}

TEST_F(RouterTest, keeps_local_routes_off_the_network) {
  auto route = answering("POST", "/imports", "ok");
  route.local_socket_only = true;
  const auto router = Router::create({route});
  ASSERT_TRUE(router);
  auto remote = request("POST", "/imports");
  ASSERT_TRUE(router->plan(remote).refuse);
  EXPECT_EQ(router->plan(remote).refuse->status, 403);
  remote.is_local_socket = true;
  EXPECT_FALSE(router->plan(remote).refuse);
}

TEST_F(RouterTest, refuses_tables_that_make_no_sense) {
  const auto code = [](std::vector<Route> routes) {
    const auto router = Router::create(std::move(routes));
    return router ? std::string("fine") : router.error().code;
  };
  EXPECT_EQ(code({answering("GET", "/a/{x}", ""), answering("GET", "/a/{y}", "")}), "invalid_route");
  EXPECT_EQ(code({answering("GET", "/a/{x}", ""), answering("PUT", "/a/{y}", "")}), "fine");
  EXPECT_EQ(code({answering("GET", "a", "")}), "invalid_route");
  EXPECT_EQ(code({answering("GET", "/{path...}/b", "")}), "invalid_route");
  EXPECT_EQ(code({answering("GET", "/a{b}", "")}), "invalid_route");
  auto twin = answering("PUT", "/b", "");
  twin.operation_id = "GET/a";
  EXPECT_EQ(code({answering("GET", "/a", ""), twin}), "invalid_route");
  auto undeclared = answering("GET", "/c", "");
  undeclared.parameters = {{.name = "id", .in = Parameter::In::path}};
  EXPECT_EQ(code({undeclared}), "invalid_route");
  EXPECT_EQ(code({test_route("GET", "/d", nullptr)}), "invalid_route");
}

TEST_F(RouterTest, makes_the_openapi_document_of_its_table) {
  auto list = answering("GET", "/deals/{id}/timeline", "");
  list.operation_id = "listTimeline";
  list.summary = "What happened to a deal.";
  list.parameters = {
      {.name = "limit", .description = "At most so many.", .type = Parameter::Type::integer, .maximum = 500}};
  list.response_schema = "Timeline";
  auto create = answering("POST", "/imports", "");
  create.request_schema = "Import";
  create.success_status = 202;
  auto hidden = answering("GET", "/{path...}", "");
  hidden.hidden = true;
  const auto router = Router::create({list, create, hidden});
  ASSERT_TRUE(router);
  const auto text = json::serialize(openapi_document({"Castiel", "1.0", ""}, router->routes(),
                                                     {{"Timeline", json::object{{"type", "object"}}}}));
  const auto document = parse_json(text).value();
  EXPECT_EQ(document.at("openapi").as_string(), "3.1.0");
  const auto& operation = document.at("paths").at("/deals/{id}/timeline").at("get");
  EXPECT_EQ(operation.at("operationId").as_string(), "listTimeline");
  EXPECT_EQ(operation.at("parameters").as_array().size(), 2U);
  EXPECT_EQ(operation.at("parameters").at(0).at("in").as_string(), "path");
  EXPECT_TRUE(operation.at("parameters").at(0).at("required").as_bool());
  EXPECT_EQ(operation.at("parameters").at(1).at("schema").at("maximum").as_int64(), 500);
  EXPECT_EQ(document.at("paths")
                .at("/imports")
                .at("post")
                .at("requestBody")
                .at("content")
                .at("application/json")
                .at("schema")
                .at("$ref")
                .as_string(),
            "#/components/schemas/Import");
  EXPECT_TRUE(document.at("paths").at("/imports").at("post").at("responses").as_object().contains("202"));
  EXPECT_TRUE(document.at("components").at("schemas").as_object().contains("Problem"));
  EXPECT_EQ(document.at("paths").as_object().size(), 2U);
}

TEST_F(RouterTest, reads_targets_as_they_are_meant) {
  const auto r = request("GET", "http://localhost:80/a%2Fb/%C3%A9?x=1&x=2&y&z=a%26b+c#f");
  EXPECT_EQ(r.path, "/a/b/é");
  EXPECT_THAT(r.segments, testing::ElementsAre("a/b", "é"));
  EXPECT_THAT(r.query.all_of("x"), testing::ElementsAre("1", "2"));
  EXPECT_EQ(r.query.get("y"), "");
  EXPECT_EQ(r.query.get("z"), "a&b c");
  EXPECT_TRUE(request("GET", "/").segments.empty());
  for (const auto* bad :
       {"", "a", "*", "/%", "/%4", "/%4g", "/%ff", "/%00", "/a/../b", "/%2e%2e/b", "/a/.", "http://x?q"}) {
    Request out(Deadline::after(clock, Duration(0)));
    EXPECT_FALSE(set_target(out, bad)) << bad;
  }
}

RC_GTEST_PROP(Targets, come_back_from_their_escapes, (const std::vector<std::uint32_t>& points)) {
  std::string text = "x";
  for (const auto point : points) append_utf8(text, static_cast<char32_t>(point % 0x3000 + 1));
  ManualClock clock(Timestamp{0});
  Request request(Deadline::after(clock, Duration(0)));
  RC_ASSERT(set_target(request, "/" + escape(text) + "?q=" + escape(text)).has_value());
  RC_ASSERT(request.segments == std::vector<std::string>{text});
  RC_ASSERT(request.query.get("q") == text);
}

RC_GTEST_PROP(Targets, never_leave_the_root, (const std::string& text)) {
  ManualClock clock(Timestamp{0});
  Request request(Deadline::after(clock, Duration(0)));
  if (!set_target(request, "/" + text)) return;
  for (const auto& segment : request.segments) RC_ASSERT(segment != "..");
}

TEST(Problem, has_the_status_of_its_code_or_class) {
  const auto status = [](std::string code, ErrorClass cls) {
    return status_of(Error{std::move(code), "", cls, ""});
  };
  EXPECT_EQ(status("not_found", ErrorClass::permanent), 404);
  EXPECT_EQ(status("unknown_tenant", ErrorClass::permanent), 404);
  EXPECT_EQ(status("deal_not_found", ErrorClass::permanent), 404);
  EXPECT_EQ(status("invalid_tenant", ErrorClass::permanent), 400);
  EXPECT_EQ(status("version_conflict", ErrorClass::conditional), 409);
  EXPECT_EQ(status("store_busy", ErrorClass::transient), 503);
}

TEST(Problem, never_shows_the_cause) {
  const auto response =
      error_response(Error{"store_busy", "Busy.", ErrorClass::transient, "SELECT secret"}, "/x");
  EXPECT_EQ(std::get<std::string>(response.body).find("secret"), std::string::npos);
  EXPECT_EQ(response.headers.get("Retry-After"), "1");
}

struct StaticFilesTest : RouterTest {
  StaticFilesTest() {
    files.add("index.html", {.content = "<html>", .gzip = {}});
    files.add("assets/app.js", {.content = "let a;", .gzip = "PACKED", .immutable = true});
  }
  StaticFiles files;
};

TEST_F(StaticFilesTest, are_served_with_type_tag_and_cache_rule) {
  const auto index = files.serve(request("GET", "/"), "");
  EXPECT_EQ(body(index), "<html>");
  EXPECT_EQ(index.headers.get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(index.headers.get("Cache-Control"), "no-cache");
  const auto script = files.serve(request("GET", "/assets/app.js"), "assets/app.js");
  EXPECT_EQ(body(script), "let a;");
  EXPECT_THAT(std::string(script.headers.get_or("Cache-Control", "")), HasSubstr("immutable"));
}

TEST_F(StaticFilesTest, come_compressed_under_their_own_tag) {
  auto r = request("GET", "/assets/app.js");
  const auto plain = files.serve(r, "assets/app.js");
  r.headers.set("Accept-Encoding", "gzip");
  const auto packed = files.serve(r, "assets/app.js");
  EXPECT_EQ(body(packed), "PACKED");
  EXPECT_EQ(packed.headers.get("Content-Encoding"), "gzip");
  EXPECT_NE(packed.headers.get("ETag"), plain.headers.get("ETag"));
  r.headers.set("If-None-Match", std::string(*packed.headers.get("ETag")));
  const auto again = files.serve(r, "assets/app.js");
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(body(again), "");
}

TEST_F(StaticFilesTest, answer_304_only_for_the_same_content) {
  auto r = request("GET", "/");
  const auto tag = std::string(*files.serve(r, "").headers.get("ETag"));
  for (const auto& match : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    r.headers.set("If-None-Match", match);
    EXPECT_EQ(files.serve(r, "").status, 304) << match;
  }
  r.headers.set("If-None-Match", "\"other\"");
  EXPECT_EQ(files.serve(r, "").status, 200);
}

TEST_F(StaticFilesTest, fall_back_to_the_index_for_the_dashboards_own_addresses) {
  EXPECT_EQ(body(files.serve(request("GET", "/deals/7"), "deals/7")), "<html>");
  EXPECT_EQ(files.serve(request("GET", "/gone.js"), "gone.js").status, 404);
  EXPECT_EQ(files.serve(request("GET", "/deals/7"), "deals/7", false).status, 404);
}

TEST(AcceptEncoding, is_read_with_its_weights) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate, gzip;q=0.001"));
  EXPECT_TRUE(accepts_gzip("*"));
  EXPECT_FALSE(accepts_gzip("gzip;q=0.000, *"));
  EXPECT_FALSE(accepts_gzip("br, deflate"));
  EXPECT_FALSE(accepts_gzip(""));
}

TEST(HttpDate, is_in_the_fixed_form) {
  EXPECT_EQ(http_date(parse_timestamp("1994-11-06T08:49:37Z").value()), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(Timestamp{0}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace castiel::http
