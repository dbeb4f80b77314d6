#include "base/text.hpp"
#include "policy/conninfo.hpp"
#include "policy/target.hpp"
#include "policy/url.hpp"

namespace tide {
namespace {

constexpr std::string_view kForm = "The format is postgresql://user:password@host:port/dbname?parameter=value.";

Status bad_url(const std::string& what, std::string hint) {
  return Status::error(Code::bad_argument, what, std::string(kForm), std::move(hint));
}

Status must_encode(const std::string& what) {
  return bad_url(what,
                 "In a user name, password or database name write \"@\", \":\", \"/\", \"?\", \"#\" and \"%\" as %40, "
                 "%3A, %2F, %3F, "
                 "%23 and %25.");
}

// Where libpq would connect, according to the text. Hosts and ports are parallel lists, separated by commas, as in libpq.
struct Place {
  std::string hosts;
  std::string ports;
  std::string dbname;
  std::string user;
  std::string service;

  void set(std::string_view key, const std::string& value) {
    if (key == "host") hosts = value;
    if (key == "hostaddr" && hosts.empty()) hosts = value;
    if (key == "port") ports = value;
    if (key == "dbname") dbname = value;
    if (key == "user") user = value;
    if (key == "service") service = value;
  }
};

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> parts;
  while (true) {
    const size_t comma = std::min(list.find(','), list.size());
    parts.emplace_back(list.substr(0, comma));
    if (comma == list.size()) return parts;
    list.remove_prefix(comma + 1);
  }
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  int port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + (c - '0');
  }
  return port >= 1 && port <= 65535;
}

Result<std::string> shown_place(const Place& place) {
  const std::vector<std::string> hosts = split_list(place.hosts);
  const std::vector<std::string> ports = split_list(place.ports);
  if (ports.size() != 1 && ports.size() != hosts.size()) {
    return bad_url("the database address has " + std::to_string(hosts.size()) + " hosts and " +
                       std::to_string(ports.size()) + " ports",
                   "Specify one port for all hosts, or one for each.");
  }
  for (const std::string& port : ports) {
    if (!port.empty() && !is_port(port)) {
      return must_encode("a port of the database address is not a number from 1 to 65535");
    }
  }
  std::string shown;
  if (place.hosts.empty() && !place.service.empty()) {
    shown = "service=" + place.service;
  } else {
    for (size_t i = 0; i < hosts.size(); ++i) {
      const std::string& port = ports.size() == 1 ? ports[0] : ports[i];
      const bool is_bare_v6 = hosts[i].find(':') != std::string::npos && hosts[i].front() != '/';
      shown += (i == 0 ? "" : ",") +
               (hosts[i].empty() ? std::string("[local]")
                : is_bare_v6     ? "[" + hosts[i] + "]"
                                 : hosts[i]) +
               ":" + (port.empty() ? "5432" : port);
    }
  }
  // libpq names the database after the user.
  const std::string& dbname = place.dbname.empty() ? place.user : place.dbname;
  if (!dbname.empty()) shown += "/" + dbname;
  return without_password(shown);
}

Result<ParsedTarget> make_target(const Place& place, std::string connect_text, std::vector<GivenOption> options) {
  Result<std::string> shown = shown_place(place);
  if (!shown) return shown.take_status();
  ParsedTarget parsed;
  parsed.target.backend = Backend::postgresql;
  parsed.target.scheme = "postgresql";
  parsed.target.connect_text = std::move(connect_text);
  parsed.target.shown = shown.take();
  parsed.target.user = place.user;
  parsed.options = std::move(options);
  return parsed;
}

// Parses "host:port,[v6]:port" into the two lists of the place.
Status read_hosts(std::string_view text, Place& place) {
  bool is_first = true;
  bool has_port = false;
  for (const std::string& part : split_list(text)) {
    const size_t bracket = part.starts_with('[') ? part.find(']') : 0;
    if (bracket == std::string::npos)
      return bad_url("an IPv6 address in the URL has no closing bracket", "Write it as [::1].");
    const size_t colon = std::min(part.find(':', bracket), part.size());
    std::string host = part.substr(0, colon);
    if (bracket != 0) {
      if (bracket + 1 != colon) return must_encode("text follows an IPv6 address in the URL");
      host = part.substr(1, bracket - 1);
    }
    const std::string port = part.substr(std::min(colon + 1, part.size()));
    if (!port.empty() && !is_port(port)) {
      return must_encode("a port in the URL is not a number from 1 to 65535");
    }
    const auto decoded = percent_decoded(host);
    if (!decoded) return must_encode("a host name in the URL is not valid percent-encoded UTF-8");
    has_port = has_port || !port.empty();
    place.hosts += (is_first ? "" : ",") + *decoded;
    place.ports += (is_first ? "" : ",") + port;
    is_first = false;
  }
  if (!has_port) place.ports.clear();
  return Status::ok();
}

