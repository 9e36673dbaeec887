#include "connectors/recognise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "connectors/impl/dictionary.hpp"
#include "content/jsonl.hpp"
#include "content/name_key.hpp"
#include "model/entity.hpp"

namespace castiel::connectors {
namespace {

using content::name_key;
using impl::EntityKeys;

constexpr std::size_t kJudgedValues = 200;
constexpr double kEnough = 2.0;  // score below which no entity is believed
constexpr std::string_view kFormatted = "@OData.Community.Display.V1.FormattedValue";

struct Column {
  std::string name;
  std::string key;                       // of the whole name
  std::string group;                     // "deal" of Pipedrive's "Deal - Title"
  std::string inner;                     // key of "Title" there
  std::vector<std::string_view> values;  // not missing, at most kJudgedValues
};

std::vector<Column> read_columns(const TableSample& sample) {
  std::vector<Column> columns;
  for (std::size_t i = 0; i < sample.columns.size(); ++i) {
    Column column;
    column.name = sample.columns[i];
    std::string_view name = column.name;
    // Salesforce's type and address of a record are not fields of it.
    if (name == "attributes.type" || name == "attributes.url" || name.starts_with("@odata.")) {
      columns.push_back(std::move(column));
      continue;
    }
    name = content::without_bag(name);
    if (name.ends_with(kFormatted)) {
      std::string_view base = name.substr(0, name.size() - kFormatted.size());
      if (base.starts_with('_') && base.ends_with("_value")) base = base.substr(1, base.size() - 7);
      column.key = name_key(base) + "formatted";
    } else {
      if (name.ends_with("__c")) name.remove_suffix(3);
      column.key = name_key(name);
      // "SALESFORCE.COM" writes "Opportunity: Stage" in some reports, Pipedrive "Deal - Stage".
      for (const std::string_view dash : {" - ", ": "}) {
        if (const auto at = name.find(dash); at != name.npos && at > 0 && column.group.empty()) {
          column.group = name_key(name.substr(0, at));
          column.inner = name_key(name.substr(at + dash.size()));
        }
      }
    }
    for (std::size_t r = 0; r < sample.rows.size() && column.values.size() < kJudgedValues; ++r) {
      if (i < sample.rows[r].size() && !content::is_missing(sample.rows[r][i]))
        column.values.push_back(sample.rows[r][i]);
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

bool has_key(const std::vector<Column>& columns, std::string_view key) {
  return std::ranges::any_of(columns, [&](const Column& column) { return column.key == key; });
}

std::size_t count_keys(const std::vector<Column>& columns, std::string_view keys) {
  return static_cast<std::size_t>(std::ranges::count_if(
      columns, [&](const Column& column) { return impl::key_rank(keys, column.key) >= 0; }));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Which tool wrote the table. By its own columns; else by the path; else "files".
std::string find_integration(const std::vector<Column>& columns, std::string_view file) {
  std::map<std::string, double> score;
  score["salesforce"] = 2.0 * static_cast<double>(count_keys(
                                  columns,
                                  " systemmodstamp lastmodifiedbyid currencyisocode stagename ownerid "
                                  "billingstreet billingcity timezonesidkey userroleid "
                                  "forecastcategoryname opportunityowner opportunityname accountowner "));
  score["hubspot"] =
      2.0 * static_cast<double>(count_keys(columns,
                                           " recordid dealowner companyowner contactowner "
                                           "associatedcompanyids associatedcompany associatedcontactids "
                                           "lifecyclestage companydomainname hsobjectid hubspotownerid "
                                           "dealstage dealname numberofassociateddeals "
                                           "numberofassociatedcontacts hslastmodifieddate mainteam "
                                           "additionalteams hubspotteam dealcurrencycode "));
  score["pipedrive"] =
      static_cast<double>(count_keys(columns,
                                     " orgid personid stageid pipelineid addtime updatetime stagechangetime "
                                     "expectedclosedate wontime losttime "
                                     "orgidvalue personidvalue employeecount nextactivitydate "));
  score["dynamics"] =
      2.0 * static_cast<double>(count_keys(
                columns,
                " estrevenue potentialcustomer estimatedvalue estimatedclosedate closeprobability statecode "
                "statuscode owneridvalue emailaddress1 telephone1 transactioncurrencyidvalue "
                "customeridvalue parentcustomeridvalue versionnumber websiteurl systemuserid estclosedate "));
  if (has_key(columns, "systemmodstamp")) score["salesforce"] += 1;
  if (has_key(columns, "property") && has_key(columns, "recordid")) score["hubspot"] += 2;
  for (const auto& column : columns) {
    if (column.name.ends_with("__c") || column.name == "attributes.type") score["salesforce"] += 3;
    if (column.name.starts_with("properties.") || column.name.starts_with("hs_")) score["hubspot"] += 3;
    if (!column.group.empty() && column.name.find(" - ") != column.name.npos &&
        impl::key_rank(" deal organization person product user activity ", column.group) >= 0) {
      score["pipedrive"] += 3;
    }
    if (column.name.starts_with("(Do Not Modify)") || column.name.starts_with("@odata.") ||
        column.name.ends_with(kFormatted)) {
      score["dynamics"] += 4;
    }
    // An 18-character id of Salesforce ends in a checksum of three letters and digits.
    if ((column.key == "id" || column.key == "opportunityid" || column.key == "accountid") &&
        !column.values.empty()) {
      const std::string_view id = column.values.front();
      if ((id.size() == 18 || id.size() == 15) && id.starts_with("00") && std::ranges::all_of(id, [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
          })) {
        score["salesforce"] += 4;
      }
    }
  }
  const std::string path = lower(file);
  for (auto& [name, points] : score) {
    if (path.find(name) != path.npos) points += 3;
  }
  const auto best = std::ranges::max_element(score, {}, [](const auto& entry) { return entry.second; });
  return best->second >= 3 ? best->first : "files";
}

std::string_view tool_name(std::string_view integration) {
  if (integration == "salesforce") return "Salesforce";
  if (integration == "hubspot") return "HubSpot";
  if (integration == "pipedrive") return "Pipedrive";
  if (integration == "dynamics") return "Dynamics";
  return "usual";
}

// The key of a column without words that add nothing: the entity's own name, fillers, units.
std::string bare_key(const Column& column, const EntityKeys& entity) {
  constexpr std::string_view kFillers = " the of current in usd eur gbp my our latest no number ";
  std::string key;
  for (const auto& word : impl::words_of(content::without_bag(column.name))) {
    if (word == "c" || impl::key_rank(entity.own_words, word) >= 0 || impl::key_rank(kFillers, word) >= 0)
      continue;
    key += name_key(word);
  }
  return key;
}

template <class Parse>
bool mostly(const Column& column, Parse parse) {
  if (column.values.empty()) return true;
  const auto good = std::ranges::count_if(column.values, parse);
  return static_cast<std::size_t>(good) * 10 >= column.values.size() * 6;
}

// Whether the values can be what the field is; nothing is said by a column without values.
bool values_fit(const Column& column, model::FieldKind kind) {
  using model::FieldKind;
  switch (kind) {
    case FieldKind::money:
    case FieldKind::decimal:
      return mostly(column, [](auto v) { return content::parse_amount(v).has_value(); });
    case FieldKind::integer:
      return mostly(column, [](auto v) { return content::parse_integer(v).has_value(); });
    case FieldKind::fraction:
      return mostly(column, [](auto v) { return content::parse_fraction(v).has_value(); });
    case FieldKind::boolean:
      return mostly(column, [](auto v) { return content::parse_boolean(v).has_value(); });
    case FieldKind::date:
    case FieldKind::time:
      return mostly(column, [](auto v) { return content::parse_time_value(v).has_value(); });
    case FieldKind::status:
      return mostly(column, [](auto v) { return content::parse_status(v).has_value(); });
    case FieldKind::currency:
      return mostly(column, [](auto v) { return content::parse_currency(v).has_value(); });
    case FieldKind::email:
      return mostly(column, [](auto v) { return v.starts_with('[') || content::parse_email(v).has_value(); });
    case FieldKind::url:
      return mostly(column, [](auto v) { return content::parse_url(v).has_value(); });
    default:
      return true;
  }
}

struct Choice {
  std::vector<ColumnMapping> columns;
  std::vector<std::string> notes;
  double score = 0;
  bool complete = false;  // has what a record of the entity cannot be without
};

struct Offer {
  std::size_t column;
  const impl::FieldKeys* field;
  double confidence;
  int rank;
  std::string why;
};

// Whether the mapped fields make a record of the entity at all.
bool has_essentials(std::string_view entity, const std::set<std::string_view>& fields) {
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::any_of(names, [&](std::string_view name) { return fields.contains(name); });
  };
  namespace type = model::type;
  if (entity == type::kOpportunity)
    return any({"stage", "status", "amount", "closeDate"}) && any({"id", "name"});
  if (entity == type::kAccount) return any({"name", "domain"});
  if (entity == type::kContact) return any({"email", "name", "lastName"});
  if (entity == type::kUser) return any({"email", "name", "lastName"});
  if (entity == type::kProduct) return any({"name", "code"}) && any({"price", "code", "family", "isActive"});
  const bool deal = any({"opportunityId", "opportunityName"});
  if (entity == type::kContactRole)
    return deal && any({"contactId", "contactName"}) && any({"role", "isPrimary"});
  return deal && any({"changedAt"}) &&
         (any({"oldValue"}) || (any({"newValue"}) && any({"field"})) || any({"stage"}));
}

Choice choose(const std::vector<Column>& columns, const EntityKeys& keys, std::string_view integration,
              const SourceMapEntry* user) {
  const model::Entity& entity = *model::find_entity(keys.entity);
  std::map<std::string, std::size_t> groups;
  for (const auto& column : columns) ++groups[column.group];
  Choice choice;
  std::set<std::string_view> used;
  for (const auto& column : columns) {
    choice.columns.push_back({column.name, {}, 0, {}});
    if (user == nullptr) continue;
    if (const auto given = user->columns.find(column.name); given != user->columns.end()) {
      choice.columns.back().field = given->second;
      choice.columns.back().confidence = 1;
      choice.columns.back().why = "source map";
      if (!given->second.empty()) used.insert(given->second);
    }
  }
  std::vector<Offer> offers;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Column& column = columns[i];
    if (column.key.empty() || !choice.columns[i].why.empty() || (user != nullptr && user->only)) continue;
    const bool own_group = !column.group.empty() && impl::key_rank(keys.own_words, column.group) >= 0;
    const std::string& key = own_group ? column.inner : column.key;
    const std::string bare = bare_key(column, keys);
    for (const auto& field : keys.fields) {
      if (const int rank = impl::key_rank(field.keys, key); rank >= 0) {
        offers.push_back({i, &field, integration == "files" ? 0.9 : 1.0, rank,
                          fmt::format("{} header for {}", tool_name(integration), field.field)});
      } else if (const int bare_rank = impl::key_rank(field.keys, bare);
                 bare_rank >= 0 && bare != key && bare.size() >= 3) {
        offers.push_back(
            {i, &field, 0.7, bare_rank + 100, fmt::format("'{}' means {}", column.name, field.field)});
      } else if (key.size() >= 7) {
        // A typing error in a header: one edit from a known one.
        for (std::size_t from = 0; from < field.keys.size();) {
          const std::size_t end = std::min(field.keys.find(' ', from), field.keys.size());
          const std::string_view known = field.keys.substr(from, end - from);
          if (known.size() >= 7 && content::edit_distance_at_most(known, key, 1) == 1) {
            offers.push_back({i, &field, 0.6, 200,
                              fmt::format("'{}' is close to a header for {}", column.name, field.field)});
            break;
          }
          from = end + 1;
        }
      }
    }
  }
  std::ranges::stable_sort(offers, {}, &Offer::rank);
  for (const auto& offer : offers) {
    auto& target = choice.columns[offer.column];
    if (!target.field.empty() || used.contains(offer.field->field)) continue;
    const auto* field = model::find_field(entity, offer.field->field);
    if (field == nullptr) continue;
    if (!values_fit(columns[offer.column], field->kind)) {
      choice.notes.push_back(
          fmt::format("column '{}' is not taken as {}: its values do not fit", target.column, field->name));
      continue;
    }
    target.field = field->name;
    target.confidence = offer.confidence;
    target.why = offer.why;
    used.insert(field->name);
    choice.score += offer.field->weight * offer.confidence;
  }
  choice.complete = has_essentials(keys.entity, used);
  choice.score += 2.0 * static_cast<double>(std::min<std::size_t>(3, count_keys(columns, keys.decisive)));
  for (const auto& column : columns) {
    if (!column.group.empty() && impl::key_rank(keys.own_words, column.group) >= 0) choice.score += 0.4;
  }
  const auto unmapped =
      std::ranges::count_if(choice.columns, [](const ColumnMapping& column) { return column.field.empty(); });
  choice.score -= 0.1 * static_cast<double>(unmapped);
  return choice;
}

// The entity that an API's records name themselves: Salesforce's attributes.type.
std::string declared_entity(const TableSample& sample) {
  for (std::size_t i = 0; i < sample.columns.size(); ++i) {
    if (sample.columns[i] != "attributes.type") continue;
    for (const auto& row : sample.rows) {
      if (i >= row.size() || row[i].empty()) continue;
      const std::string type = name_key(row[i]);
      if (type == "opportunity" || type == "account" || type == "contact" || type == "user") return type;
      if (type == "product2") return std::string(model::type::kProduct);
      if (type == "opportunitycontactrole") return std::string(model::type::kContactRole);
      if (type == "opportunityfieldhistory" || type == "opportunityhistory")
        return std::string(model::type::kOpportunityChange);
    }
  }
  return {};
}

std::unexpected<Error> unrecognised(const TableSample& sample, std::string_view guess) {
  std::string seen;
  std::size_t shown = 0;
  for (const auto& column : sample.columns) {
    if (shown++ == 12) {
      seen += ", …";
      break;
    }
    seen += (seen.empty() ? "" : ", ") + (column.size() > 40 ? column.substr(0, 40) : column);
  }
  const std::string_view name = sample.file.substr(sample.file.rfind('/') + 1);
  const std::string_view first =
      sample.columns.empty() ? std::string_view("Column") : std::string_view(sample.columns.front());
  return permanent(
      "unrecognised_table",
      fmt::format("'{}' has the columns {}, which fit no known kind of record. Say what it is in a source "
                  "map: files: [{{match: \"{}\", "
                  "entity: {}, columns: {{\"{}\": id}}}}]",
                  name, seen, name, guess.empty() ? std::string_view("opportunity") : guess, first));
}

void infer_styles(Recognition& result, const std::vector<Column>& columns, const SourceMapEntry* user) {
  const model::Entity* entity = model::find_entity(result.mapping.entity);
  std::vector<std::string_view> numbers, dates, fractions;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto* field = model::find_field(*entity, result.mapping.columns[i].field);
    if (field == nullptr) continue;
    using model::FieldKind;
    const auto& values = columns[i].values;
    if (field->kind == FieldKind::money || field->kind == FieldKind::decimal ||
        field->kind == FieldKind::integer) {
      numbers.insert(numbers.end(), values.begin(), values.end());
    } else if (field->kind == FieldKind::fraction) {
      fractions.insert(fractions.end(), values.begin(), values.end());
    } else if (field->kind == FieldKind::date || field->kind == FieldKind::time) {
      dates.insert(dates.end(), values.begin(), values.end());
    }
  }
  auto& mapping = result.mapping;
  mapping.numbers = content::infer_number_style(numbers);
  mapping.dates = content::infer_date_order(dates);
  mapping.fractions = content::infer_fraction_scale(fractions);
  if (user != nullptr) {
    if (user->numbers) mapping.numbers = *user->numbers;
    if (user->dates) mapping.dates = *user->dates;
    if (!user->currency.empty()) mapping.default_currency = user->currency;
    if (!user->time_zone.empty()) mapping.time_zone = user->time_zone;
  }
  const auto doubtful_number = [](std::string_view v) {
    const auto amount = content::parse_amount(v);
    return amount && amount->ambiguous;
  };
  const auto doubtful_date = [](std::string_view v) {
    const auto date = content::parse_date_value(v);
    return date && date->ambiguous;
  };
  if (mapping.numbers == content::NumberStyle::unknown && std::ranges::any_of(numbers, doubtful_number)) {
    result.notes.push_back(
        "numbers such as 1.234 could be read in two ways; say 'decimal: comma' or 'point' in a source map");
  }
  if (mapping.dates == content::DateOrder::unknown && std::ranges::any_of(dates, doubtful_date)) {
    result.notes.push_back(
        "day and month of dates could be exchanged; read as month first; say 'dates: dmy' or 'mdy' in a "
        "source map");
  }
}

}  // namespace

Result<Recognition> recognise(const TableSample& sample, const SourceMapEntry* user) {
  const auto columns = read_columns(sample);
  Recognition result;
  result.mapping.integration = user != nullptr && !user->integration.empty()
                                   ? user->integration
                                   : find_integration(columns, sample.file);
  const std::string declared =
      user != nullptr && !user->entity.empty() ? user->entity : declared_entity(sample);
  const EntityKeys* best = nullptr;
  Choice chosen;
  double second = 0;
  for (const auto& keys : impl::dictionary()) {
    if (!declared.empty() && keys.entity != declared) continue;
    Choice choice = choose(columns, keys, result.mapping.integration, user);
    if (!choice.complete && declared.empty()) continue;
    choice.score += impl::file_name_score(sample.file, keys);
    // An opportunity's own row has no second id that names the opportunity.
    const bool detail = has_key(columns, "id") && has_key(columns, "opportunityid");
    if (detail && keys.entity == model::type::kOpportunity) choice.score -= 6;
    if (best == nullptr || choice.score > chosen.score) {
      second = best == nullptr ? 0 : chosen.score;
      best = &keys;
      chosen = std::move(choice);
    } else {
      second = std::max(second, choice.score);
    }
  }
  const bool any_field = best != nullptr && std::ranges::any_of(chosen.columns, [](const auto& column) {
                           return !column.field.empty();
                         });
  if (!any_field || (declared.empty() && chosen.score < kEnough)) {
    return unrecognised(sample, best != nullptr ? best->entity : std::string_view());
  }
  result.mapping.entity = best->entity;
  result.mapping.columns = std::move(chosen.columns);
  result.notes = std::move(chosen.notes);
  if (!declared.empty()) {
    result.confidence = 1;
    result.why =
        user != nullptr && !user->entity.empty() ? "the source map says so" : "the records name their type";
  } else {
    result.confidence = std::clamp(0.5 + (chosen.score - second) / 12, 0.5, 0.99);
    std::string fields;
    for (const auto& column : result.mapping.columns) {
      if (!column.field.empty() && fields.size() < 60) fields += (fields.empty() ? "" : ", ") + column.column;
    }
    result.why =
        fmt::format("columns {} are those of {} {}", fields,
                    best->entity == model::type::kAccount || best->entity == model::type::kOpportunity ||
                            best->entity == model::type::kOpportunityChange
                        ? "an"
                        : "a",
                    best->entity);
  }
  infer_styles(result, columns, user);
  return result;
}

}  // namespace castiel::connectors
