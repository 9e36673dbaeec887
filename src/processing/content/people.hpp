#pragma once
// The people of a record, and whose side they are on. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "processing/content/understanding.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::processing {

struct Person {
  std::string name;
  std::string email;  // lower case
};

Person person_of(const json::value& value);  // {"name","email"}; empty for anything else
std::vector<Person> people_of(const json::object& record, std::string_view member);
json::object to_json(const Person& person);
json::array to_json(const std::vector<Person>& people);

// The one whom `text` names: by address, whole name, or a first or last name that only one of them has. Null
// when nobody or several.
const Person* find_person(const std::vector<Person>& people, std::string_view text);

// own, customer, or empty when nothing tells.
std::string side_of(const Person& person, const tenancy::OwnPeople& own);

// The tasks of a text's action items ("actionItems" of interface.md): whose they are, and the words they rest
// on.
std::vector<TaskSeed> task_seeds(const json::array& items, std::string_view text,
                                 const std::vector<Person>& people, const tenancy::OwnPeople& own);

}  // namespace castiel::processing
