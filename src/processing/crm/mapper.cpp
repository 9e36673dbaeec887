#include "processing/crm/mapper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "base/digest.hpp"
#include "content/jsonl.hpp"
#include "content/name_key.hpp"
#include "content/values.hpp"

namespace castiel::processing {

using model::FieldKind;

namespace {

constexpr int kMaxReferences = 50;  // of one field of one record

constexpr std::size_t kNoSlot = ~std::size_t{0};

// A column and what is to become of it.
struct Column {
  std::string name;
  const model::Field* field = nullptr;  // nullptr: custom
  std::size_t slot = kNoSlot;           // of the field
};

struct Cell {
  std::string_view text;
  bool is_json_null = false;
};

// What a record has for one of its canonical fields.
struct Value {
  std::string_view text;  // as the source wrote it; empty for what only follows from other fields
  std::string json;       // ready to be written; empty: nothing
  bool given = false;     // by a column
};

// The values of one record by field.
class Values {
 public:
  Values(const std::vector<std::string_view>& slots) : slots_(&slots), values_(slots.size()) {}
  Value& at(std::size_t slot) { return values_[slot]; }
  std::string_view text(std::string_view field) const {
    const Value* value = find(field);
    return value == nullptr ? std::string_view() : value->text;
  }
  std::string_view json(std::string_view field) const {
    const Value* value = find(field);
    return value == nullptr ? std::string_view() : std::string_view(value->json);
  }
  // A JSON string's characters; only for fields whose characters need no escape.
  std::string_view unquoted(std::string_view field) const {
    const auto text = json(field);
    return text.size() >= 2 ? text.substr(1, text.size() - 2) : std::string_view();
  }
  bool has(std::string_view field) const { return !json(field).empty(); }
  void put(std::string_view field, std::string json) {
    values_[static_cast<std::size_t>(std::ranges::lower_bound(*slots_, field) - slots_->begin())].json =
        std::move(json);
  }
  std::span<const Value> all() const { return values_; }

 private:
  const Value* find(std::string_view field) const {
    const auto it = std::ranges::lower_bound(*slots_, field);
    return it == slots_->end() || *it != field ? nullptr
                                               : &values_[static_cast<std::size_t>(it - slots_->begin())];
  }
  const std::vector<std::string_view>* slots_;
  std::vector<Value> values_;
};

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty() && parts.size() < kMaxReferences) {
    const auto end = std::min(text.find(';'), text.size());
    const auto part = content::trim(text.substr(0, end));
    if (!part.empty()) parts.push_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string role_of(std::string_view field) {
  for (const std::string_view suffix : {"Id", "Name"}) {
    if (field.ends_with(suffix)) return std::string(field.substr(0, field.size() - suffix.size()));
  }
  return std::string(field);
}

// "Jane Doe (jane@acme.example)" names a person by address.
std::optional<std::string> email_in(std::string_view text) {
  const auto open = text.rfind('(');
  if (open == std::string_view::npos || !text.ends_with(')')) return std::nullopt;
  const auto inside = text.substr(open + 1, text.size() - open - 2);
  if (inside.find('@') == std::string_view::npos) return std::nullopt;
  auto email = content::parse_email(inside);
  return email ? std::optional(*email) : std::nullopt;
}

// The canonical name of an opportunity's field as history exports write it.
std::string canonical_change_field(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> kNames{
      {"stagename", "stage"},
      {"stage", "stage"},
      {"dealstage", "stage"},
      {"salesstage", "stage"},
      {"stageid", "stage"},
      {"amount", "amount"},
      {"value", "amount"},
      {"estimatedvalue", "amount"},
      {"closedate", "closeDate"},
      {"expectedclosedate", "closeDate"},
      {"estimatedclosedate", "closeDate"},
      {"estclosedate", "closeDate"},
      {"ownerid", "ownerId"},
      {"owner", "ownerName"},
      {"dealowner", "ownerName"},
      {"hubspotownerid", "ownerId"},
      {"probability", "probability"},
      {"dealprobability", "probability"},
      {"nextstep", "nextStep"},
      {"name", "name"},
      {"dealname", "name"},
      {"status", "status"},
      {"forecastcategory", "forecastCategory"},
      {"forecastcategoryname", "forecastCategory"}};
  const auto it = kNames.find(content::name_key(name));
  return it == kNames.end() ? std::string(name) : it->second;
}

}  // namespace

std::string alias_key(std::string_view type, std::string_view name) {
  return type == model::type::kAccount ? content::company_key(name) : content::name_key(name);
}

std::string normalize_id(std::string_view integration, std::string_view id) {
  if (integration != "salesforce" || id.size() != 15) return std::string(id);
  std::string result(id);
  for (std::size_t block = 0; block < 3; ++block) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      const char c = id[block * 5 + i];
      const bool upper = c >= 'A' && c <= 'Z';
      if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return std::string(id);
      if (upper) bits |= 1u << i;
    }
    result.push_back("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]);
  }
  return result;
}

