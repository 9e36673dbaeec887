#include "content/mail/impl/mail_words.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/utf8.hpp"

namespace castiel::content::mail::impl {
namespace {

using Words = std::string_view;

// Which label a word is. A word that means different things in two languages has the meaning it has in the
// more common place of a block: "de" and "da" begin one.
constexpr std::array kFrom = std::to_array<Words>({"from",
                                                   "von",
                                                   "de",
                                                   "da",
                                                   "van",
                                                   "fra",
                                                   "från",
                                                   "lähettäjä",
                                                   "od",
                                                   "feladó",
                                                   "od/šalje",
                                                   "šalje",
                                                   "de la",
                                                   "gönderen",
                                                   "kimden",
                                                   "от",
                                                   "від",
                                                   "отправитель",
                                                   "відправник",
                                                   "差出人",
                                                   "发件人",
                                                   "寄件者",
                                                   "보낸사람",
                                                   "보낸 사람",
                                                   "expéditeur",
                                                   "mittente",
                                                   "remitente",
                                                   "remetente",
                                                   "afzender",
                                                   "avsändare",
                                                   "avsender",
                                                   "nadawca",
                                                   "odesílatel",
                                                   "odosielateľ",
                                                   "expeditor",
                                                   "pošiljatelj",
                                                   "pošiljatelj (od)",
                                                   "absender",
                                                   "saatja",
                                                   "από",
                                                   "от кого",
                                                   "pošiljatelj:",
                                                   "kimden:",
                                                   "送信元",
                                                   "发送人",
                                                   "из",
                                                   "saatja",
                                                   "pošiljateľ",
                                                   "nuo",
                                                   "no"});
constexpr std::array kTo = std::to_array<Words>({"to",
                                                 "an",
                                                 "à",
                                                 "a",
                                                 "para",
                                                 "aan",
                                                 "til",
                                                 "till",
                                                 "vastaanottaja",
                                                 "komu",
                                                 "címzett",
                                                 "címzettek",
                                                 "za",
                                                 "prima",
                                                 "către",
                                                 "catre",
                                                 "pentru",
                                                 "kime",
                                                 "alıcı",
                                                 "кому",
                                                 "до",
                                                 "宛先",
                                                 "收件人",
                                                 "받는사람",
                                                 "받는 사람",
                                                 "pour",
                                                 "destinataire",
                                                 "destinatario",
                                                 "destinatário",
                                                 "per",
                                                 "do",
                                                 "pro",
                                                 "prijemce",
                                                 "príjemca",
                                                 "primatelj",
                                                 "mottagare",
                                                 "mottaker",
                                                 "modtager",
                                                 "empfänger",
                                                 "ontvanger",
                                                 "adresat",
                                                 "получатель",
                                                 "одержувач",
                                                 "saaja",
                                                 "προς",
                                                 "kam",
                                                 "送信先",
                                                 "pre",
                                                 "收信人",
                                                 "hingga",
                                                 "kam"});
constexpr std::array kCc = std::to_array<Words>(
    {"cc",      "kopie",         "copie à", "copie", "copia", "cópia",     "kopi",       "kopia",  "kopio",
     "másolat", "másolatot kap", "kopija",  "bilgi", "копия", "копія",     "dw",         "抄送",   "副本",
     "참조",    "kópia",         "cc:",     "kk",    "копии", "con copia", "cópia para", "kopie:", "sao"});
constexpr std::array kDate = std::to_array<Words>({"date",          "datum",         "sent",
                                                   "gesendet",      "envoyé",        "envoyé le",
                                                   "enviado",       "enviado el",    "enviado em",
                                                   "enviada em",    "inviato",       "data",
                                                   "fecha",         "dato",          "sendt",
                                                   "skickat",       "skickades",     "päivämäärä",
                                                   "päiväys",       "lähetetty",     "wysłano",
                                                   "wysłane",       "odesláno",      "odoslané",
                                                   "dátum",         "küldve",        "elküldve",
                                                   "poslano",       "trimis",        "trimis la",
                                                   "tarih",         "gönderildi",    "gönderilme tarihi",
                                                   "дата",          "отправлено",    "надіслано",
                                                   "відправлено",   "verzonden",     "日付",
                                                   "送信日時",      "日期",          "发送时间",
                                                   "发送日期",      "날짜",          "보낸 날짜",
                                                   "date sent",     "kuupäev",       "saadetud",
                                                   "ημερομηνία",    "inviata",       "data invio",
                                                   "data de envio", "sendt den",     "dato sendt",
                                                   "gesendet am",   "sendes",        "zaslano",
                                                   "dată",          "data wysłania", "datum odeslání",
                                                   "送信日",        "verzonden op",  "trimisă"});
constexpr std::array kSubject = std::to_array<Words>(
    {"subject", "betreff", "objet",   "asunto",  "oggetto", "assunto", "onderwerp", "emne",     "ämne",
     "aihe",    "temat",   "předmět", "predmet", "tárgy",   "subiect", "konu",      "тема",     "件名",
     "主题",    "主旨",    "제목",    "sujet",   "naslov",  "teema",   "θέμα",      "subiectul"});
constexpr std::array kReplyTo = std::to_array<Words>({"reply-to",
                                                      "reply to",
                                                      "antwort an",
                                                      "antwortadresse",
                                                      "répondre à",
                                                      "responder a",
                                                      "rispondi a",
                                                      "responder para",
                                                      "antwoord aan",
                                                      "beantwoorden naar",
                                                      "svar til",
                                                      "svara till",
                                                      "vastausosoite",
                                                      "vastaus",
                                                      "odpowiedź do",
                                                      "odpowiedz do",
                                                      "odpovědět komu",
                                                      "odpověď na",
                                                      "odpovedať komu",
                                                      "odpoveď na",
                                                      "válaszcím",
                                                      "válasz",
                                                      "odgovori na",
                                                      "răspuns la",
                                                      "răspundeți la",
                                                      "yanıt adresi",
                                                      "yanıtla",
                                                      "обратный адрес",
                                                      "ответить",
                                                      "відповісти на",
                                                      "返信先",
                                                      "回复",
                                                      "bcc",
                                                      "sender",
                                                      "organization",
                                                      "message-id",
                                                      "importance",
                                                      "priority",
                                                      "wichtigkeit",
                                                      "priorität",
                                                      "importancia",
                                                      "attachments",
                                                      "anlagen",
                                                      "mailed-by",
                                                      "signed-by",
                                                      "résumé",
                                                      "resent-from",
                                                      "newsgroups",
                                                      "blindkopie",
                                                      "bilaga",
                                                      "bijlage",
                                                      "in-reply-to",
                                                      "x-mailer"});

constexpr std::array kForward = std::to_array<Words>({"forwarded message",
                                                      "forwarded by",
                                                      "begin forwarded",
                                                      "start of forwarded",
                                                      "fwd.msg",
                                                      "forwarded mail",
                                                      "weitergeleitet",
                                                      "transféré",
                                                      "réexpédié",
                                                      "reenviad",
                                                      "inoltrato",
                                                      "inoltrata",
                                                      "inoltro",
                                                      "doorgestuurd",
                                                      "videresendt",
                                                      "vidarebefordra",
                                                      "välitetty",
                                                      "edelleenlähetetty",
                                                      "przekaz",
                                                      "przesłan",
                                                      "przesyłan",
                                                      "przeposlan",
                                                      "přeposlan",
                                                      "přeposíla",
                                                      "preposlan",
                                                      "preposielan",
                                                      "továbbított",
                                                      "proslijeđen",
                                                      "prosleđen",
                                                      "iletilen",
                                                      "iletildi",
                                                      "yönlendiril",
                                                      "ileti başlangıcı",
                                                      "redirecționat",
                                                      "redirectionat",
                                                      "retransmis",
                                                      "mesaj transmis",
                                                      "пересылаем",
                                                      "пересланн",
                                                      "перенаправ",
                                                      "переслан",
                                                      "пересила",
                                                      "переслати",
                                                      "転送",
                                                      "转发",
                                                      "轉寄",
                                                      "전달",
                                                      "encaminhad",
                                                      "reencaminhad",
                                                      "edastatud",
                                                      "προωθημένο",
                                                      "препратен",
                                                      "weiterleitung",
                                                      "mensaje reenviado"});
constexpr std::array kOriginal = std::to_array<Words>({"original message",
                                                       "original appointment",
                                                       "ursprüngliche nachricht",
                                                       "originalnachricht",
                                                       "message d'origine",
                                                       "message d’origine",
                                                       "message original",
                                                       "mensaje original",
                                                       "messaggio originale",
                                                       "mensagem original",
                                                       "oorspronkelijk bericht",
                                                       "origineel bericht",
                                                       "исходное сообщение",
                                                       "оригинал сообщения",
                                                       "ursprungligt meddelande",
                                                       "originalmeddelande",
                                                       "oprindelig meddelelse",
                                                       "opprinnelig melding",
                                                       "alkuperäinen viesti",
                                                       "oryginalna wiadomość",
                                                       "wiadomość oryginalna",
                                                       "původní zpráva",
                                                       "pôvodná správa",
                                                       "eredeti üzenet",
                                                       "izvorna poruka",
                                                       "originalna poruka",
                                                       "orijinal mesaj",
                                                       "özgün ileti",
                                                       "mesaj original",
                                                       "mesajul original",
                                                       "вихідне повідомлення",
                                                       "оригінальне повідомлення",
                                                       "元のメッセージ",
                                                       "原始邮件",
                                                       "邮件原件",
                                                       "원본 메시지",
                                                       "reply message",
                                                       "in reply to",
                                                       "reply separator"});
constexpr std::array kWriting = std::to_array<Words>({"wrote",
                                                      "writes",
                                                      "wrote:",
                                                      "said",
                                                      "sent the following",
                                                      "schrieb",
                                                      "hat geschrieben",
                                                      "geschrieben",
                                                      "a écrit",
                                                      "écrit",
                                                      "escribió",
                                                      "escribio",
                                                      "ha scritto",
                                                      "scritto",
                                                      "escreveu",
                                                      "schreef",
                                                      "het volgende geschreven",
                                                      "geschreven",
                                                      "skrev",
                                                      "skrev följande",
                                                      "kirjoitti",
                                                      "napisał",
                                                      "napisała",
                                                      "napisał(a)",
                                                      "pisze",
                                                      "napsal",
                                                      "napsal(a)",
                                                      "napísal",
                                                      "napísal(a)",
                                                      "napísala",
                                                      "napsala",
                                                      "ezt írta",
                                                      "írta",
                                                      "je napisao",
                                                      "je napisao/la",
                                                      "napisao",
                                                      "napisala",
                                                      "a scris",
                                                      "scris",
                                                      "yazdı",
                                                      "şunu yazdı",
                                                      "şunları yazdı",
                                                      "пишет",
                                                      "написал",
                                                      "написала",
                                                      "писал",
                                                      "писала",
                                                      "написав",
                                                      "написала",
                                                      "пише",
                                                      "написал(а)",
                                                      "さんは書きました",
                                                      "書きました",
                                                      "のメール",
                                                      "写道",
                                                      "寫道",
                                                      "작성",
                                                      "님이 작성",
                                                      "kirjutas",
                                                      "đã viết",
                                                      "έγραψε",
                                                      "schrijft",
                                                      "schreibt",
                                                      "scrive",
                                                      "escribe",
                                                      "a écrit :",
                                                      "написа",
                                                      "rašė",
                                                      "rakstīja"});
constexpr std::array kClosing = std::to_array<Words>({"best regards",
                                                      "kind regards",
                                                      "warm regards",
                                                      "regards",
                                                      "with regards",
                                                      "many regards",
                                                      "best",
                                                      "all the best",
                                                      "best wishes",
                                                      "kindest regards",
                                                      "warmest regards",
                                                      "cheers",
                                                      "thanks",
                                                      "many thanks",
                                                      "thank you",
                                                      "thanks again",
                                                      "thanks in advance",
                                                      "thanks and regards",
                                                      "thanks & regards",
                                                      "thank you and best regards",
                                                      "thanks so much",
                                                      "thank you very much",
                                                      "thank you so much",
                                                      "sincerely",
                                                      "sincerely yours",
                                                      "yours sincerely",
                                                      "yours faithfully",
                                                      "yours truly",
                                                      "yours",
                                                      "respectfully",
                                                      "cordially",
                                                      "take care",
                                                      "talk soon",
                                                      "love",
                                                      "ciao",
                                                      "br",
                                                      "rgds",
                                                      "thx",
                                                      "ty",
                                                      "tx",
                                                      "kr",
                                                      "b.r.",
                                                      "mit freundlichen grüßen",
                                                      "mit freundlichen grüssen",
                                                      "freundliche grüße",
                                                      "freundliche grüsse",
                                                      "beste grüße",
                                                      "beste grüsse",
                                                      "viele grüße",
                                                      "viele grüsse",
                                                      "liebe grüße",
                                                      "liebe grüsse",
                                                      "schöne grüße",
                                                      "herzliche grüße",
                                                      "gruß",
                                                      "gruss",
                                                      "grüße",
                                                      "lg",
                                                      "vg",
                                                      "mfg",
                                                      "bg",
                                                      "vielen dank",
                                                      "danke",
                                                      "besten dank",
                                                      "cordialement",
                                                      "bien cordialement",
                                                      "bien à vous",
                                                      "sincères salutations",
                                                      "salutations",
                                                      "merci",
                                                      "merci d'avance",
                                                      "bonne journée",
                                                      "amicalement",
                                                      "saludos",
                                                      "un saludo",
                                                      "saludos cordiales",
                                                      "atentamente",
                                                      "gracias",
                                                      "muchas gracias",
                                                      "un abrazo",
                                                      "cordiali saluti",
                                                      "distinti saluti",
                                                      "saluti",
                                                      "grazie",
                                                      "un saluto",
                                                      "atenciosamente",
                                                      "obrigado",
                                                      "obrigada",
                                                      "abraços",
                                                      "cumprimentos",
                                                      "com os melhores cumprimentos",
                                                      "met vriendelijke groet",
                                                      "met vriendelijke groeten",
                                                      "vriendelijke groet",
                                                      "groeten",
                                                      "groet",
                                                      "mvg",
                                                      "bedankt",
                                                      "med vänliga hälsningar",
                                                      "vänliga hälsningar",
                                                      "med vänlig hälsning",
                                                      "mvh",
                                                      "hälsningar",
                                                      "tack",
                                                      "med venlig hilsen",
                                                      "venlig hilsen",
                                                      "hilsen",
                                                      "tak",
                                                      "med vennlig hilsen",
                                                      "vennlig hilsen",
                                                      "takk",
                                                      "ystävällisin terveisin",
                                                      "terveisin",
                                                      "kiitos",
                                                      "t.",
                                                      "z poważaniem",
                                                      "pozdrawiam",
                                                      "dziękuję",
                                                      "s pozdravem",
                                                      "děkuji",
                                                      "s pozdravom",
                                                      "ďakujem",
                                                      "üdvözlettel",
                                                      "tisztelettel",
                                                      "köszönettel",
                                                      "srdačan pozdrav",
                                                      "lijep pozdrav",
                                                      "hvala",
                                                      "cu stimă",
                                                      "mulțumesc",
                                                      "saygılarımla",
                                                      "teşekkürler",
                                                      "с уважением",
                                                      "спасибо",
                                                      "всего доброго",
                                                      "з повагою",
                                                      "дякую",
                                                      "よろしくお願いします",
                                                      "よろしくお願いいたします",
                                                      "祝好",
                                                      "谢谢",
                                                      "此致"});

constexpr std::array kDevice = std::to_array<Words>(
    {"sent from my",      "sent from a",     "sent from mail for", "sent from outlook", "sent from yahoo",
     "sent from samsung", "sent using",      "sent via",           "sent with",         "get outlook for",
     "sent on the go",    "von meinem",      "gesendet von mein",  "gesendet mit",      "envoyé de mon",
     "envoyé depuis",     "envoyé à partir", "enviado desde",      "enviado do meu",    "enviado de mi",
     "enviado a partir",  "inviato da",      "inviato dal mio",    "verzonden vanaf",   "verstuurd vanaf",
     "skickat från",      "sendt fra",       "lähetetty",          "wysłane z",         "odesláno z",
     "odoslané z",        "az iphone-omról", "poslano s",          "trimis de pe",      "ımdan gönderildi",
     "gönderildi",        "отправлено с",    "отправлено из",      "надіслано з",       "iphoneから送信",
     "发自我的",          "从我的"});

template <std::size_t N>
bool any_in(const std::array<Words, N>& words, std::string_view text) {
  return std::ranges::any_of(words, [&](Words word) { return text.find(word) != text.npos; });
}
template <std::size_t N>
bool is_one_of(const std::array<Words, N>& words, std::string_view text) {
  return std::ranges::find(words, text) != words.end();
}

}  // namespace

std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      out.push_back(byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : text[i]);
      ++i;
      continue;
    }
    const std::size_t length = utf8_sequence_length(text.substr(i));
    if (length == 0) {
      ++i;
      continue;
    }
    UChar32 c = 0;
    std::size_t at = i;
    U8_NEXT_UNSAFE(text.data(), at, c);
    if (c == 0x130) {
      out.push_back('i');
    } else if (c == 0xA0) {
      out.push_back(' ');
    } else {
      append_utf8(out, static_cast<char32_t>(u_foldCase(c, U_FOLD_CASE_DEFAULT)));
    }
    i += length;
  }
  return out;
}

