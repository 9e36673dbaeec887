#include "content/text/impl/lexicon.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

namespace castiel::content::text::impl {
namespace {

struct Group {
  double valence;
  std::string_view words;
};
// Written for this project: words of business mail, reviews and everyday talk, by strength.
constexpr std::array<Group, 7> kGroups{{
    {3.3,
     "amazing awesome excellent outstanding superb magnificent wonderful fantastic brilliant masterpiece "
     "perfect "
     "perfection phenomenal ecstatic love loved loves loving best blessed thrilled euphoric sensational "
     "marvelous "
     "breathtaking spectacular exquisite delighted overjoyed"},
    {2.6,
     "great terrific beautiful happy happiness happily joy joyful gorgeous incredible delight delightful "
     "superior "
     "winner winning triumph victory impressive impressed excited exciting excitement enjoy enjoyed enjoying "
     "enjoyable "
     "enjoys fun funny hilarious charming lovely adore adorable stunning remarkable splendid exceptional "
     "success "
     "successful successfully win wins won inspired inspiring hero heroic miracle celebrate celebration yay "
     "hooray "
     "bliss glad laughing laughed hug hugs kiss sweetheart congratulations congrats thrill passion "
     "passionate glorious "
     "flawless fabulous elegant graceful stellar"},
    {1.9,
     "good better nice thanks thank thankful grateful appreciate appreciated appreciates appreciative "
     "pleased pleasure "
     "pleasant fine lucky luck fortunate helpful help helps helped helping useful valuable recommend "
     "recommended "
     "recommends recommendation friendly friend friends kind kindness warm warmth generous gift cool smart "
     "clever wise "
     "genius talented talent creative strong strength strengths strongest powerful effective efficient "
     "reliable solid "
     "satisfied satisfying satisfaction welcome comfort comfortable comfortably safe secure trust trusted "
     "honest "
     "honesty sincere confident confidence positive optimistic hope hopeful hoping hopes promising progress "
     "improve "
     "improved improvement improves improving benefit benefits beneficial advantage advantages favorite "
     "favourite "
     "freedom peace peaceful energetic sweet cute rich richly entertaining entertainment engaging engaged "
     "interesting "
     "fascinating captivating compelling touching moving witty thoughtful refreshing fresh bright brightest "
     "smile "
     "smiled smiling smiles laugh laughs lol haha hahaha lmao celebrated proud pride praise praised popular "
     "healthy "
     "cheer cheers cheerful cheering romantic romance hearty heartfelt faith faithful loyal loyalty award "
     "awarded "
     "honor honored honour sparkling worthy admire admired ideal dream sharp crisp clean quality affordable "
     "bargain "
     "treat treasure vibrant gentle intelligent skilled gifted prosperity enthusiastic enthusiasm amused "
     "amusing "
     "pretty stylish super easiest fans blessing"},
    {1.2,
     "like liked likes ok okay yes yeah easy easily ease clear clearly agree agreed agrees agreement accept "
     "accepted "
     "support supported supports supporting interest interested able ready sure certain certainly fair "
     "fairly free "
     "gain gained gains growth grow grew hearts heart special share shared well wow please relief relieved "
     "relax "
     "relaxed relaxing calm care caring cares save saved saves saving protect protected original fit matter "
     "accurate accurately quick quickly fast faster quiet decent worth worthwhile worked bonus reward "
     "opportunity "
     "opportunities true truth respect respected credit approve approved approval resolved solved solution "
     "solutions "
     "solve happening adventure adventurous hopefully straightforward smooth smoothly fulfilled intrigue "
     "intriguing "
     "won't-fail sunny party play played playful brave bold peaceful tender innocent noble justice active "
     "natural "
     "fantasy sophisticated subtle convincing authentic ambitious durable compact convenient intuitive "
     "responsive "
     "sturdy cheap humor humorous comedy"},
    {-0.8,
     "problem problems issue issues difficult difficulty hard concern concerns concerned unfortunately "
     "unfortunate "
     "delay delayed delays late missing miss missed misses lack lacks lacking limited slow slowly old doubt "
     "doubts "
     "doubtful unclear unsure uncertain uncertainty confused confusing confusion cut short pay stop stopped "
     "stops no "
     "blame expensive costly complicated complex low lower weak wait waiting demand demands pressure odd "
     "strange "
     "serious shy sorry alone debt quit leave forced desperate skip noisy pushy uneven predictable cliche "
     "cliches mediocre average bland tired tiring sleepy lost lose loses losing tense tension bulky flimsy "
     "cheaply "
     "heavy vague excuse oddly overly"},
    {-1.5,
     "bad worse poor poorly sad sadly sadness unhappy upset upsetting disappointed disappointing "
     "disappointment "
     "disappoints disappoint annoying annoyed annoy frustrated frustrating frustration boring bored dull "
     "tedious lame "
     "fail failed fails failing failure failures wrong broken break breaks broke error errors bug bugs buggy "
     "crash "
     "crashed crashes mess messy messed hurt hurts hurting pain painful ache sick ill illness tears cry "
     "cried crying "
     "cries lonely afraid fear fears fearful scared scary worried worry worries worrying nervous anxious "
     "anxiety "
     "stress stressed stressful angry anger mad complaint complain complained complains complaining "
     "complaints "
     "criticism critical criticized reject rejected refuse refused refusal deny denied denies suffer "
     "suffered "
     "suffering suffers trouble troubled troubles risk risks risky danger dangerous threat threaten "
     "threatened "
     "threats weakness weaknesses useless pointless worthless waste wasted wasting junk cheat cheated lie "
     "lied lies "
     "liar lying false fake fraud scam steal stole stolen ignore ignored ignorant ignorance stupid dumb "
     "silly "
     "foolish ridiculous absurd ugly dirty nasty rude mean hostile bitter bitterness guilty guilt shame "
     "ashamed "
     "embarrassed embarrassing regret regrets damage damaged damages defect defective unable impossible "
     "unfair "
     "injustice crisis burden suck sucked sucking crap crappy damn hell dammit ugh meh argh blah grim gloomy "
     "bleak "
     "shallow unfunny unoriginal tepid clumsy contrived pathetic pity weird unpleasant uncomfortable "
     "inferior "
     "unacceptable unreliable incompetent incorrect inconvenient dislike disliked despair hopeless helpless "
     "victim "
     "victims attack attacked attacks fight fighting fights war conflict conflicts enemy enemies violent "
     "violence "
     "crime crimes criminal corrupt corruption poverty punish punished punishment penalty lawsuit sued "
     "arrest "
     "arrested prison terror dead die died dies dying death deaths loss losses collapse collapsed abuse harm "
     "harmful toxic disturbing cold cruel mistake mistakes flaw flawed flaws inadequate insufficient "
     "exhausted "
     "exhausting headache cancel cancelled canceled cancels churn overpriced freezes froze stuck scratch "
     "scratched "
     "malfunction malfunctioned unusable rough moody cynical insult insulting offend offended offensive "
     "dread dreary "
     "trite misguided mindless muddled lousy shoddy scandal grief mourn mourning warn warned warning "
     "warnings"},
    {-2.4,
     "terrible horrible awful dreadful worst hate hated hates hating hatred disaster disastrous disgusting "
     "disgust "
     "disgusted horror horrific tragic tragedy evil miserable misery atrocious abysmal appalling nightmare "
     "furious "
     "outrage outraged outrageous betray betrayed catastrophe catastrophic garbage sucks bullshit shit fuck "
     "fucking "
     "fucked bastard bitch asshole idiot idiotic moron moronic loser devastated devastating heartbroken "
     "heartbreaking "
     "kill killed killing kills murder murdered rape torture tortured terrorist terrorism terrified "
     "terrifying agony "
     "depressed depressing depression suicide cancer poison rage vicious brutal brutality deadly hideous "
     "vile "
     "pissed wtf insane lunatic despise despised"},
}};

const std::unordered_map<std::string_view, double>& table() {
  static const std::unordered_map<std::string_view, double> words = [] {
    std::unordered_map<std::string_view, double> made;
    for (const auto& [valence, list] : kGroups) {
      for (std::size_t at = 0; at < list.size();) {
        const std::size_t end = std::min(list.find(' ', at), list.size());
        if (end > at) made.emplace(list.substr(at, end - at), valence);
        at = end + 1;
      }
    }
    return made;
  }();
  return words;
}

}  // namespace

double valence_of(std::string_view word) {
  const auto found = table().find(word);
  return found == table().end() ? 0 : found->second;
}

}  // namespace castiel::content::text::impl
