#pragma once
// How strong the tie to a person outside is (COMM-5), and who has to do with a deal. Strength is pure;
// people_of_deal blocks on disk.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/store.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::linking {

// The weights of A3: S = 100 (1 - exp(-IR / kappa)), IR = sum of weight(type) / sqrt(size) * half ^ (age /
// lambda).
struct StrengthWeights {
  double meeting = 4, call = 4, mail = 1, chat = 0.3;
  double outgoing = 2;  // factor for what our side wrote
  double kappa = 10;
  double half_life_days = 30;                                // lambda of a new tie
  double half_life_days_per_year = 10, half_life_most = 90;  // it grows with the years of history
  double one_way_most = 15;                                  // strength of a tie nobody ever answered
};

struct Strength {
  double score = 0;      // 0 to 100
  double rate = 0;       // IR
  bool one_way = false;  // never answered: little is known
  std::int64_t inbound = 0, outbound = 0, meetings = 0;
  std::optional<Timestamp> first, last, last_inbound, last_outbound;
};

// Interactions after `now` do not count, automatic ones never.
Strength strength_of(std::span<const storage::Interaction> interactions, Timestamp now,
                     const StrengthWeights& weights = {});

struct DealPerson {
  ShardId contact;  // empty: not in the CRM yet
  std::string name;
  std::string email;
  std::string title;
  std::string role;           // in the deal, where the CRM says so
  std::string account;        // id
  bool own = false;           // of our side: the strength is of the tie to the deal's people
  std::int64_t mentions = 0;  // attached content of the deal in which the person takes part
  Strength strength;
};

inline constexpr std::size_t kMaxInteractions = 5'000;  // of a person, the newest
inline constexpr std::size_t kMaxDealContent = 2'000;   // of a deal that is looked through for people

// Contacts with a role, contacts and strangers in the content attached to the deal; strongest first. With
// `own` also who of our side wrote to them or met them about the deal.
Result<std::vector<DealPerson>> people_of_deal(const storage::Reader& reader, const ShardId& deal,
                                               Timestamp now, const StrengthWeights& weights = {},
                                               const tenancy::OwnPeople* own = nullptr);

}  // namespace castiel::linking
