// The server: from its start to its end, and what it answers in between.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "crm_files.hpp"

namespace castiel::functional {
namespace {

using Strings = std::vector<std::string>;
constexpr Millis kDrain = 8s;

std::string example() {
  return std::string(CASTIEL_SOURCE_DIR) + "/examples/workspace";
}
Finished import_into(const Path& data, const std::string& files) {
  return castiel({"import", files, "--tenant", "acme", "--data", data.string(), "--json"});
}
Finished shards_of(const Path& data) {
  return castiel({"shards", "list", "--tenant", "acme", "--data", data.string(), "--json"});
}

TEST(Serve, becomes_ready_answers_and_drains) {
  TempFolder folder;
  Server server(folder.path() / "data");
  for (const char* probe : {"live", "ready", "startup"})
    EXPECT_EQ(server.get(fmt::format("/health/{}", probe)).status, 200) << probe;
  const auto metrics = server.get("/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_NE(metrics.body.find("# TYPE castiel_queue_messages gauge"), std::string::npos);
  EXPECT_NE(metrics.body.find("castiel_queue_messages{queue=\"integration_data_raw\",state=\"ready\"} 0"),
            std::string::npos);
  const auto document = server.get("/api/v1/openapi.json");
  EXPECT_EQ(text(document.object(), "openapi").substr(0, 3), "3.1");
  EXPECT_EQ(server.get("/").status, 200);
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().finish(kDrain).status, 0);
}

TEST(Serve, imports_through_its_socket_and_answers_of_it) {
  TempFolder folder;
  const Path data = folder.path() / "data";
  Server server(data);
  const auto done = import_into(data, example());
  EXPECT_EQ(done.status, 0) << done.err;
  const auto summary = done.last();
  EXPECT_EQ(number(summary, "shards.opportunity.created"), 204);
  EXPECT_EQ(number(summary, "records.read"), number(summary, "records.mapped"));
  const auto id = text(summary, "correlationId");

  const auto overview = server.get("/api/v1/overview?tenant=acme").object();
  EXPECT_EQ(number(overview, "pipeline.open"), 34);
  EXPECT_EQ(text(overview, "system.lastImport.correlationId"), id);
  EXPECT_EQ(server.get("/api/v1/forecast?tenant=acme&period=2026-Q4").status, 200);
  const auto trace = server.get("/api/v1/trace/" + id + "?tenant=acme");
  EXPECT_EQ(trace.status, 200);
  EXPECT_FALSE(find(trace.object(), "items")->get_array().empty());

  // Page by page, each deal once.
  std::set<std::string> ids;
  std::string cursor;
  int pages = 0;
  do {
    const auto page =
        server.get("/api/v1/deals?tenant=acme&limit=10" + (cursor.empty() ? "" : "&cursor=" + cursor))
            .object();
    for (const auto& deal : find(page, "items")->get_array())
      EXPECT_TRUE(ids.insert(text(deal.get_object(), "id")).second);
    cursor = page.at("next").is_string() ? text(page, "next") : "";
    ++pages;
  } while (!cursor.empty() && pages < 10);
  EXPECT_EQ(ids.size(), 34u);
  EXPECT_EQ(pages, 4);
  const auto deal = server.get("/api/v1/deals/" + *ids.begin() + "?tenant=acme");
  EXPECT_EQ(deal.status, 200);
  EXPECT_NE(find(deal.object(), "probability.factors"), nullptr);
  EXPECT_EQ(server.get("/api/v1/deals/" + *ids.begin() + "/timeline?tenant=acme").status, 200);

  // The command line asks the same server, and has it do its work.
  EXPECT_EQ(castiel({"tenants", "create", "other", "--data", data.string(), "--json"}).status, 0);
  EXPECT_EQ(castiel({"tenants", "list", "--data", data.string(), "--json"}).lines().size(), 2u);
  EXPECT_EQ(castiel({"dlq", "list", "--tenant", "acme", "--data", data.string(), "--json"}).lines().size(),
            0u);
  EXPECT_EQ(
      castiel({"tenants", "set", "other", "tenant.timezone=Europe/Berlin", "--data", data.string()}).status,
      0);
  EXPECT_EQ(castiel({"tenants", "set", "other", "tenant.timezone=Moon/Base", "--data", data.string()}).status,
            2);
  const auto shown = castiel({"tenants", "show", "other", "--data", data.string(), "--json"});
  EXPECT_EQ(shown.last().at("settings").at("tenant.timezone").at("value"), "Europe/Berlin");
  EXPECT_EQ(castiel({"tenants", "erase", "other", "--yes", "--data", data.string(), "--json"}).status, 0);
  EXPECT_EQ(castiel({"tenants", "list", "--data", data.string(), "--json"}).lines().size(), 1u);
  EXPECT_EQ(castiel({"trace", id, "--data", data.string(), "--json"}).status, 0);
  EXPECT_EQ(castiel({"deals", "--tenant", "acme", "--data", data.string(), "--json"}).lines().size(), 34u);
  const auto refused = castiel({"import", (folder.path() / "missing.csv").string(), "--tenant", "acme",
                                "--data", data.string(), "--json"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(text(refused.last(), "error.code"), "unreadable");
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().finish(kDrain).status, 0);
}

TEST(Serve, gives_problem_details) {
  TempFolder folder;
  const Path data = folder.path() / "data";
  Server server(data);
  ASSERT_EQ(
      castiel({"import",
               folder.write("d.csv", "Id,Name,StageName,Amount,CloseDate\nd-1,One,Proposal,100,2026-12-01\n")
                   .string(),
               "--tenant", "acme", "--data", data.string()})
          .status,
      0);
  const auto expect_problem = [&](const std::string& target, int status, const std::string& code) {
    const auto answer = server.get(target);
    EXPECT_EQ(answer.status, status) << target << " " << answer.body;
    EXPECT_NE(answer.head.find("application/problem+json"), std::string::npos) << target;
    const auto problem = answer.object();
    EXPECT_EQ(number(problem, "status"), status);
    EXPECT_EQ(text(problem, "code"), code) << target;
    for (const char* key : {"type", "title", "detail", "instance"})
      EXPECT_FALSE(text(problem, key).empty()) << key;
  };
  expect_problem("/api/v1/deals?tenant=nobody", 404, "unknown_tenant");
  expect_problem("/api/v1/deals", 400, "invalid_parameter");
  expect_problem("/api/v1/deals?tenant=acme&limit=0", 400, "invalid_parameter");
  expect_problem("/api/v1/shards?tenant=acme&cursor=%25%25", 400, "invalid_cursor");
  expect_problem("/api/v1/shards/none?tenant=acme", 404, "not_found");
  expect_problem("/api/v1/nothing", 404, "not_found");
  const auto from_outside =
      http(server.port(), "/api/v1/imports?tenant=acme", {.method = "POST", .body = R"({"paths":["/etc"]})"});
  EXPECT_GE(from_outside.status, 403) << "imports are started on the local socket only";
  EXPECT_LE(from_outside.status, 404);
  const auto bad = http(data / "castiel.sock", "/api/v1/imports?tenant=acme",
                        {.method = "POST", .body = R"({"paths":["relative"]})"});
  EXPECT_EQ(bad.status, 400) << bad.body;
}

TEST(Serve, answers_to_its_own_names_only) {
  TempFolder folder;
  Server server(folder.path() / "data");
  EXPECT_EQ(
      http(server.port(), "/api/v1/tenants", {.host = fmt::format("localhost:{}", server.port())}).status,
      200);
  const auto rebound = http(server.port(), "/api/v1/tenants", {.host = "evil.example"});
  EXPECT_GE(rebound.status, 400);
  EXPECT_LT(rebound.status, 500);
  EXPECT_EQ(rebound.body.find("items"), std::string::npos);
}

TEST(Serve, refuses_a_public_address) {
  TempFolder folder;
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:8080"}) {
    const auto done =
        castiel({"serve", "--data", (folder.path() / "data").string(), "--listen", address}, {}, 10s);
    EXPECT_EQ(done.status, 1) << address;
    EXPECT_NE(done.err.find("public_bind_refused"), std::string::npos) << done.err;
  }
}

TEST(Serve, refuses_a_data_folder_that_another_server_uses) {
  TempFolder folder;
  const Path data = folder.path() / "data";
  Server server(data);
  const auto second = castiel(
      {"serve", "--data", data.string(), "--listen", fmt::format("127.0.0.1:{}", free_port())}, {}, 10s);
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find("data_folder_in_use"), std::string::npos) << second.err;
  EXPECT_EQ(server.get("/health/ready").status, 200);
  EXPECT_EQ(http(data / "castiel.sock", "/health/ready").status, 200)
      << "the first one's socket is left alone";
}

TEST(Serve, refuses_a_port_that_is_taken) {
  TempFolder folder;
  Server server(folder.path() / "one");
  const auto second = castiel({"serve", "--data", (folder.path() / "two").string(), "--listen",
                               fmt::format("127.0.0.1:{}", server.port())},
                              {}, 10s);
  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.err.find(fmt::format("{}", server.port())), std::string::npos) << second.err;
}

