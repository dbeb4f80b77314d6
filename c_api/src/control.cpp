// tide_control*, tide_wait_applied: giving orders and waiting for their answers.
#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <unistd.h>

#include "addressee.hpp"
#include "guard.hpp"
#include "model/command.hpp"
#include "os/user.hpp"
#include "plane/directory.hpp"
#include "policy/settings.hpp"
#include "structs.hpp"

using namespace tide;

namespace {

constexpr int64_t kWaitMsDefault = 5000;
constexpr int64_t kWaitMsMax = 86'400'000;

Result<Span> patience_of(int64_t wait_ms) {
  if (wait_ms <= kWaitMsMax) return Span::millis(wait_ms < 0 ? kWaitMsDefault : wait_ms);
  return Status::error(Code::bad_argument, "wait_ms is " + std::to_string(wait_ms),
                       "accepted: 0 to 86400000, or negative for 5000", "a day is the longest wait");
}

std::string default_actor() { return user_name() + " (pid " + std::to_string(::getpid()) + ")"; }

// What can be said without looking at a pool.
Result<Command> check_call(const char* pool, const char* verb, Result<Command> command) {
  if (verb == nullptr) return Status::error(Code::bad_argument, "verb is NULL", "", "such as \"scale\"");
  const auto known = member_of<Verb>(verb);
  const bool is_missing = pool == nullptr ? known && about(*known).sent_to == SentTo::pool : pool[0] == '\0';
  if (is_missing) {
    return Status::error(Code::bad_argument, "pool_or_instance is missing", "accepted: a pool's name or an instance_id",
                         "see `pools`");
  }
  if (command && command->verb() == Verb::set && find_setting(*command->text("option")) == nullptr) {
    return unknown_option(*command->text("option"));
  }
  return command;
}

Result<Command> check_call(const char* pool, const char* verb, const char* arguments_json) {
  return check_call(pool, verb,
                    parse_command(verb == nullptr ? "" : verb, arguments_json == nullptr ? "" : arguments_json));
}

// nothing: no value that there is.
std::optional<ArgumentValue> value_of(const tide_value& value) {
  switch (value.type) {
    case TIDE_VALUE_NONE: return std::monostate();
    case TIDE_VALUE_NULL: return Null();
    case TIDE_BOOL: return value.integer != 0;
    case TIDE_INT: return value.integer;
    case TIDE_DOUBLE: return value.real;
    case TIDE_DURATION: return Span::micros(value.integer);
    case TIDE_TEXT: return value.text == nullptr ? std::nullopt : std::optional<ArgumentValue>(std::string(value.text));
    default: return std::nullopt;
  }
}

Result<Command> made_of(const char* verb, const tide_value* values, int32_t nvalues) {
  const auto known = member_of<Verb>(verb == nullptr ? "" : verb);
  if (!known) return parse_command(verb == nullptr ? "" : verb, "");  // says so
  const std::span<const Argument> arguments = about(*known).arguments;
  if (nvalues < 0 || static_cast<size_t>(nvalues) > arguments.size() || (values == nullptr && nvalues > 0)) {
    return Status::error(Code::bad_argument, "nvalues is " + std::to_string(nvalues),
                         "accepted: up to " + std::to_string(arguments.size()) + " for " + std::string(verb));
  }
  Given given;
  for (size_t i = 0; i < static_cast<size_t>(nvalues); ++i) {
    auto value = value_of(values[i]);
    if (!value) {
      return Status::error(Code::bad_argument, "value " + std::to_string(i) + " is none",
                           "its type is " + std::to_string(values[i].type));
    }
    given.emplace_back(arguments[i].name, std::move(*value));
  }
  return make_command(verb, given);
}

// One command for each live pool that takes it, as many as there is room for.
Status post_to_every(const std::string& directory, const Command& command, std::span<uint64_t> room, int32_t& posted) {
  Status first;
  for (const Addressee& addressee : Addressee::living(directory)) {
    if (static_cast<size_t>(posted) == room.size()) break;
    const auto id = addressee.post(command);
    if (id) room[static_cast<size_t>(posted++)] = *id;
    if (!id && first.is_ok()) first = id.status();
  }
  if (posted > 0) return Status::ok();
  if (first.code == Code::bad_argument) return first;
  return Status::error(Code::refused, "there is no pool here that this user may steer", first.message);
}

int32_t type_of(ArgumentType type) {
  switch (type) {
    case ArgumentType::whole: return TIDE_INT;
    case ArgumentType::number: return TIDE_DOUBLE;
    case ArgumentType::boolean: return TIDE_BOOL;
    case ArgumentType::duration: return TIDE_DURATION;
    case ArgumentType::text: return TIDE_TEXT;
    case ArgumentType::any: return TIDE_ANY;
  }
  return TIDE_ANY;
}

struct Verbs {
  std::vector<std::vector<tide_argument>> arguments;
  std::vector<tide_verb> rows;
};

Verbs make_verbs() {
  Verbs out;
  for (size_t i = 0; i < std::size(kCommands); ++i) {
    const CommandInfo& info = kCommands[i];
    std::vector<tide_argument>& arguments = out.arguments.emplace_back();
    for (const Argument& argument : info.arguments) {
      arguments.push_back({argument.name.data(), type_of(argument.type), argument.is_required ? 1 : 0,
                           argument.null_is.empty() ? 0 : 1, argument.range.high <= kSizeMax ? 1 : 0,
                           argument.meaning.data()});
    }
    out.rows.push_back({kVerbWords[i].data(), static_cast<int32_t>(info.sent_to),
                        static_cast<int32_t>(info.wait == Wait::answer ? kAnswerWaitMs : kRefusalWaitMs),
                        info.meaning.data(), static_cast<int32_t>(arguments.size()), 0, arguments.data()});
  }
  return out;
}

Result<Addressee> addressee_of(const std::string& directory, const char* pool, const Command& command) {
  if (pool != nullptr) return Addressee::find(directory, pool);
  const auto id = [&](std::string_view argument) { return static_cast<uint64_t>(*command.whole(argument)); };
  switch (about(command.verb()).sent_to) {
    case SentTo::connection: return Addressee::of_connection(directory, id("conn_id"));
    case SentTo::lease: return Addressee::of_lease(directory, id("lease_id"));
    case SentTo::alert: return Addressee::of_alert(directory, id("alert_id"));
    case SentTo::pool:
    case SentTo::every_pool: break;
  }
  return Status::error(Code::bad_argument, "pool_or_instance is missing", "accepted: a pool's name or an instance_id",
                       "see `pools`");
}

std::string actor_of(const tide_control_options& options) {
  const bool is_named = options.actor != nullptr && options.actor[0] != '\0';
  return is_named ? options.actor : default_actor();
}

std::string directory_of(const tide_control_options& options) {
  return resolve_directory(options.directory == nullptr ? "" : options.directory);
}

}  // namespace

