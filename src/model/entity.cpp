#include "model/entity.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace castiel::model {
namespace {

using enum FieldKind;

#define CASTIEL_COMMON_FIELDS                                                                 \
  Field{"id", text, {}}, Field{"createdAt", time, {}}, Field{"modifiedAt", time, {}}, Field { \
    "isDeleted", boolean, {}                                                                  \
  }

constexpr std::array kAccountFields{
    CASTIEL_COMMON_FIELDS,
    Field{"name", text, {}},
    Field{"domain", text, {}},
    Field{"website", url, {}},
    Field{"industry", text, {}},
    Field{"type", text, {}},
    Field{"phone", text, {}},
    Field{"employees", integer, {}},
    Field{"annualRevenue", money, {}},
    Field{"currency", currency, {}},
    Field{"yearFounded", integer, {}},
    Field{"street", text, {}},
    Field{"city", text, {}},
    Field{"region", text, {}},
    Field{"postalCode", text, {}},
    Field{"country", text, {}},
    Field{"description", text, {}},
    Field{"ownerId", reference, type::kUser},
    Field{"ownerName", name_reference, type::kUser},
    Field{"parentId", reference, type::kAccount},
    Field{"parentName", name_reference, type::kAccount},
};

constexpr std::array kContactFields{
    CASTIEL_COMMON_FIELDS,
    Field{"name", text, {}},
    Field{"firstName", text, {}},
    Field{"lastName", text, {}},
    Field{"email", email, {}},
    Field{"phone", text, {}},
    Field{"mobilePhone", text, {}},
    Field{"title", text, {}},
    Field{"department", text, {}},
    Field{"description", text, {}},
    Field{"city", text, {}},
    Field{"country", text, {}},
    Field{"accountId", reference, type::kAccount},
    Field{"accountName", name_reference, type::kAccount},
    Field{"ownerId", reference, type::kUser},
    Field{"ownerName", name_reference, type::kUser},
    Field{"reportsToId", reference, type::kContact},
    Field{"leadSource", text, {}},
};

constexpr std::array kOpportunityFields{
    CASTIEL_COMMON_FIELDS,
    Field{"name", text, {}},
    Field{"amount", money, {}},
    Field{"currency", currency, {}},
    Field{"stage", text, {}},
    Field{"status", status, {}},
    Field{"isClosed", boolean, {}},
    Field{"isWon", boolean, {}},
    Field{"pipeline", text, {}},
    Field{"probability", fraction, {}},
    Field{"createdDate", date, {}},
    Field{"closeDate", date, {}},
    Field{"lastActivityDate", date, {}},
    Field{"lastStageChangeAt", time, {}},
    Field{"type", text, {}},
    Field{"leadSource", text, {}},
    Field{"forecastCategory", text, {}},
    Field{"nextStep", text, {}},
    Field{"lostReason", text, {}},
    Field{"description", text, {}},
    Field{"accountId", reference, type::kAccount},
    Field{"accountName", name_reference, type::kAccount},
    Field{"contactId", reference, type::kContact},
    Field{"contactName", name_reference, type::kContact},
    Field{"ownerId", reference, type::kUser},
    Field{"ownerName", name_reference, type::kUser},
    Field{"productId", reference, type::kProduct},
    Field{"productName", name_reference, type::kProduct},
    Field{"quantity", decimal, {}},
};

constexpr std::array kProductFields{
    CASTIEL_COMMON_FIELDS,          Field{"name", text, {}},        Field{"code", text, {}},
    Field{"family", text, {}},      Field{"price", money, {}},      Field{"currency", currency, {}},
    Field{"isActive", boolean, {}}, Field{"description", text, {}},
};

constexpr std::array kUserFields{
    CASTIEL_COMMON_FIELDS,
    Field{"name", text, {}},
    Field{"firstName", text, {}},
    Field{"lastName", text, {}},
    Field{"email", email, {}},
    Field{"title", text, {}},
    Field{"team", text, {}},
    Field{"region", text, {}},
    Field{"managerId", reference, type::kUser},
    Field{"managerName", name_reference, type::kUser},
    Field{"isActive", boolean, {}},
};

constexpr std::array kContactRoleFields{
    CASTIEL_COMMON_FIELDS,
    Field{"opportunityId", reference, type::kOpportunity},
    Field{"opportunityName", name_reference, type::kOpportunity},
    Field{"contactId", reference, type::kContact},
    Field{"contactName", name_reference, type::kContact},
    Field{"role", text, {}},
    Field{"isPrimary", boolean, {}},
};

constexpr std::array kOpportunityChangeFields{
    CASTIEL_COMMON_FIELDS,
    Field{"opportunityId", reference, type::kOpportunity},
    Field{"opportunityName", name_reference, type::kOpportunity},
    Field{"field", text, {}},  // canonical or source name of the field that changed
    Field{"oldValue", text, {}},
    Field{"newValue", text, {}},
    Field{"changedAt", time, {}},
    Field{"changedBy", text, {}},
    // A snapshot export (Salesforce's OpportunityHistory) gives whole values at a time instead of one field.
    Field{"stage", text, {}},
    Field{"amount", money, {}},
    Field{"closeDate", date, {}},
    Field{"probability", fraction, {}},
};

#undef CASTIEL_COMMON_FIELDS

constexpr std::array<std::string_view, 1> kByName{"name"};
constexpr std::array<std::string_view, 3> kByEmailOrName{"email", "name", "lastName"};
constexpr std::array<std::string_view, 2> kByCodeOrName{"code", "name"};
constexpr std::array<std::string_view, 0> kNone{};

constexpr std::array kEntities{
    Entity{type::kAccount, kAccountFields, kByName},
    Entity{type::kContact, kContactFields, kByEmailOrName},
    Entity{type::kOpportunity, kOpportunityFields, kByName},
    Entity{type::kProduct, kProductFields, kByCodeOrName},
    Entity{type::kUser, kUserFields, kByEmailOrName},
    Entity{type::kContactRole, kContactRoleFields, kNone},
    Entity{type::kOpportunityChange, kOpportunityChangeFields, kNone},
};

}  // namespace

std::span<const Entity> entities() {
  return kEntities;
}

const Entity* find_entity(std::string_view type) {
  const auto it = std::ranges::find(kEntities, type, &Entity::type);
  return it == kEntities.end() ? nullptr : &*it;
}

const Field* find_field(const Entity& entity, std::string_view name) {
  const auto it = std::ranges::find(entity.fields, name, &Field::name);
  return it == entity.fields.end() ? nullptr : &*it;
}

std::string_view status_of_stage(std::string_view stage) {
  std::string letters;
  for (const char c : stage) {
    if (c >= 'A' && c <= 'Z') letters.push_back(static_cast<char>(c - 'A' + 'a'));
    if (c >= 'a' && c <= 'z') letters.push_back(c);
  }
  static constexpr std::array<std::string_view, 4> kWon{"won", "closedwon", "closewon", "dealwon"};
  static constexpr std::array<std::string_view, 9> kLost{"lost",         "closedlost", "closelost",
                                                         "deallost",     "canceled",   "cancelled",
                                                         "disqualified", "outsold",    "closednodecision"};
  if (std::ranges::find(kWon, letters) != kWon.end()) return "won";
  if (std::ranges::find(kLost, letters) != kLost.end()) return "lost";
  return "open";
}

}  // namespace castiel::model