TEST(Serve, resumes_by_itself_the_import_that_a_stop_or_a_kill_cut_short) {
  for (const int number_of_signal : {SIGTERM, SIGKILL}) {
    SCOPED_TRACE(number_of_signal);
    TempFolder folder;
    const auto counts = write_crm(folder, 11, {.opportunities = 1500});
    const Path data = folder.path() / "data";
    std::string id;
    {
      Server server(data);
      const auto started =
          http(data / "castiel.sock", "/api/v1/imports?tenant=acme",
               {.method = "POST",
                .body = json::serialize(json::object{{"paths", {(folder.path() / "crm").string()}}})});
      ASSERT_EQ(started.status, 202) << started.body;
      id = text(started.object(), "correlationId");
      ASSERT_TRUE(eventually([&] {
        return number(server.get("/api/v1/imports/" + id + "?tenant=acme").object(), "records.mapped") > 0;
      }));
      server.process().signal(number_of_signal);
      const auto end = server.process().finish(kDrain);
      if (number_of_signal == SIGTERM) {
        EXPECT_EQ(end.status, 0) << end.err;
      }
    }
    Server server(data);
    ASSERT_TRUE(eventually([&] {
      return text(server.get("/api/v1/imports/" + id + "?tenant=acme").object(), "status") == "done";
    }));
    const auto summary = server.get("/api/v1/imports/" + id + "/summary?tenant=acme").object();
    EXPECT_EQ(number(summary, "records.read"), counts.records);
    EXPECT_EQ(number(summary, "records.mapped") + number(summary, "records.deadLettered"), counts.records);
    EXPECT_EQ(number(summary, "records.deadLettered"), counts.lost);
    ASSERT_EQ(import_into(folder.path() / "whole", (folder.path() / "crm").string()).status, 3);
    server.process().signal(SIGTERM);
    ASSERT_EQ(server.process().finish(kDrain).status, 0);
    EXPECT_EQ(stored(data, "acme"), stored(folder.path() / "whole", "acme"));
  }
}

