// What a step says of its flow: ledger, story, problems, and the messages it leaves for a relay. Each is one
// statement for all rows, at the end of the transaction.

#include "base/digest.hpp"
#include "storage/postgres/impl/transaction.hpp"

namespace castiel::storage::postgres {

Result<> PostgresTransaction::count(const CorrelationId& correlation, std::string_view stage,
                                    std::string_view counter, std::int64_t by) {
  if (failed_) return std::unexpected(*failed_);
  if (by != 0) counts_[{correlation.str(), std::string(stage), std::string(counter)}] += by;
  return {};
}

Result<> PostgresTransaction::add_flow_entry(const CorrelationId& correlation, const FlowEntry& e) {
  if (failed_) return std::unexpected(*failed_);
  story_.push_back({correlation, e});
  return {};
}

Result<> PostgresTransaction::add_problem(const CorrelationId& correlation, const Problem& p) {
  CASTIEL_TRY(count(correlation, "", "problems", 1));
  problems_.emplace_back(correlation, p);
  return {};
}

Result<> PostgresTransaction::write_ledger() {
  if (counts_.empty()) return {};
  Column correlation(kText), stage(kText), counter(kText), value(kInt8);
  for (const auto& [place, by] : counts_) {
    correlation.add(std::get<0>(place));
    stage.add(std::get<1>(place));
    counter.add(std::get<2>(place));
    value.add(by);
  }
  counts_.clear();
  // In order of the key, so that two transactions do not wait for each other in a circle.
  return write(
      "INSERT INTO ledger AS l (tenant, correlation, stage, counter, stripe, value)"
      " SELECT $1, w.correlation, w.stage, w.counter, $2, w.value"
      " FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[]) AS w(correlation, stage, counter, "
      "value)"
      " ON CONFLICT (tenant, correlation, stage, counter, stripe) DO UPDATE SET value = l.value + "
      "excluded.value",
      std::move(Params(t(), stripe()).add(correlation).add(stage).add(counter).add(value)));
}

// After the ledger: the number of a problem is what the counter says.
Result<> PostgresTransaction::write_problems() {
  if (problems_.empty()) return {};
  Column correlation(kText), file(kText), line(kInt8), code(kText), message(kText), after(kInt8);
  std::map<std::string, std::int64_t> later;  // problems of the flow after this one
  std::vector<std::int64_t> places(problems_.size());
  for (std::size_t i = problems_.size(); i-- > 0;) places[i] = later[problems_[i].first.str()]++;
  for (std::size_t i = 0; i < problems_.size(); ++i) {
    const auto& [flow, p] = problems_[i];
    correlation.add(flow);
    file.add(p.file);
    line.add(p.line);
    code.add(p.code);
    message.add(p.message);
    after.add(places[i]);
  }
  problems_.clear();
  return write(
      "INSERT INTO problem (tenant, correlation, file, line, code, message)"
      " SELECT $1, w.correlation, w.file, w.line, w.code, w.message FROM unnest($2::text[], $3::text[],"
      " $4::bigint[], $5::text[], $6::text[], $7::bigint[]) WITH ORDINALITY AS w(correlation, file, line,"
      " code, message, after, n) WHERE (SELECT sum(l.value) FROM ledger l WHERE l.tenant=$1 AND"
      " l.correlation=w.correlation AND l.stage='' AND l.counter='problems') - w.after <= $8 ORDER BY w.n",
      std::move(Params(t())
                    .add(correlation)
                    .add(file)
                    .add(line)
                    .add(code)
                    .add(message)
                    .add(after)
                    .add(kMaxProblems)));
}

Result<> PostgresTransaction::write_flows() {
  if (failed_) return std::unexpected(*failed_);
  if (!outgoing_.empty()) {
    Column relay(kInt8), part(kInt8), id(kText), type(kText), correlation(kText), records(kInt8),
        queue(kText), record_key(kText), errors(kText), due(kInt8), body(kBytea);
    for (const auto& [m, to, key, failures, at] : outgoing_) {
      relay.add(outbox_partition(tenant(), m.partition));
      part.add(m.partition);
      id.add(m.id);
      type.add(m.type);
      correlation.add(m.correlation);
      records.add(m.records);
      queue.add(to);
      record_key.add(key);
      errors.add(failures);
      due.add(at);
      body.add(Bytes{m.body});
    }
    outgoing_.clear();
    wrote_outbox_ = true;
    Params params(t(), clock_->now());
    for (auto* column :
         {&relay, &part, &id, &type, &correlation, &records, &queue, &record_key, &errors, &due, &body})
      params.add(*column);
    CASTIEL_TRY(
        write("INSERT INTO outbox (tenant, relay, part, message_id, type, correlation, records, queue,"
              " record_key, errors, due, written_at, body) SELECT $1, w.relay, w.part, w.id, w.type,"
              " w.correlation, w.records, w.queue, w.record_key, w.errors, w.due, $2, w.body"
              " FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],"
              " $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bytea[]) WITH ORDINALITY AS"
              " w(relay, part, id, type, correlation, records, queue, record_key, errors, due, body, n)"
              " ORDER BY w.n",
              params));
  }
  if (!story_.empty()) {
    Column correlation(kText), at(kInt8), stage(kText), kind(kText), type(kText), id(kText), text(kText),
        n(kInt8);
    for (const auto& [flow, e] : story_) {
      correlation.add(flow);
      at.add(e.at);
      stage.add(e.stage);
      kind.add(e.kind);
      type.add(e.type);
      id.add(e.id);
      text.add(e.text);
      n.add(e.count);
    }
    story_.clear();
    Params params(t());
    for (auto* column : {&correlation, &at, &stage, &kind, &type, &id, &text, &n}) params.add(*column);
    CASTIEL_TRY(
        write("INSERT INTO flow_entry (tenant, correlation, at, stage, kind, type, id, text, count)"
              " SELECT $1, w.correlation, w.at, w.stage, w.kind, w.type, w.id, w.text, w.count"
              " FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],"
              " $8::text[], $9::bigint[]) WITH ORDINALITY AS w(correlation, at, stage, kind, type, id, text,"
              " count, n) ORDER BY w.n",
              params));
  }
  CASTIEL_TRY(write_ledger());
  return write_problems();
}

}  // namespace castiel::storage::postgres