Result<PageHeader> read_page_header(const json::object& data) {
  PageHeader header;
  const auto* mapping = get_object(data, "mapping");
  const auto* format = get_object(data, "format");
  if (mapping == nullptr || format == nullptr)
    return permanent("invalid_page", "the page says not how its records are to be read");
  CASTIEL_ASSIGN(header.mapping, connectors::record_mapping_from_json(*mapping));
  header.integration = string_or(data, "integrationId", header.mapping.integration);
  header.format =
      string_or(*format, "kind") == "json" ? connectors::SourceFormat::json : connectors::SourceFormat::csv;
  if (header.format == connectors::SourceFormat::csv) {
    const auto* dialect = get_object(*format, "dialect");
    if (dialect == nullptr) return permanent("invalid_page", "the page's CSV dialect is missing");
    CASTIEL_ASSIGN(header.dialect, content::csv_dialect_from_json(*dialect));
  }
  CASTIEL_ASSIGN(header.observed_at, parse_timestamp(string_or(data, "observedAt")));
  header.force = bool_or(data, "force", false);
  return header;
}

struct Mapper::Impl {
  PageHeader header;
  const model::Entity* entity = nullptr;
  std::vector<Column> columns;
  std::vector<std::size_t> columns_by_name;
  // The canonical fields a record of this page may have, in the order in which they are written.
  std::vector<std::string_view> slots;
  std::size_t slot_of(std::string_view field) const {
    const auto it = std::ranges::lower_bound(slots, field);
    return it == slots.end() || *it != field ? kNoSlot : static_cast<std::size_t>(it - slots.begin());
  }
  std::map<std::string, std::size_t, std::less<>> column_index;  // JSON records look their members up
  content::DateRules dates;

  struct Row {
    std::vector<std::string> fields;                                   // owns CSV fields
    std::vector<content::JsonField> members;                           // owns JSON members
    std::vector<Cell> cells;                                           // by column
    std::vector<std::pair<std::string_view, std::string_view>> extra;  // members no column was known for
  };
  Result<Row> split(std::string_view source) const;
  // The JSON text of a value, or nothing for a missing one; problems go to `record`.
  Result<std::optional<std::string>> convert(const model::Field& field, std::string_view text,
                                             std::string& currency) const;
  void add_reference(MappedRecord& record, const model::Field& field, std::string_view text) const;
  void write(MappedRecord& record, const Values& values, const Row& row,
             const std::vector<bool>& custom) const;
};