// All was read and published before the kill, but not handled yet: the records are Castiel's now.
TEST(Serve, an_import_whose_files_are_gone_after_they_were_read_is_finished_by_the_next_start) {
  TempFolder folder;
  const auto counts = write_crm(folder, 12, {.opportunities = 3000});
  const Path data = folder.path() / "data", files = folder.path() / "crm";
  std::string id;
  {
    Server server(data);
    const auto started =
        http(data / "castiel.sock", "/api/v1/imports?tenant=acme",
             {.method = "POST", .body = json::serialize(json::object{{"paths", {files.string()}}})});
    ASSERT_EQ(started.status, 202) << started.body;
    id = text(started.object(), "correlationId");
    ASSERT_TRUE(eventually([&] {
      const auto status = server.get("/api/v1/imports/" + id + "?tenant=acme").object();
      return number(status, "files.read") == number(status, "files.total");
    }));
    server.process().signal(SIGKILL);
    EXPECT_EQ(server.process().finish(kDrain).signal, SIGKILL);
  }
  std::filesystem::remove_all(files);
  Server server(data);
  ASSERT_TRUE(eventually([&] {
    return text(server.get("/api/v1/imports/" + id + "?tenant=acme").object(), "status") == "done";
  }));
  const auto summary = server.get("/api/v1/imports/" + id + "/summary?tenant=acme").object();
  EXPECT_EQ(number(summary, "records.read"), counts.records);
  EXPECT_EQ(number(summary, "records.mapped") + number(summary, "records.deadLettered"), counts.records);
}

// What linking does for one of them waits until the other, of which a part was published before, is read.
TEST(Serve, imports_that_a_kill_cut_short_do_not_wait_for_those_behind_them) {
  TempFolder folder, files[6];
  const Path data = folder.path() / "data";
  std::vector<std::string> ids;
  const auto imported = [&](const std::string& id) {
    return http(data / "castiel.sock", "/api/v1/imports/" + id + "?tenant=acme").object();
  };
  {
    Server server(data);
    for (auto& own : files) {
      write_crm(own, 13 + ids.size(), {.opportunities = 300});
      const auto started =
          http(data / "castiel.sock", "/api/v1/imports?tenant=acme",
               {.method = "POST",
                .body = json::serialize(json::object{{"paths", {(own.path() / "crm").string()}}})});
      ASSERT_EQ(started.status, 202) << started.body;
      ids.push_back(text(started.object(), "correlationId"));
    }
    ASSERT_TRUE(eventually([&] { return number(imported(ids[0]), "records.mapped") > 0; }));
    server.process().signal(SIGKILL);
    server.process().finish(kDrain);
  }
  Server server(data);
  constexpr auto kShorterThanPatience = 45s;
  EXPECT_TRUE(eventually(
      [&] {
        return std::ranges::all_of(ids,
                                   [&](const auto& id) { return text(imported(id), "status") == "done"; });
      },
      kShorterThanPatience));
}

TEST(Serve, survives_what_is_no_http) {
  TempFolder folder;
  Server server(folder.path() / "data");
  EXPECT_GE(http(server.port(), "/\x01\x02", {.method = "\x16\x03\x01"}).status, 0);
  EXPECT_GE(http(server.port(), "/api/v1/tenants", {.body = std::string(3'000'000, '{')}).status, 0);
  EXPECT_EQ(server.get("/health/live").status, 200);
}

TEST(Serve, a_socket_left_by_a_kill_does_not_hinder_the_next_start) {
  TempFolder folder;
  const Path data = folder.path() / "data";
  {
    Server server(data);
    server.process().signal(SIGKILL);
    EXPECT_EQ(server.process().finish(kDrain).signal, SIGKILL);
  }
  EXPECT_TRUE(std::filesystem::exists(data / "castiel.sock"));
  EXPECT_EQ(castiel({"tenants", "list", "--data", data.string(), "--json"}).status, 0);
  Server server(data);
  EXPECT_EQ(http(data / "castiel.sock", "/health/ready").status, 200);
  EXPECT_EQ(shards_of(data).status, 1) << "there is no tenant yet";
}

}  // namespace
}  // namespace castiel::functional
