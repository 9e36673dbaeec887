#include "content/text/impl/stopwords.hpp"

#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace castiel::content::text::impl {
namespace {

constexpr std::string_view kStopWords =
    " a about above according across actually after afterwards again against ago all almost alone along "
    "already also although "
    "always am among amongst an and another any anybody anyone anything anyway are aren't around as ask "
    "asked asks at available away "
    "back based be became because become becomes been before began begin behind being believe believes below "
    "best better between "
    "both bring but by call called came can can't cannot cases come comes could couldn't day days dear did "
    "didn't different do "
    "does doesn't doing don't done down due during each either else enough especially etc even ever every "
    "everybody everyone "
    "everything example expected far few find first five for former found four from further gave get gets "
    "getting give given "
    "gives go goes going gone good got great had hadn't happen hard has hasn't have haven't having he he'd "
    "he'll he's hello help her "
    "here herself hi high him himself his how however i i'd i'll i'm i've if immediately in including indeed "
    "instead into is "
    "isn't it it'd it'll it's its itself just keep kept kind know known knows large last lately later latter "
    "least left less let "
    "let's like likely little long look looking lot made mainly make makes making many may maybe me mean "
    "means meanwhile might "
    "more moreover most mostly mr mrs ms much must my myself namely near nearly necessary need needs neither "
    "never nevertheless "
    "new next nine no nobody none nor not nothing now obtained of off often oh ok okay old on once one ones "
    "only onto or order other "
    "others otherwise our ours ourselves out over own paper part particular particularly past people per "
    "perhaps please plus "
    "possible present presented presents probably proposed provide provided provides put quite rather re "
    "really recent "
    "recently regarding regards result results right said same saw say saying says second see seem seemed "
    "seems seen set "
    "seven several shall she she'd she'll she's should shouldn't show showed shown shows since six small so "
    "some somebody "
    "somehow someone something sometimes somewhat soon still studied such sure take taken takes tell ten "
    "than thank thanks that "
    "that's the their theirs them themselves then there there's thereby therefore these they they'd they'll "
    "they're they've "
    "thing things think this those though thought three through throughout thus time times to today together "
    "told too took "
    "toward towards tried try two under unless until up upon us use used useful uses using usually various "
    "very via want wanted "
    "wants was wasn't way ways we we'd we'll we're we've week weeks well went were weren't what whatever "
    "when whenever where "
    "whereas wherever whether which while who whole whom whose why will with within without won't word work "
    "would wouldn't "
    "year years yes yet you you'd you'll you're you've your yours yourself ";

// Of other languages, by ISO 639-1 code.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kForeignStopWords{{
    {"de",
     " aber alle allem allen aller alles als also am an andere anderen auch auf aus außerdem "
     "bei beim bereits bin bis bitte bzw da dabei dadurch dafür daher damit danach dann daran "
     "darauf darüber das dass dazu dein dem den denn der des deshalb dessen dich die dies "
     "diese diesem diesen dieser dieses dir doch dort du durch eigenen ein eine einem einen "
     "einer eines einige er erst es etwa etwas euch euer für ganz gegen gerne gibt guten haben "
     "habe hat hatte hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im immer "
     "in innerhalb ins ist ja je jede jedem jeden jeder jedes jetzt kann kein keine keinem "
     "keinen keiner können könnte leider liebe lieber man mehr mein meine meinem meinen meiner "
     "mich mir mit muss müssen nach nachdem natürlich neben nein nicht nichts noch nun nur ob "
     "oder ohne pro schon sehr sein seine seinem seinen seiner seit sich sie sind so sobald "
     "sofern sogar soll sollen sollte somit sonst sowie tag über um und uns unser unsere "
     "unserem unseren unserer unter viel viele vom von vor wann war waren warum was weil "
     "weitere weiteren welche welchem welchen welcher wenn wer werde werden wie wieder wir "
     "wird wo wurde wurden würde während zu zum zur zwar zwischen grüße grüßen freundlichen "
     "herr frau "},
    {"fr",
     " ai alors après au aucun aussi autre autres aux avait avant avec avez avoir avons bien "
     "bonjour car ce ceci cela celle celles celui ces cet cette ceux chaque chez ci comme "
     "comment cordialement dans de depuis des donc dont du elle elles en encore entre est et "
     "étaient était être eu eux faire fait faut fois ici il ils je jusque la le les leur leurs "
     "lors lui ma madame mais me même merci mes moi moins mon monsieur ne ni non nos notre "
     "nous on ont ou où par parce pas peu peut plus pour pourquoi quand que quel quelle "
     "quelles quels qui sa sans se sera ses si son sont sous sur ta te tous tout toute toutes "
     "très tu un une vers voici vos votre vous "},
    {"es",
     " a al algo alguna algunas alguno algunos ante antes aquí así aunque bien buenos cada como "
     "con contra cual cuando de del desde donde dos el él ella ellas ellos en entre era eran "
     "es esa esas ese eso esos esta está están estas este esto estos fue fueron gracias ha "
     "había han hasta hay la las le les lo los más me mi mis mucho muy nada ni no nos nosotros "
     "nuestra nuestro o os otra otras otro otros para pero poco por porque pues que qué quien "
     "se sea según ser si sí sin sobre son su sus también tan tanto te tiene tienen todo todos "
     "tu un una uno unos usted ustedes y ya yo "},
    {"it",
     " a ad ai al alla alle anche che chi ci col come con cosa da dai dal dalla dalle degli dei "
     "del della delle dello di dove e ed è era essere fa fino fra gli grazie ha hai hanno ho i "
     "il in io la le lei li lo loro lui ma me mi mia mio molto ne negli nei nel nella nelle no "
     "noi non nostra nostro o ogni per perché più poi può qual quale quali quando quanto "
     "quella quelle quelli quello questa queste questi questo qui se sei si sia siamo sono su "
     "sua sue sugli sui sul sulla suo suoi te ti tra tutti tutto un una uno vi voi vostra "
     "vostro "},
    {"nl",
     " aan al alle alles als ander andere bij daar dag dan dat de deze die dit doch doen door "
     "dus een eens en er geen goed had hebben heeft het hier hij hoe hun iets ik in is ja je "
     "jij jullie kan kon kunnen maar me meer men met mij mijn moet na naar niet niets nog nu "
     "of om omdat ons onze ook op over reeds te tegen toch toen tot u uit uw van veel voor "
     "want waren was wat we wel werd wie wij wil worden wordt zal ze zelf zich zij zijn zo "
     "zonder zou "},
    {"pt",
     " a ao aos à às as até com como da das de dela dele deles depois do dos e é ela elas ele "
     "eles em entre era essa esse esta está este estão eu foi foram há isso isto já lhe lo "
     "mais mas me mesmo meu minha muito na não nas nem no nos nós nossa nosso num numa o os ou "
     "para pela pelas pelo pelos por qual quando que quem são se sem ser seu seus só sua suas "
     "também te tem têm teu tu um uma você vocês "},
    {"pl",
     " a aby ale ani bardzo bez bo być był była było były czy co dla do dnia gdy gdzie go i ich "
     "ile im inne ja jak jako je jednak jego jej jest jeśli już każdy kiedy kto która które "
     "który lub ma mam mi mnie mogą może można mu my na nad nam nas nasz nasze nie nich niej "
     "nim niż o od on ona one oni oraz pan pana pani po pod przed przez przy są się swoje ta "
     "tak także tam te tego tej ten to tu tylko tym u w was we wszystko z za ze że żeby "},
    {"cs",
     " a aby ale ani asi až bez bude být by byl byla bylo byly co či další do dobrý ho i já jak "
     "jako je jeho jejich jen ještě ji jsem jsme jsou již k kde když která které který má mě "
     "mezi mi mu my na nad nám nás náš ne nebo není než o od on ona oni po pod podle pokud pro "
     "proto protože před přes při s se si so ta tak také tam ten to toho tom tu tuto ty u už v "
     "vám vás váš ve všechno z za ze že "},
    {"da",
     " af alle alt at både de dem den denne der deres det dette dig din disse dog du efter "
     "eller en end er et for fra har havde have hej hos hun hvad hvis hvor i ikke ind jeg jer "
     "kan kun man med meget men mig min mod ned nej noget nogle nu når og også om op os over "
     "på sig sin skal skulle som så til ud under var ved vi vil ville vores være været "},
    {"sv",
     " alla allt att av bara blev bli blir de dem den denna deras dess det detta dig din du där "
     "efter ej eller en er ert ett från för ha hade han har hej hon hur här i icke inte ja jag "
     "kan man med men mig min mot mycket ni nu någon något när och om oss på sig sin ska "
     "skulle som så till under upp ut utan var vara vi vid vill vår är över "},
}};

using Words = std::unordered_set<std::string_view>;

// Words stand between spaces, one before the first and behind the last.
Words split(std::string_view list) {
  Words made;
  for (std::size_t at = 1; at < list.size();) {
    const std::size_t end = list.find(' ', at);
    made.insert(list.substr(at, end - at));
    at = end + 1;
  }
  return made;
}

}  // namespace

bool is_stop_word(std::string_view word, std::string_view language) {
  static const Words english = split(kStopWords);
  static const std::unordered_map<std::string_view, Words> foreign = [] {
    std::unordered_map<std::string_view, Words> made;
    for (const auto& [code, list] : kForeignStopWords) made.emplace(code, split(list));
    return made;
  }();
  if (english.contains(word)) return true;
  const auto found = foreign.find(language);
  return found != foreign.end() && found->second.contains(word);
}

}  // namespace castiel::content::text::impl