std::optional<Label> label_of(std::string_view folded) {
  static const auto kLabels = [] {
    std::unordered_map<std::string_view, Label> map;
    for (const auto word : kFrom) map.emplace(word, Label::from);
    for (const auto word : kTo) map.emplace(word, Label::to);
    for (const auto word : kCc) map.emplace(word, Label::cc);
    for (const auto word : kDate) map.emplace(word, Label::date);
    for (const auto word : kSubject) map.emplace(word, Label::subject);
    for (const auto word : kReplyTo) map.emplace(word, Label::reply_to);
    return map;
  }();
  const auto found = kLabels.find(folded);
  return found == kLabels.end() ? std::nullopt : std::optional(found->second);
}

bool has_forward_word(std::string_view folded) {
  return any_in(kForward, folded);
}
bool has_original_word(std::string_view folded) {
  return any_in(kOriginal, folded);
}
bool has_writing_verb(std::string_view folded) {
  for (const auto verb : kWriting) {
    for (auto at = folded.find(verb); at != folded.npos; at = folded.find(verb, at + 1)) {
      // Whole words, where the script has any.
      const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
      const bool starts = at == 0 || !plain(folded[at - 1]) || !plain(verb.front());
      const auto end = at + verb.size();
      const bool ends = end >= folded.size() || !plain(folded[end]) || !plain(verb.back());
      if (starts && ends) return true;
    }
  }
  return false;
}