Mapper::Mapper(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Mapper::~Mapper() = default;
Mapper::Mapper(Mapper&&) noexcept = default;
const PageHeader& Mapper::header() const {
  return impl_->header;
}

Result<Mapper> Mapper::create(PageHeader header) {
  auto impl = std::make_unique<Impl>();
  impl->entity = model::find_entity(header.mapping.entity);
  if (impl->entity == nullptr)
    return permanent("invalid_page", fmt::format("there is no entity '{}'", header.mapping.entity));
  for (const auto& c : header.mapping.columns) {
    const auto* field = c.field.empty() ? nullptr : model::find_field(*impl->entity, c.field);
    impl->column_index.emplace(c.column, impl->columns.size());
    impl->columns_by_name.push_back(impl->columns.size());
    impl->columns.push_back({c.column, field});
    if (field != nullptr) impl->slots.push_back(field->name);
  }
  for (const std::string_view derived : {"createdDate", "currency", "domain", "name", "status"})
    impl->slots.push_back(derived);
  std::ranges::sort(impl->slots);
  impl->slots.erase(std::ranges::unique(impl->slots).begin(), impl->slots.end());
  for (auto& column : impl->columns) {
    if (column.field != nullptr) column.slot = impl->slot_of(column.field->name);
  }
  std::ranges::sort(impl->columns_by_name, {},
                    [&](std::size_t i) { return std::string_view(impl->columns[i].name); });
  impl->dates.order = header.mapping.dates;
  CASTIEL_ASSIGN(impl->dates.zone, content::TimeZone::find(
                                       header.mapping.time_zone.empty() ? "UTC" : header.mapping.time_zone));
  impl->header = std::move(header);
  return Mapper(std::move(impl));
}

Result<Mapper::Impl::Row> Mapper::Impl::split(std::string_view source) const {
  Row row;
  row.cells.resize(columns.size());
  if (header.format == connectors::SourceFormat::csv) {
    row.fields = content::parse_csv_record(source, header.dialect);
    for (std::size_t i = 0; i < columns.size() && i < row.fields.size(); ++i)
      row.cells[i].text = row.fields[i];
    return row;
  }
  CASTIEL_ASSIGN(row.members, content::parse_json_record(source));
  for (const auto& member : row.members) {
    const auto it = column_index.find(member.name);
    if (it != column_index.end()) {
      row.cells[it->second] = {member.text, member.kind == content::JsonKind::null};
    } else if (member.kind != content::JsonKind::null) {
      row.extra.emplace_back(member.name, member.text);
    }
  }
  return row;
}

Result<std::optional<std::string>> Mapper::Impl::convert(const model::Field& field, std::string_view text,
                                                         std::string& currency) const {
  using Json = std::optional<std::string>;
  const auto& mapping = header.mapping;
  switch (field.kind) {
    case FieldKind::money: {
      CASTIEL_ASSIGN(const auto amount, content::parse_amount(text, mapping.numbers));
      if (currency.empty() && !amount.currency.empty()) currency = amount.currency;
      // 240000, 240000.0 and 240000.00 are one amount, whoever writes it.
      const auto whole = amount.value.rounded(0);
      return Json(quoted((whole == amount.value ? whole : amount.value).str()));
    }
    case FieldKind::decimal: {
      CASTIEL_ASSIGN(const auto number, content::parse_number(text, mapping.numbers));
      return Json(quoted(number.str()));
    }
    case FieldKind::integer: {
      CASTIEL_ASSIGN(const auto number, content::parse_integer(text, mapping.numbers));
      return Json(std::to_string(number));
    }
    case FieldKind::fraction: {
      CASTIEL_ASSIGN(const auto fraction, content::parse_fraction(text, mapping.fractions, mapping.numbers));
      return Json(quoted(fraction.str()));
    }
    case FieldKind::boolean: {
      CASTIEL_ASSIGN(const bool flag, content::parse_boolean(text));
      return Json(flag ? "true" : "false");
    }
    case FieldKind::date: {
      CASTIEL_ASSIGN(const auto date, content::parse_date_value(text, dates));
      if (date.implausible)
        return permanent("implausible_date",
                         fmt::format("'{}' is a date no deal has: it was taken as missing", text));
      return Json(quoted(to_string(date.date)));
    }
    case FieldKind::time: {
      CASTIEL_ASSIGN(const auto time, content::parse_time_value(text, dates));
      if (time.implausible)
        return permanent("implausible_date",
                         fmt::format("'{}' is a time no record has: it was taken as missing", text));
      return Json(quoted(to_string(time.time)));
    }
    case FieldKind::status: {
      CASTIEL_ASSIGN(const auto status, content::parse_status(text));
      return Json(quoted(status));
    }
    case FieldKind::currency: {
      CASTIEL_ASSIGN(currency, content::parse_currency(text));
      return Json();  // written once, with what amounts say
    }
    case FieldKind::email: {
      CASTIEL_ASSIGN(const auto email, content::parse_email(text));
      return Json(quoted(email));
    }
    case FieldKind::url: {
      CASTIEL_ASSIGN(const auto url, content::parse_url(text));
      return Json(quoted(url));
    }
    case FieldKind::text:
    case FieldKind::reference:
    case FieldKind::name_reference:
      return Json(quoted(text));
  }
  return Json(quoted(text));
}

void Mapper::Impl::add_reference(MappedRecord& record, const model::Field& field,
                                 std::string_view text) const {
  const std::string role = role_of(field.name);
  for (const auto part : split_list(text)) {
    if (field.kind == FieldKind::reference) {
      const auto id = header.format == connectors::SourceFormat::json && part.starts_with('[')
                          ? content::first_of_array(part, "id")
                          : std::string(part);
      record.relations.push_back({role, fmt::format("{}:id", field.target),
                                  normalize_id(header.integration, id), std::string(part)});
    } else if (const auto email = email_in(part)) {
      record.relations.push_back({role, fmt::format("{}:email", field.target), *email, std::string(part)});
    } else if (auto key = alias_key(field.target, part); !key.empty()) {
      record.relations.push_back(
          {role, fmt::format("{}:name", field.target), std::move(key), std::string(part)});
    }
  }
}

namespace {

// Relations given both ways count once: the id decides, the name stays as its text, so that it can stand in
// when the id leads nowhere.
void join_relations(std::vector<RelationSeed>& relations) {
  std::vector<RelationSeed> joined;
  for (const auto& r : relations) {
    if (!r.kind.ends_with(":id")) continue;
    joined.push_back(r);
  }
  for (const auto& r : relations) {
    if (r.kind.ends_with(":id")) continue;
    const auto same_role = [&](const RelationSeed& j) { return j.role == r.role && j.kind.ends_with(":id"); };
    const auto ids = std::ranges::count_if(joined, same_role);
    const auto names = std::ranges::count_if(
        relations, [&](const RelationSeed& o) { return o.role == r.role && !o.kind.ends_with(":id"); });
    if (ids == 0) {
      joined.push_back(r);
    } else if (ids == names) {
      const auto position = std::ranges::count_if(
          relations.begin(), relations.begin() + (&r - relations.data()),
          [&](const RelationSeed& o) { return o.role == r.role && !o.kind.ends_with(":id"); });
      std::ptrdiff_t seen = 0;
      for (auto& j : joined) {
        if (same_role(j) && seen++ == position) j.text = r.text;
      }
    }
  }
  relations = std::move(joined);
}

}  // namespace

namespace {

// What the source leaves unsaid but its other fields say.
void derive(Values& values, std::string_view type, const std::string& external_id) {
  if (type == model::type::kOpportunity) {
    if (!values.has("status")) {
      std::string_view status = model::status_of_stage(values.text("stage"));
      const bool won = values.json("isWon") == "true";
      if (won || values.json("isClosed") == "true") status = won ? "won" : "lost";
      values.put("status", quoted(status));
    }
    if (!values.has("createdDate")) {
      if (const auto created = values.json("createdAt"); created.size() > 11)
        values.put("createdDate", quoted(created.substr(1, 10)));
    }
    if (!values.has("name")) {
      const auto product = values.text("productName"), account = values.text("accountName");
      const std::string name = product.empty() && account.empty() ? external_id
                               : product.empty()                  ? std::string(account)
                               : account.empty()                  ? std::string(product)
                                                                  : fmt::format("{} – {}", account, product);
      values.put("name", quoted(name));
    }
  }
  if ((type == model::type::kContact || type == model::type::kUser) && !values.has("name")) {
    const std::string name = fmt::format("{} {}", values.text("firstName"), values.text("lastName"));
    if (const auto trimmed = content::trim(name); !trimmed.empty()) values.put("name", quoted(trimmed));
  }
  if (type == model::type::kAccount && !values.has("domain") && values.has("website")) {
    if (const auto domain = content::domain_of(values.text("website")); !domain.empty())
      values.put("domain", quoted(domain));
  }
}

// Names under which other records refer to this one. Opportunities are referred to by id only.
void add_aliases(MappedRecord& record, const Values& values, std::string_view type) {
  if (type == model::type::kOpportunity || type == model::type::kContactRole) return;
  std::string name(values.text("name"));
  if (name.empty())
    name =
        std::string(content::trim(fmt::format("{} {}", values.text("firstName"), values.text("lastName"))));
  if (auto name_alias = alias_key(type, name); !name_alias.empty())
    record.aliases.emplace_back(fmt::format("{}:name", type), std::move(name_alias));
  for (const std::string_view field : {"email", "domain"}) {
    if (const auto text = values.unquoted(field); !text.empty())
      record.aliases.emplace_back(fmt::format("{}:{}", type, field), std::string(text));
  }
}

}  // namespace

// The data's text, its fields and then its custom ones by name, and the digest of it without the time of its
// modification: that is no part of the content. The deletion mark is.
void Mapper::Impl::write(MappedRecord& record, const Values& values, const Row& row,
                         const std::vector<bool>& custom) const {
  std::string& out = record.data;
  std::size_t total = 64;
  for (const auto& cell : row.cells) total += cell.text.size() + 32;
  out.reserve(total);
  out = "{";
  const auto name = [&](std::string_view text) {
    if (out.back() != '{') out += ',';
    append_json_string(out, text);
    out += ':';
  };
  std::size_t modified_from = 0, modified_to = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& json_text = values.all()[i].json;
    if (json_text.empty() || slots[i] == "id") continue;
    name(slots[i]);
    out += json_text;
    if (slots[i] == "modifiedAt") {
      modified_to = out.size();
      modified_from = modified_to - json_text.size() - std::string_view("\"modifiedAt\":").size();
    }
  }
  std::vector<std::pair<std::string_view, std::string_view>> others;
  for (const std::size_t i : columns_by_name) {
    if (custom[i]) others.emplace_back(columns[i].name, row.cells[i].text);
  }
  if (!row.extra.empty()) {
    others.insert(others.end(), row.extra.begin(), row.extra.end());
    std::ranges::sort(others, {}, [](const auto& other) { return other.first; });
  }
  if (!others.empty()) {
    out += out.size() > 1 ? ",\"custom\":{" : "\"custom\":{";
    for (const auto& [key, text] : others) {
      name(key);
      append_json_string(out, text);
    }
    out += '}';
  }
  out += '}';
  std::string identity;
  identity.reserve(out.size());
  identity.append(out, 0, modified_from).append(out, modified_to);
  record.content_hash = stable_hash(identity);
}

