#include "policy/replica_targets.hpp"

#include "base/text.hpp"
#include "policy/conninfo.hpp"
#include "policy/target.hpp"

namespace tide {
namespace {

bool begins_server_url(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://");
}

// Keywords of which one begins a target. Others may follow a comma in a value, such as options='-c a=1,b=2'.
bool begins_keywords(std::string_view text) {
  if (!looks_like_conninfo(text)) return false;
  for (const std::string_view key : {"host", "hostaddr", "port", "dbname", "user", "service"}) {
    if (text.starts_with(key) && trimmed_blanks(text.substr(key.size())).starts_with('=')) return true;
  }
  return false;
}

// Where the first target of `text` ends.
size_t target_end(std::string_view text) {
  const bool has_quotes = !begins_server_url(text);
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (has_quotes && text[i] == '\\') {
      ++i;
    } else if (has_quotes && text[i] == '\'') {
      is_quoted = !is_quoted;
    } else if (text[i] == ',' && !is_quoted) {
      const std::string_view next = trimmed_blanks(text.substr(i + 1));
      if (begins_server_url(next) || begins_keywords(next)) return i;
    }
  }
  return text.size();
}

// "host:port" of "host:port/dbname". A host may be a directory, so that the last "/" after the last ":" counts.
std::string_view server_of(const Target& target) {
  const std::string_view shown = target.shown;
  const size_t port = shown.rfind(':');
  return port == std::string_view::npos ? shown : shown.substr(0, shown.find('/', port));
}

Status refused_replica(size_t number, const std::string& what, std::string detail, std::string hint) {
  return Status::error(Code::bad_option,
                       "invalid value for option \"replica_url\": target " + std::to_string(number) + " " + what,
                       std::move(detail), std::move(hint));
}

constexpr std::string_view kReplicaForms =
    "The value must be one or more targets separated by commas: postgresql://host:port/dbname, or libpq keywords.";

Result<Target> parse_replica(std::string_view text, size_t number) {
  Result<ParsedTarget> parsed = parse_target(text, {});
  if (!parsed) {
    const Status& why = parsed.status();
    return refused_replica(number, "is not valid: " + why.message(), why.detail(), why.hint());
  }
  if (parsed->target.backend != Backend::postgresql) {
    return refused_replica(number, "is not a PostgreSQL server", std::string(kReplicaForms),
                           "Only PostgreSQL has replicas.");
  }
  if (!parsed->options.empty()) {
    return refused_replica(number, "contains the option " + in_quotes(parsed->options.front().name),
                           "Replicas have the options of their primary.", "Give the options with the primary.");
  }
  return std::move(parsed->target);
}

}  // namespace

std::vector<std::string> split_targets(std::string_view text) {
  std::vector<std::string> out;
  text = trimmed_blanks(text);
  while (!text.empty()) {
    const size_t end = target_end(text);
    out.emplace_back(trimmed_blanks(text.substr(0, end)));
    text = trimmed_blanks(text.substr(std::min(end + 1, text.size())));
  }
  return out;
}

bool is_same_server(const Target& one, const Target& other) {
  return one.connect_text == other.connect_text || server_of(one) == server_of(other);
}

Result<std::vector<Target>> parse_replicas(std::string_view text) {
  std::vector<Target> out;
  for (const std::string& element : split_targets(text)) {
    Result<Target> target = parse_replica(element, out.size() + 1);
    if (!target) return target.take_status();
    for (size_t i = 0; i < out.size(); ++i) {
      if (!is_same_server(out[i], *target)) continue;
      return refused_replica(out.size() + 1,
                             "is the same server as target " + std::to_string(i + 1) + ", " + in_quotes(out[i].shown),
                             "Each replica must be another server.", "Name each server once.");
    }
    out.push_back(target.take());
    if (out.size() > kReplicasMax) {
      return Status::error(Code::bad_option,
                           "option \"replica_url\" names more than " + std::to_string(kReplicasMax) + " targets",
                           std::string(kReplicaForms), "Use fewer replicas.");
    }
  }
  return out;
}

std::string shown_replicas(std::string_view text) {
  std::string out;
  for (const std::string& element : split_targets(text)) out += (out.empty() ? "" : ",") + without_password(element);
  return out;
}

Status check_primary_is_no_replica(const Target& primary, std::string_view replica_url) {
  const Result<std::vector<Target>> replicas = parse_replicas(replica_url);
  if (!replicas || primary.backend != Backend::postgresql) return Status::ok();
  for (const Target& replica : *replicas) {
    if (!is_same_server(primary, replica)) continue;
    return Status::error(Code::bad_option, "replica " + in_quotes(replica.shown) + " is the same server as the primary",
                         "A replica must be another server than the primary, a standby of it.",
                         "Remove it from replica_url.");
  }
  return Status::ok();
}

}  // namespace tide