bool is_closing(std::string_view folded) {
  while (!folded.empty() && std::string_view(" ,.!:;-–\t").find(folded.back()) != std::string_view::npos)
    folded.remove_suffix(1);
  if (folded.empty() || folded.size() > 60) return false;
  if (is_one_of(kClosing, folded)) return true;
  // "Thanks and best regards", "Best regards from Berlin": a closing and at most three words.
  for (const auto closing : kClosing) {
    if (closing.size() < 5 || !folded.starts_with(closing)) continue;
    const auto rest = folded.substr(closing.size());
    if (rest.empty() || (rest[0] != ' ' && rest[0] != ',')) continue;
    if (std::ranges::count(rest, ' ') > 3) continue;
    const auto words =
        rest.substr(rest.find_first_not_of(" ,") == rest.npos ? rest.size() : rest.find_first_not_of(" ,"));
    if (words.starts_with("and ") || words.starts_with("& ") || words.starts_with("from ") ||
        words.starts_with("und ") || words.starts_with("aus ") || words.starts_with("et ") ||
        is_one_of(kClosing, words))
      return true;
  }
  return false;
}

bool is_device_line(std::string_view folded) {
  while (!folded.empty() && std::string_view(" .>*_").find(folded.back()) != std::string_view::npos)
    folded.remove_suffix(1);
  while (!folded.empty() && std::string_view(" *_<").find(folded.front()) != std::string_view::npos)
    folded.remove_prefix(1);
  if (folded.size() > 80 || std::ranges::count(folded, ' ') > 7) return false;
  if (folded.find(',') != folded.npos) return false;  // a sentence that begins alike
  return std::ranges::any_of(kDevice, [&](Words word) {
    return folded.starts_with(word) ||
           ((word.starts_with("ı") || word.starts_with("gönd")) && folded.ends_with(word)) ||
           (word.find("から") != word.npos && folded.ends_with("から送信"));
  });
}