Result<MappedRecord> Mapper::map(std::string_view key, std::string_view source) const {
  const auto& impl = *impl_;
  CASTIEL_ASSIGN(const auto row, impl.split(source));
  MappedRecord record;
  record.external_id = normalize_id(impl.header.integration, key);
  if (record.external_id.empty()) return permanent("missing_id", "the record has no identifier");
  const std::string_view type = impl.entity->type;

  Values values(impl.slots);
  std::vector<bool> custom(impl.columns.size());
  std::string currency;
  bool has_money = false;
  for (std::size_t i = 0; i < impl.columns.size(); ++i) {
    const auto& [name, field, slot] = impl.columns[i];
    const std::string_view text = content::trim(row.cells[i].text);
    if (row.cells[i].is_json_null || content::is_missing(text)) continue;
    if (field == nullptr ||
        values.at(slot).given) {  // of two columns for one field the first with a value counts
      custom[i] = true;
      continue;
    }
    auto json_text = impl.convert(*field, text, currency);
    if (!json_text) {
      record.problems.push_back(
          {name, json_text.error().code,
           fmt::format("{} {}: column '{}': {}", type, record.external_id, name, json_text.error().message)});
      custom[i] = true;
      continue;
    }
    auto& value = values.at(slot);
    value.text = text;
    value.given = true;
    has_money = has_money || field->kind == FieldKind::money;
    if (field->kind == FieldKind::reference || field->kind == FieldKind::name_reference)
      impl.add_reference(record, *field, text);
    if (*json_text) value.json = std::move(**json_text);
  }
  join_relations(record.relations);

  if (has_money) {
    if (currency.empty()) currency = impl.header.mapping.default_currency;
    values.put("currency", quoted(currency.empty() ? "unknown" : currency));
  } else if (!currency.empty()) {
    values.put("currency", quoted(currency));
  }
  derive(values, type, record.external_id);
  if (values.has("modifiedAt")) {
    CASTIEL_ASSIGN(record.source_version, parse_timestamp(values.unquoted("modifiedAt")));
    record.dated = true;
  } else {
    record.source_version = impl.header.observed_at;
  }
  if (values.has("createdAt"))
    record.created_at = parse_timestamp(values.unquoted("createdAt")).value_or(Timestamp{});
  record.deleted = values.json("isDeleted") == "true";
  add_aliases(record, values, type);
  impl.write(record, values, row, custom);
  return record;
}

