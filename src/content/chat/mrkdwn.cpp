#include <algorithm>

#include "content/chat/chat.hpp"

namespace castiel::content::chat {
namespace {

std::string entities_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto rest = text.substr(i);
    if (rest.starts_with("&amp;"))
      out += '&', i += 4;
    else if (rest.starts_with("&lt;"))
      out += '<', i += 3;
    else if (rest.starts_with("&gt;"))
      out += '>', i += 3;
    else
      out += text[i];
  }
  return out;
}

std::string known_name(const json::object& names, std::string_view id, std::string_view label) {
  if (const auto known = get_string(names, id); known && !known->empty()) return std::string(*known);
  return label.empty() ? std::string(id) : entities_decoded(label);
}

void mention(PlainText& out, std::string id, std::string name) {
  const auto same = [&](const Mention& m) { return m.id == id; };
  if (std::ranges::none_of(out.mentions, same) && out.mentions.size() < 1000)
    out.mentions.push_back({std::move(id), std::move(name)});
}

// <@U1|name>, <#C1|name>, <!here>, <!subteam^S1|@name>, <!date^…^…|text>, <url|label>
void put_mark(std::string_view body, const json::object& names, PlainText& out) {
  const auto bar = body.find('|');
  const auto target = body.substr(0, bar);
  auto label = bar == std::string_view::npos ? std::string_view() : body.substr(bar + 1);
  const char kind = target.empty() ? ' ' : target.front();
  if (kind == '@') {
    if (label.starts_with('@')) label.remove_prefix(1);
    const auto name = known_name(names, target.substr(1), label);
    out.text += "@" + name;
    mention(out, std::string(target.substr(1)), name);
  } else if (kind == '#') {
    out.text += "#" + known_name(names, target.substr(1), label);
  } else if (kind == '!') {
    const auto command = target.substr(1);
    if (command.starts_with("date^")) {
      out.text += entities_decoded(label);
    } else if (command.starts_with("subteam^")) {
      if (label.starts_with('@')) label.remove_prefix(1);
      const auto name = known_name(names, command.substr(8), label);
      out.text += "@" + name;
      mention(out, std::string(command.substr(8)), name);
    } else {
      const auto word = std::string(command.substr(0, command.find('^')));
      out.text += "@" + word;
      if (word == "here" || word == "channel" || word == "everyone") mention(out, word, word);
    }
  } else {
    const auto url = entities_decoded(target);
    const auto shown = entities_decoded(label);
    const bool same = shown.empty() || shown == url || "mailto:" + shown == url || "tel:" + shown == url ||
                      "http://" + shown == url || "https://" + shown == url;
    out.text += same ? (shown.empty() ? url : shown) : shown + " (" + url + ")";
  }
}

}  // namespace

PlainText plain_text(std::string_view mrkdwn, const json::object& names) {
  PlainText out;
  std::size_t plain = 0;
  for (std::size_t i = 0; i < mrkdwn.size();) {
    if (mrkdwn[i] != '<') {
      ++i;
      continue;
    }
    const auto close = mrkdwn.find_first_of("<>\n", i + 1);
    if (close == std::string_view::npos || mrkdwn[close] != '>' || close == i + 1) {
      ++i;
      continue;
    }
    out.text += entities_decoded(mrkdwn.substr(plain, i - plain));
    put_mark(mrkdwn.substr(i + 1, close - i - 1), names, out);
    i = plain = close + 1;
  }
  out.text += entities_decoded(mrkdwn.substr(plain));
  return out;
}

}  // namespace castiel::content::chat
