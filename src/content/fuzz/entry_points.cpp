#include "content/fuzz/entry_points.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/utf8.hpp"
#include "content/csv.hpp"
#include "content/documents/document.hpp"
#include "content/jsonl.hpp"
#include "content/mail/classify.hpp"
#include "content/mail/mbox.hpp"
#include "content/mail/outlook_msg.hpp"
#include "content/mail/reply.hpp"
#include "content/name_key.hpp"
#include "content/sniff.hpp"
#include "content/text/text.hpp"
#include "content/text_encoding.hpp"
#include "content/values.hpp"

namespace castiel::content::fuzz {
namespace {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace

void fuzz_csv(std::string_view bytes) {
  const CsvTable table = sniff_csv(bytes, true);
  must(table.header_end <= bytes.size(), "the header lies in the text");
  must(csv_footer_offset(bytes, table.dialect, 3) <= bytes.size(), "the closing lines lie in the text");
  const auto read = [&](std::size_t chunk) {
    CsvReader reader(table.dialect, table.columns.size());
    std::vector<std::string> sources;
    std::uint64_t end = 0;
    const auto drain = [&] {
      while (const auto* record = reader.next()) {
        must(record->offset >= end && record->end_offset >= record->offset, "records follow one another");
        end = record->end_offset;
        sources.push_back(std::string(record->source) + "\x1f" + std::string(record->error));
        if (!record->error.empty()) continue;
        must(bytes.substr(record->offset, record->source.size()) == record->source, "a record is verbatim");
        auto fields = parse_csv_record(record->source, table.dialect);
        fields.resize(record->fields.size());
        must(std::equal(fields.begin(), fields.end(), record->fields.begin()),
             "reader and parse_csv_record agree");
      }
    };
    for (std::size_t i = 0; i < bytes.size(); i += chunk) {
      reader.push(bytes.substr(i, chunk));
      drain();
    }
    reader.finish();
    drain();
    return sources;
  };
  must(read(bytes.size() + 1) == read(7), "chunks make no difference");
}

void fuzz_jsonl(std::string_view bytes) {
  if (const auto fields = parse_json_record(bytes)) {
    for (const auto& field : *fields) must(field.name.size() <= bytes.size() * 2 + 64, "names do not grow");
  }
  (void)first_of_array(bytes, "value");
  const auto start = sniff_json(bytes, true);
  if (!start) return;
  const auto read = [&](std::size_t chunk) {
    JsonReader reader(start->layout, start->offset);
    std::vector<std::string> sources;
    const auto drain = [&] {
      while (const auto* record = reader.next()) {
        sources.push_back(std::string(record->source) + "\x1f" + std::string(record->error));
        if (record->error.empty())
          must(bytes.substr(record->offset, record->source.size()) == record->source, "a record is verbatim");
      }
    };
    for (std::size_t i = start->offset; i < bytes.size(); i += chunk) {
      reader.push(bytes.substr(i, chunk));
      drain();
    }
    reader.finish();
    drain();
    return sources;
  };
  must(read(bytes.size() + 1) == read(5), "chunks make no difference");
}

void fuzz_values(std::string_view bytes) {
  for (const auto style : {NumberStyle::unknown, NumberStyle::decimal_point, NumberStyle::decimal_comma}) {
    if (const auto amount = parse_amount(bytes, style)) {
      const auto again = Decimal::parse(amount->value.str());
      must(again.has_value() && *again == amount->value, "an amount's text reads back");
    }
    (void)parse_integer(bytes, style);
    (void)parse_fraction(bytes, FractionScale::unknown, style);
  }
  for (const auto order : {DateOrder::unknown, DateOrder::dmy, DateOrder::mdy, DateOrder::ymd}) {
    if (const auto time = parse_time_value(bytes, {order, {}})) {
      must(parse_timestamp(to_string(time->time)).has_value() || time->implausible,
           "a time's text reads back");
    }
    (void)parse_date_value(bytes, {order, {}});
  }
  const std::vector<std::string_view> column{bytes, "1.234", "2017-03-01"};
  (void)infer_number_style(column);
  (void)infer_date_order(column);
  (void)infer_fraction_scale(column);
  (void)column_shape(column);
  (void)parse_boolean(bytes);
  (void)parse_status(bytes);
  (void)parse_currency(bytes);
  (void)parse_email(bytes);
  (void)parse_url(bytes);
  (void)domain_of(bytes);
  must(is_utf8(name_key(bytes)), "a key is text");
  (void)company_key(bytes);
}

void fuzz_encoding(std::string_view bytes) {
  (void)detect_encoding(bytes);
  for (const auto encoding : {Encoding::utf16le, Encoding::utf16be, Encoding::windows1252}) {
    const std::string text = decode_text(bytes, {encoding, 0, true});
    must(is_utf8(text), "decoded text is UTF-8");
    const auto length = encoded_length(encoding, text);
    must(length == bytes.size() ||
             (encoding != Encoding::windows1252 && bytes.size() % 2 == 1 && length == bytes.size() + 1),
         "lengths agree");
    if (encoding == Encoding::windows1252)
      must(encode_windows1252(text) == bytes, "windows-1252 is reversible");
  }
  must(is_valid_utf8(bytes) == is_utf8(bytes), "the fast check agrees with the plain one");
}

void fuzz_mail(std::string_view bytes) {
  if (const auto message = mail::parse_message(bytes)) {
    must(is_utf8(json::serialize(message->structure)), "a mail's structure is text");
    for (const auto& entry : *get_array(message->structure, "attachments"))
      must(static_cast<std::size_t>(int_or(entry.as_object(), "part", -1)) < message->parts.size(),
           "a part is there");
    (void)mail::classify(message->structure);
  }
  std::size_t lines = 0;
  for (const auto& fragment : mail::split_text(bytes).fragments) lines += fragment.text.size();
  must(lines <= bytes.size() + 1, "fragments are the text, once");
  (void)mail::parse_outlook_msg(bytes);
  const auto split = [&](std::size_t chunk) {
    mail::MboxSplitter splitter;
    for (std::size_t i = 0; i < bytes.size(); i += chunk) splitter.push(bytes.substr(i, chunk));
    splitter.finish();
    std::vector<std::string> out;
    for (mail::MboxMessage message; splitter.next(message);) out.push_back(std::move(message.bytes));
    return out;
  };
  must(split(bytes.size() + 1) == split(5), "chunks make no difference");
}

void fuzz_document(std::string_view bytes) {
  (void)sniff(bytes, {}, "");
  const auto document = documents::parse_document(bytes, "");
  if (!document) return;
  const auto* text = document->structure.if_contains("text");
  must(text && text->is_string() && is_utf8(std::string_view(text->as_string())),
       "a document's text is UTF-8");
  must(text->as_string().size() <= documents::kMaxTextBytes + 1, "a document's text is bounded");
}

void fuzz_text(std::string_view bytes) {
  const text::Context context{Timestamp{1'772'000'000'000'000}, "Europe/Berlin"};
  const auto holds = [&](text::Span span, const std::string& found) {
    must(span.start <= span.end && span.end <= bytes.size(), "a span lies in the text");
    must(is_utf8(found), "a finding is text");
    const auto part = text::slice(bytes, span);
    must(!is_utf8(part) || part == found, "a span leads to its finding");
  };
  for (const auto& item : text::find_dates(bytes, context)) holds(item.span, item.text);
  for (const auto& item : text::find_amounts(bytes)) holds(item.span, item.text);
  for (const auto& item : text::find_entities(bytes)) holds(item.span, item.text);
  for (const auto& item : text::find_personal_data(bytes)) holds(item.span, item.text);
  for (const bool spoken : {false, true}) {
    for (const auto* language : {"", "de", "fr", "es", "it"}) {
      for (const auto& item : text::find_action_items(bytes, {"a", {"b"}, spoken, language}, context))
        holds(item.evidence, item.text);
    }
  }
  std::size_t end = 0;
  for (const auto& span : text::sentences(bytes)) {
    must(span.start >= end && span.end > span.start, "sentences follow one another");
    end = span.end;
  }
  const double feeling = text::sentiment(bytes);
  must(feeling >= -1 && feeling <= 1, "a sentiment is from -1 to 1");
  must(text::key_phrases(bytes, 5).size() <= 5, "no more phrases than asked for");
  (void)text::analyse(bytes, context);
}

}  // namespace castiel::content::fuzz
