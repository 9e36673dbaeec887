#include "processing/content/people.hpp"

#include <algorithm>

#include "content/name_key.hpp"
#include "content/text/text.hpp"

namespace castiel::processing {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// The words of a name as keys: "O'Neil, Ann" has "oneil" and "ann".
std::vector<std::string> name_words(std::string_view name) {
  std::vector<std::string> words;
  while (!name.empty()) {
    const auto end = std::min(name.find_first_of(" ,\t("), name.size());
    if (auto key = content::name_key(name.substr(0, end)); !key.empty()) words.push_back(std::move(key));
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return words;
}

}  // namespace

Person person_of(const json::value& value) {
  const auto* o = value.if_object();
  if (o == nullptr) return {};
  return {string_or(*o, "name"), lower(string_or(*o, "email"))};
}

std::vector<Person> people_of(const json::object& record, std::string_view member) {
  std::vector<Person> people;
  if (const auto* list = get_array(record, member)) {
    for (const auto& item : *list) people.push_back(person_of(item));
  }
  return people;
}

json::object to_json(const Person& person) {
  return {{"name", person.name}, {"email", person.email}};
}
json::array to_json(const std::vector<Person>& people) {
  json::array list;
  for (const auto& p : people) list.push_back(to_json(p));
  return list;
}

const Person* find_person(const std::vector<Person>& people, std::string_view text) {
  if (text.empty()) return nullptr;
  const std::string address = lower(text), key = content::name_key(text);
  for (const auto& p : people) {
    if ((!p.email.empty() && p.email == address) || (!key.empty() && content::name_key(p.name) == key))
      return &p;
  }
  const Person* found = nullptr;
  for (const auto& p : people) {
    const auto words = name_words(p.name);
    if (std::ranges::find(words, key) == words.end()) continue;
    if (found != nullptr && found->email != p.email) return nullptr;
    found = &p;
  }
  return found;
}

std::string side_of(const Person& person, const tenancy::OwnPeople& own) {
  if (!own.knows_anybody()) return {};
  if (!person.email.empty()) return own.is_own(person.email) ? "own" : "customer";
  if (person.name.empty()) return {};
  return own.is_own_name(content::name_key(person.name)) ? "own" : "";
}

std::vector<TaskSeed> task_seeds(const json::array& items, std::string_view text,
                                 const std::vector<Person>& people, const tenancy::OwnPeople& own) {
  std::vector<TaskSeed> tasks;
  for (const auto& item : items) {
    TaskSeed task{item.get_object(), "", "", ""};
    if (const auto* owner = find_person(people, string_or(task.item, "owner"))) {
      task.owner_email = owner->email;
      task.owner_side = side_of(*owner, own);
    }
    if (const auto* place = get_object(task.item, "evidence"); place != nullptr && place->contains("start")) {
      task.sentence =
          std::string(content::text::slice(text, {static_cast<std::size_t>(int_or(*place, "start", 0)),
                                                  static_cast<std::size_t>(int_or(*place, "end", 0))}));
    }
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace castiel::processing