// With an unencoded "@", "/" or "?" in a password, libpq takes part of the password for a host or a database, which the
// relations show. Such URLs are rejected, even those that libpq accepts.
Status check_user_info_is_clear(std::string_view authority, std::string_view path, std::string_view query) {
  const size_t at = authority.find('@');
  const bool has_user = at != std::string_view::npos;
  if (has_user && authority.find('@', at + 1) != std::string_view::npos) {
    return must_encode("the URL contains more than one \"@\"");
  }
  if (path.find('@') != std::string_view::npos) return must_encode("the URL contains \"@\" after the host");
  if (!has_user && authority.find(':') != std::string_view::npos && query.find('@') != std::string_view::npos) {
    return must_encode("the URL contains \"@\" in its parameters, but none before the host");
  }
  return Status::ok();
}

}  // namespace

Result<ParsedTarget> parse_postgresql_url(std::string_view url) {
  const size_t colon = url.find(':');
  std::string_view body = url.substr(colon + 1);
  if (!body.starts_with("//")) {
    return bad_url("the PostgreSQL URL lacks \"//\" after the scheme", "Begin it with postgresql://.");
  }
  body.remove_prefix(2);

  const size_t mark = std::min(body.find('?'), body.size());
  const std::string_view query_text = body.substr(std::min(mark + 1, body.size()));
  const std::string_view front = body.substr(0, mark);
  const size_t slash = std::min(front.find('/'), front.size());
  std::string_view authority = front.substr(0, slash);
  const std::string_view path = front.substr(std::min(slash + 1, front.size()));
  if (Status status = check_user_info_is_clear(authority, path, query_text); !status) return status;

  Place place;
  if (const size_t at = authority.find('@'); at != std::string_view::npos) {
    const std::string_view user_info = authority.substr(0, at);
    const auto user = percent_decoded(user_info.substr(0, user_info.find(':')));
    if (!user || !percent_decoded(user_info)) {
      return must_encode("the user name or password in the URL is not valid percent-encoded UTF-8");
    }
    place.user = *user;
    authority.remove_prefix(at + 1);
  }
  if (Status status = read_hosts(authority, place); !status) return status;
  const auto dbname = percent_decoded(path);
  if (!dbname) return must_encode("the database name in the URL is not valid percent-encoded UTF-8");
  place.dbname = *dbname;

  Result<SplitQuery> query = split_query(query_text);
  if (!query) return query.take_status();
  for (const QueryParameter& parameter : query->others) {
    if (lacks_prefix(parameter.name)) return missing_prefix(parameter.name);
    place.set(parameter.name, parameter.value);
  }
  std::string connect_text = std::string(url.substr(0, colon + 3)) + std::string(front) + query->rest();
  return make_target(place, std::move(connect_text), std::move(query->options));
}

Result<ParsedTarget> parse_postgresql_words(std::string_view text) {
  Result<std::vector<ConninfoWord>> words = split_conninfo(text);
  if (!words) return words.take_status();
  Place place;
  std::string connect_text;
  std::vector<GivenOption> options;
  for (const ConninfoWord& word : *words) {
    if (word.key.starts_with(kOptionPrefix)) {
      options.push_back({word.key.substr(kOptionPrefix.size()), word.value, "in the connection string"});
      continue;
    }
    if (lacks_prefix(word.key)) return missing_prefix(word.key);
    place.set(word.key, word.value);
    connect_text.append(connect_text.empty() ? "" : " ").append(word.raw);
  }
  if (connect_text.empty()) {
    return Status::error(Code::bad_argument, "the connection string does not specify a database",
                         "It contains only options of the pool.", "Add host=... dbname=...");
  }
  return make_target(place, std::move(connect_text), std::move(options));
}

}  // namespace tide
