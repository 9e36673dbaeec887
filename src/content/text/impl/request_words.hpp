#pragma once
// Word classes of the grammar of requests, as alternatives of regular expressions.

namespace castiel::content::text::impl {

// Work that is done after the words are said.
inline constexpr char kWorkVerbs[] =
    "advise|approve|arrange|assign|attend|block|book|bring|calculate|call|cancel|change|chase|check|"
    "circulate|clarify|"
    "collect|compile|complete|confirm|contact|coordinate|copy|correct|create|deliver|discuss|distribute|"
    "document|draft|"
    "e-?mail|execute|extend|fax|file|fill|finali[sz]e|finish|fix|follow\\s+up|forward|get\\s+(?:back|in\\s+"
    "touch)|"
    "get\\s+(?:you|me|us|him|her|them)|give\\s+(?:you|me|us|him|her|them)|handle|include|inform|install|"
    "introduce|"
    "investigate|invite|let\\s+(?:you|me|us|him|her|them)\\s+know|look\\s+(?:into|up|for|after)|mail|make\\s+"
    "sure|"
    "modify|notify|order|organi[sz]e|"
    "pay|phone|pick|post|prepare|present|print|process|provide|publish|pull|put\\s+together|quote|reach\\s+"
    "out|"
    "recalculate|register|remind|remove|replace|reply|report|reschedule|resend|reserve|resolve|respond|"
    "return|review|"
    "revise|ring|save|schedule|send|set\\s+up|ship|sign|sort\\s+out|submit|summari[sz]e|supply|touch\\s+base|"
    "transfer|"
    "translate|update|upload|verify|visit|work\\s+on|write";
inline constexpr char kWorkVerbsThird[] =
    "(?:arranges|books|calculates|calls|checks|circulates|clarifies|collects|compiles|completes|confirms|"
    "contacts|"
    "coordinates|creates|delivers|drafts|emails|fills|finali[sz]es|fixes|follows\\s+up|forwards|introduces|"
    "invites|"
    "organi[sz]es|prepares|provides|reviews|revises|schedules|sends|sets\\s+up|ships|signs|submits|summari["
    "sz]es|"
    "translates|updates|uploads|writes)";
// Work only with an object that can be handed over, or by a day.
inline constexpr char kLightVerbs[] =
    "add|ask|build|close|connect|delete|do|ensure|explain|find(?:\\s+out)?|get|give|go\\s+through|have|help|"
    "hold|join|keep|"
    "look(?:\\s+at)?|make|meet|move|open|plan|propose|push|put|read|record|run|set|"
    "share|show|"
    "speak|start|stop|switch|take|talk|tell|test|track|try|turn|use|walk";
// What can be handed over, or agreed as an appointment.
inline constexpr char kDeliverables[] =
    "(?:price|data|order|time|spread)?[ "
    "-]?sheets?|offers?|quotes?|quotations?|proposals?|contracts?|agreements?|drafts?|"
    "documents?|documentation|docs?|files?|lists?|summar(?:y|ies)|reports?|minutes|drawings?|schedules?|"
    "presentations?|decks?|slides?|invoices?|purchase\\s+orders?|po|rfp|invites?|invitations?|links?|e-?"
    "mails?|"
    "numbers?|figures?|pricing|questionnaires?|forms?|answers?|feedback|comments?|redlines?|cop(?:y|ies)|"
    "versions?|specs?|specifications?|appointments?|slots?|logins?|credentials|address(?:es)?|"
    "details|information|info|estimates?|budgets?|references?|samples?|recordings?|templates?|"
    "sizing|annex(?:es)?|translations?|confirmations?|scripts?|papers?|pointers?|certificates?|letters?|"
    "invitation|"
    "recap|memo|attachments?|resumes?|diagrams?|photos?|pictures?|receipts?|payments?|notes|demos?|trials?|"
    "workshops?|"
    "in\\s+writing|devis|contrat|offre|documents?|\xC3\xA9l\xC3\xA9ments|informations|contrato|oferta|"
    "propuesta|factura|"
    "contratto|offerta|preventivo";
// Ends of compounds as well: Vertragsentwurf.
inline constexpr char kGermanDeliverables[] =
    "(?:angebot|vertrag|entw(?:u|\xC3\xBC)rf|unterlage|dokument|liste|protokoll|zusammenfassung|zeichnung|"
    "plan\\b|pl(?:\xC3\xA4)ne|"
    "planung|rechnung|bestellung|einladung|preisblatt|formular|fragebogen|antwort|r(?:\xC3\xBC)ckmeldung|"
    "bescheid|muster|"
    "variante|fassung|zahlen?\\b|messstelle|daten\\b|nachweis|bericht|position\\b|stellungnahme|termin|best(?"
    ":\xC3\xA4)tigung|"
    "anhang|schriftlich|schnittstelle|auskunft|freigabe)";
inline constexpr char kDayWords[] =
    "\\b(?:today|tonight|tomorrow|asap|eod|eow|eom|monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    "mon|tues?|"
    "wed|thurs?|fri|(?:this|next)\\s+(?:week|month|quarter|morning|afternoon|evening)|end\\s+of|"
    "january|february|march|april|june|july|august|september|october|november|december|jan|feb|apr|jun|jul|"
    "aug|sept?|"
    "oct|nov|dec|\\d{1,2}[/.]\\d{1,2}|\\d{1,2}(?:st|nd|rd|th)|by\\s+may|\\d{1,2}\\s+may|may\\s+\\d{1,2}|"
    "heute|morgen|(?:\xC3\xBC|ue)bermorgen|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|"
    "januar|februar|"
    "m\xC3\xA4rz|mai|juni|juli|oktober|dezember|(?:diese|n(?:\xC3\xA4|ae)chste)[nr]?\\s+(?:woche|monat)|"
    "monatsende|wochenende|"
    "ende\\s+(?:de[rs]|n(?:\xC3\xA4|ae)chster|dieser)|kw\\s*\\d{1,2}|"
    "lundi|mardi|mercredi|jeudi|vendredi|demain|janvier|f\xC3\xA9vrier|mars|avril|juin|juillet|ao\xC3\xBBt|"
    "septembre|octobre|"
    "novembre|d\xC3\xA9"
    "cembre|lunes|martes|mi\xC3\xA9rcoles|jueves|viernes|ma\xC3\xB1"
    "ana|luned\xC3\xAC|marted\xC3\xAC|"
    "mercoled\xC3\xAC|gioved\xC3\xAC|venerd\xC3\xAC|domani)\\b";
// Stems; endings say the person.
inline constexpr char kGermanStems[] =
    "schick|send|mail|liefer|erstell|bereit|rechn|berechn|pr(?:\xC3\xBC|ue)f|kl(?:\xC3\xA4|ae)r|frag|meld|"
    "ruf|lad|nenn|benenn|"
    "reservier|buch|best(?:\xC3\xA4|ae)tig|(?:\xC3\xBC|ue)berarbeit|aktualisier|(?:\xC3\xBC|ue)bersetz|"
    "unterschreib|unterzeichn|"
    "bestell|beauftrag|k(?:\xC3\xBC|ue)mmer|organisier|vereinbar|stimm|schreib|erg(?:\xC3\xA4|ae)nz|trag|(?:"
    "\xC3\xBC|ue)bernehm|pfleg|"
    "besorg|informier|antwort|teil|leit|mess|test|f(?:\xC3\xBC|ue)ll|korrigier|(?:\xC3\xA4|ae)nder|(?:"
    "\xC3\xBC|ue)berweis|installier|"
    "montier|verschieb|biet|reich|erledig|verschick|zusend|(?:\xC3\xBC|ue)bermittel|stell|einricht|richt|"
    "bring|lass";
inline constexpr char kFrenchVerbs[] =
    "(?:envoyer|m'envoyer|nous\\s+envoyer|transmettre|confirmer|pr\xC3\xA9parer|fournir|rappeler|"
    "v\xC3\xA9rifier|adresser|valider|"
    "compl\xC3\xA9ter|signer|indiquer|communiquer|partager|dire)";
inline constexpr char kSpanishVerbs[] =
    "(?:enviar(?:me|nos|le)?|env\xC3\xAD"
    "e(?:me|nos)?|mandar(?:me|nos)?|confirmar(?:me|nos)?|confirme|preparar|revisar|revise|llamar(?:me|nos)?|"
    "facilitar(?:me|nos)?|firmar|compartir|indicar(?:me|nos)?)";
inline constexpr char kItalianVerbs[] =
    "(?:inviar(?:e|mi|ci)|mandar(?:e|mi|ci)|confermar(?:e|mi|ci)|preparare|verificare|chiamar(?:e|mi|ci)|"
    "firmare|fornir(?:e|mi|ci)|"
    "condividere|indicar(?:e|mi|ci))";

}  // namespace castiel::content::text::impl
