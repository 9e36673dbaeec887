#include "messaging/rabbitmq/impl/delivery_book.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace castiel::messaging::rabbitmq {

namespace {
constexpr auto kWriteDeadline = std::chrono::seconds(10);

std::string name_of(const Delivery& d) {
  return fmt::format("delivery/{}/{}", d.queue, d.message_id);
}
}  // namespace

Result<std::optional<Tries>> DeliveryBook::find(const Delivery& d) const {
  CASTIEL_ASSIGN(const auto reader, store_->read(d.tenant));
  CASTIEL_ASSIGN(const auto text, reader->cursor(d.correlation.str(), name_of(d)));
  if (!text) return std::nullopt;
  CASTIEL_ASSIGN(const auto value, parse_json(*text));
  const auto* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  Tries tries;
  tries.deliveries = static_cast<int>(int_or(*object, "deliveries", 1));
  tries.due = {int_or(*object, "due", 0)};
  if (const auto* failures = get_array(*object, "failures"))
    tries.failures = storage::failures_from_json(json::serialize(*failures));
  return tries;
}

Result<> DeliveryBook::keep(const Delivery& d, const Tries& tries) const {
  json::object object{{"deliveries", tries.deliveries}, {"due", tries.due.micros}};
  CASTIEL_ASSIGN(object["failures"], parse_json(storage::failures_to_json(tries.failures)));
  CASTIEL_ASSIGN(auto tx, store_->begin(d.tenant, Deadline::after(*clock_, kWriteDeadline)));
  CASTIEL_TRY(tx->put_cursor(d.correlation.str(), name_of(d), json::serialize(object)));
  return tx->commit();
}

}  // namespace castiel::messaging::rabbitmq