tide_status tide_control(const char* pool_or_instance, const char* verb, const char* arguments_json, int64_t wait_ms,
                         uint64_t* command_id, tide_error* err) {
  return tide_control_with(pool_or_instance, verb, arguments_json, wait_ms, nullptr, command_id, err);
}

tide_status tide_control_with(const char* pool_or_instance, const char* verb, const char* arguments_json,
                              int64_t wait_ms, const tide_control_options* with, uint64_t* command_id,
                              tide_error* err) {
  return guarded(err, [&]() -> Status {
    tide_control_options options = TIDE_CONTROL_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_control_options", options); !read) return read;
    const auto patience = patience_of(wait_ms);
    if (!patience) return patience.status();
    auto command = check_call(pool_or_instance, verb, arguments_json);
    if (!command) return command.status();
    const auto addressee = addressee_of(directory_of(options), pool_or_instance, *command);
    if (!addressee) return addressee.status();
    command->actor = actor_of(options);
    const auto posted = addressee->post(*command);
    if (!posted) return posted.status();
    if (command_id != nullptr) *command_id = *posted;
    if (patience->is_zero()) return Status::ok();
    Status answer = addressee->wait(*posted, *patience, true);
    answer.is_retryable = false;  // the order is out; the same call would give it twice
    return answer;
  });
}

tide_status tide_control_check(const char* pool_or_instance, const char* verb, const char* arguments_json,
                               const tide_control_options* with, tide_error* err) {
  return guarded(err, [&]() -> Status {
    tide_control_options options = TIDE_CONTROL_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_control_options", options); !read) return read;
    const auto command = check_call(pool_or_instance, verb, arguments_json);
    if (!command) return command.status();
    const auto addressee = addressee_of(directory_of(options), pool_or_instance, *command);
    return addressee ? addressee->check(*command) : addressee.status();
  });
}

const tide_verb* tide_verb_at(int index) {
  static const auto& verbs = *new Verbs(make_verbs());  // never freed: threads may still ask while the process ends
  const bool is_known = index >= 0 && static_cast<size_t>(index) < verbs.rows.size();
  return is_known ? &verbs.rows[static_cast<size_t>(index)] : nullptr;
}

tide_status tide_control_values(const char* pool_or_instance, const char* verb, const tide_value* values,
                                int32_t nvalues, const tide_control_options* with, uint64_t* command_ids, int32_t room,
                                int32_t* posted, tide_error* err) {
  return guarded(err, [&]() -> Status {
    int32_t count = 0;
    if (posted != nullptr) *posted = 0;
    tide_control_options options = TIDE_CONTROL_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_control_options", options); !read) return read;
    if (command_ids != nullptr && room < 1) {
      return Status::error(Code::bad_argument, "room is " + std::to_string(room), "accepted: 1 or more");
    }
    auto command = check_call(pool_or_instance, verb, made_of(verb, values, nvalues));
    if (!command) return command.status();
    const std::string directory = directory_of(options);
    command->actor = actor_of(options);
    if (pool_or_instance == nullptr && about(command->verb()).sent_to == SentTo::every_pool) {
      if (command_ids == nullptr) return Status::ok();
      const Status status = post_to_every(directory, *command, {command_ids, static_cast<size_t>(room)}, count);
      if (posted != nullptr) *posted = count;
      return status;
    }
    const auto addressee = addressee_of(directory, pool_or_instance, *command);
    if (!addressee) return addressee.status();
    if (command_ids == nullptr) return addressee->check(*command);
    const auto id = addressee->post(*command);
    if (!id) return id.status();
    *command_ids = *id;
    if (posted != nullptr) *posted = 1;
    return Status::ok();
  });
}

tide_status tide_wait_applied(uint64_t command_id, int64_t wait_ms, const tide_control_options* with, tide_error* err) {
  return guarded(err, [&]() -> Status {
    tide_control_options options = TIDE_CONTROL_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_control_options", options); !read) return read;
    const auto patience = patience_of(wait_ms);
    if (!patience) return patience.status();
    const auto addressee = Addressee::of_command(directory_of(options), command_id);
    if (!addressee) return addressee.status();
    return addressee->wait(command_id, *patience, false);
  });
}