bool is_disclaimer(std::string_view folded) {
  static constexpr std::array kSecret = std::to_array<Words>(
      {"confidential", "privileged", "vertraulich", "confidentiel", "confidencial", "riservat",
       "vertrouwelijk", "poufn", "конфиденциальн", "disclaimer", "konfidentiel", "konfidentiell"});
  static constexpr std::array kMail = std::to_array<Words>(
      {"intended", "recipient", "e-mail", "email", "addressee", "empfänger", "destinataire", "destinatario",
       "destinatário", "geadresseerde", "adresat", "message", "nachricht", "mensaje", "messaggio"});
  return folded.size() > 60 && any_in(kSecret, folded) && any_in(kMail, folded);
}

PrefixMatch subject_prefix(std::string_view subject) {
  static constexpr std::array kReply =
      std::to_array<Words>({"re",   "aw",   "antw", "antwort", "sv",  "vs", "r",     "rif", "res",   "resp",
                            "ref",  "odp",  "ynt",  "yanıt",   "atb", "vá", "vl re", "на",  "ответ", "отв",
                            "відп", "回复", "回覆", "答复",    "re²", "απ", "ad",    "bls", "tr re"});
  static constexpr std::array kForwards = std::to_array<Words>({"fw",
                                                                "fwd",
                                                                "wg",
                                                                "tr",
                                                                "rv",
                                                                "i",
                                                                "enc",
                                                                "pd",
                                                                "vb",
                                                                "vl",
                                                                "videresend",
                                                                "videresendt",
                                                                "ilt",
                                                                "i̇lt",
                                                                "doorst",
                                                                "fs",
                                                                "továbbítás",
                                                                "tov",
                                                                "weitergeleitet",
                                                                "转发",
                                                                "轉寄",
                                                                "転送",
                                                                "пересл",
                                                                "fwd:",
                                                                "przekaz",
                                                                "přeposlání",
                                                                "prep",
                                                                "proslijeđeno",
                                                                "redirecţionat",
                                                                "vidarebefordrat",
                                                                "edelleenlähetetty",
                                                                "reenv",
                                                                "reenviado",
                                                                "transféré",
                                                                "переслано",
                                                                "пересылка",
                                                                "rvf",
                                                                "πρθ",
                                                                "yml",
                                                                "redir",
                                                                "redir.",
                                                                "reenc"});
  std::size_t start = 0;
  while (start < subject.size() && (subject[start] == ' ' || subject[start] == '\t')) ++start;
  std::size_t colon = subject.find(':', start);
  std::size_t colon_bytes = 1;
  const std::size_t wide = subject.find("：", start);
  if (wide < colon) {
    colon = wide;
    colon_bytes = 3;
  }
  if (colon == subject.npos || colon - start > 24) return {};
  std::string word = fold(subject.substr(start, colon - start));
  // "Re[2]", "Re (2)", "Fwd "
  const auto bracket = word.find_first_of("[(^");
  if (bracket != word.npos && bracket > 0) word.resize(bracket);
  while (word.ends_with(' ')) word.pop_back();
  if (word == "vs") return {SubjectPrefix::either, colon + colon_bytes};
  if (is_one_of(kForwards, word)) return {SubjectPrefix::forward, colon + colon_bytes};
  if (is_one_of(kReply, word)) return {SubjectPrefix::reply, colon + colon_bytes};
  return {};
}

}  // namespace castiel::content::mail::impl