Result<MappedChanges> Mapper::map_changes(std::string_view source) const {
  const auto& impl = *impl_;
  CASTIEL_ASSIGN(const auto row, impl.split(source));
  MappedChanges result;
  std::string id, field_name, old_text, new_text, actor;
  std::optional<Timestamp> at;
  std::vector<std::pair<const model::Field*, std::string_view>> snapshot;
  for (std::size_t i = 0; i < impl.columns.size(); ++i) {
    const auto* field = impl.columns[i].field;
    const std::string_view text = content::trim(row.cells[i].text);
    if (field == nullptr || row.cells[i].is_json_null || content::is_missing(text)) continue;
    if (field->name == "opportunityId") id = normalize_id(impl.header.integration, text);
    if (field->name == "field") field_name = text;
    if (field->name == "oldValue") old_text = text;
    if (field->name == "newValue") new_text = text;
    if (field->name == "changedBy") actor = text;
    if (field->name == "changedAt" || (field->name == "createdAt" && !at)) {
      CASTIEL_ASSIGN(const auto time, content::parse_time_value(text, impl.dates));
      at = time.time;
    }
    if (field->name == "stage" || field->name == "amount" || field->name == "closeDate" ||
        field->name == "probability")
      snapshot.emplace_back(field, text);
  }
  if (id.empty()) return permanent("missing_id", "the change names no opportunity by its id");
  if (!at) return permanent("invalid_time", fmt::format("the change of opportunity {} has no time", id));
  result.shard = {std::string(model::type::kOpportunity), impl.header.integration, id};

  const model::Entity& opportunity = *model::find_entity(model::type::kOpportunity);
  std::string currency;
  // A value as the opportunity itself would carry it; text that does not convert is kept as it is and
  // reported.
  const auto canonical = [&](const std::string& name, std::string_view text) -> std::optional<std::string> {
    if (text.empty()) return std::nullopt;
    const auto* field = model::find_field(opportunity, name);
    if (field == nullptr || field->kind == FieldKind::text || field->kind == FieldKind::reference ||
        field->kind == FieldKind::name_reference)
      return std::string(text);
    auto value = impl.convert(*field, text, currency);
    if (!value) {
      result.problems.push_back(
          {name, value.error().code,
           fmt::format("change of opportunity {}: {}: {}", id, name, value.error().message)});
      return std::string(text);
    }
    if (!*value) return std::string(text);
    const std::string& json_text = **value;
    return json_text.starts_with('"') ? json_text.substr(1, json_text.size() - 2) : json_text;
  };
  const auto add = [&](const std::string& name, std::optional<std::string> before,
                       std::optional<std::string> after) {
    model::FieldChange change;
    change.shard = result.shard;
    change.field = name;
    change.old_value = std::move(before);
    change.new_value = std::move(after);
    change.effective_at = *at;
    change.origin = "history_export";
    change.actor = actor;
    result.changes.push_back(std::move(change));
  };
  if (!field_name.empty()) {
    // Salesforce marks a creation with a row of its own; it changes no field.
    if (field_name == "created") return result;
    const std::string name = canonical_change_field(field_name);
    add(name, canonical(name, old_text), canonical(name, new_text));
  } else {
    for (const auto& [field, text] : snapshot)
      add(std::string(field->name), std::nullopt, canonical(std::string(field->name), text));
  }
  return result;
}

}  // namespace castiel::processing
