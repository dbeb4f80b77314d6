// tide_control*, tide_assign, tide_wait_applied: sending commands and waiting for their answers.
#include <tidepool/control.h>
#include <tidepool/observe.h>

#include <unistd.h>

#include "control/assign.hpp"
#include "control/batch.hpp"
#include "guard.hpp"
#include "model/command.hpp"
#include "os/user.hpp"
#include "policy/settings.hpp"
#include "reading/relation.hpp"
#include "segment/directory.hpp"
#include "structs.hpp"

using namespace tide;

namespace {

constexpr int64_t kWaitMsMax = 86'400'000;

static_assert(kArgumentsMax <= TIDE_VALUES_MAX);

Result<Span> timeout_of(int64_t wait_ms) {
  if (wait_ms <= kWaitMsMax) return Span::millis(wait_ms < 0 ? kAnswerWaitMs : wait_ms);
  return Status::error(Code::bad_argument, "wait_ms is " + std::to_string(wait_ms),
                       "accepted: 0 to 86400000, or negative for 5000", "the maximum is one day");
}

// The options of a call; they apply to every command that does not specify its own.
struct With {
  tide_control_options options = TIDE_CONTROL_OPTIONS_INIT;

  Status read(const tide_control_options* from) { return read_struct(from, "tide_control_options", options); }
  std::string directory(const char* own = nullptr) const {
    const char* const given = own != nullptr ? own : options.directory;
    return resolve_directory(given == nullptr ? "" : given);
  }
  // If no actor is given: the user and where the command comes from.
  std::string actor(const char* own = nullptr) const {
    const char* const given = own != nullptr ? own : options.actor;
    if (given != nullptr && given[0] != '\0') return given;
    return user_name() +
           (options.via != nullptr ? std::string(" via ") + options.via : " (pid " + std::to_string(::getpid()) + ")");
  }
  IsInterrupted is_interrupted() const {
    if (options.is_interrupted == nullptr) return {};
    return [ask = options.is_interrupted, context = options.context] { return ask(context) != 0; };
  }
};

// Checks that do not need a pool.
Result<Command> check_call(const char* pool, const char* verb, Result<Command> command, bool may_be_every) {
  if (verb == nullptr) return Status::error(Code::bad_argument, "verb is NULL", "", "such as \"scale\"");
  const auto known = member_of<Verb>(verb);
  const SentTo to = known ? about(*known).sent_to : SentTo::alert;
  const bool is_needed = to == SentTo::pool || (to == SentTo::every_pool && !may_be_every);
  if (pool == nullptr ? is_needed : pool[0] == '\0') {
    return Status::error(Code::bad_argument, "pool_or_instance is missing", "accepted: a pool's name or an instance_id",
                         "see `pools`");
  }
  if (command && command->verb() == Verb::set && find_setting(*command->text("option")) == nullptr) {
    return unknown_option(*command->text("option"));
  }
  return command;
}

std::string_view view_of(const char* text) { return text == nullptr ? std::string_view() : text; }

std::optional<std::string> or_nothing(const char* text) {
  return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

// nothing: the type is unknown.
std::optional<ArgumentValue> value_of(const tide_value& value) {
  switch (value.type) {
    case TIDE_VALUE_NONE: return std::monostate();
    case TIDE_VALUE_NULL: return Null();
    case TIDE_BOOL: return value.integer != 0;
    case TIDE_INT: return value.integer;
    case TIDE_DOUBLE: return value.real;
    case TIDE_DURATION: return Span::micros(value.integer);
    case TIDE_TEXT:
      return value.text == nullptr ? std::nullopt : std::optional<ArgumentValue>(std::string(text_of(value)));
    default: return std::nullopt;
  }
}

Result<Command> made_of(const char* verb, const tide_value* values, int32_t nvalues) {
  const auto known = member_of<Verb>(verb == nullptr ? "" : verb);
  if (!known) return parse_command(verb == nullptr ? "" : verb, "");  // reports the unknown verb
  const std::span<const Argument> arguments = about(*known).arguments;
  if (nvalues < 0 || static_cast<size_t>(nvalues) > arguments.size() || (values == nullptr && nvalues > 0)) {
    return Status::error(Code::bad_argument, "nvalues is " + std::to_string(nvalues),
                         "accepted: up to " + std::to_string(arguments.size()) + " for " + std::string(verb));
  }
  Given given;
  for (size_t i = 0; i < static_cast<size_t>(nvalues); ++i) {
    auto value = value_of(values[i]);
    if (!value) {
      return Status::error(Code::bad_argument, "value " + std::to_string(i) + " is invalid",
                           "its type is " + std::to_string(values[i].type));
    }
    given.emplace_back(arguments[i].name, std::move(*value));
  }
  return make_command(verb, given);
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
                           argument.null_is.empty() ? 0 : 1, 0, argument.meaning.data(), sql_type(argument).data()});
    }
    const bool is_by_number = info.sent_to == SentTo::connection || info.sent_to == SentTo::lease;
    const auto count = static_cast<int32_t>(arguments.size());
    out.rows.push_back({kVerbWords[i].data(), static_cast<int32_t>(info.sent_to),
                        static_cast<int32_t>(time_for_answer(info.wait).ms()), info.meaning.data(), count,
                        info.sent_to == SentTo::alert ? -1
                        : is_by_number                ? count
                                                      : 0,
                        arguments.data()});
  }
  return out;
}

// The only pool of a command.
Result<LocatedPool> pool_of(const With& with, const char* pool, const Command& command) {
  auto pools = LocatedPool::for_command(with.directory(), or_nothing(pool), command);
  if (!pools) return pools.status();
  return std::move(pools->front());
}

Result<Command> parsed(const char* pool, const char* verb, const char* arguments_json) {
  return check_call(pool, verb, parse_command(view_of(verb), view_of(arguments_json)), false);
}

// Reads one command of a batch. The caller's struct receives its result later.
Status read_command(const tide_command* from, const With& with, BatchCommand& to) {
  tide_command given = TIDE_COMMAND_INIT;
  if (from == nullptr || from->size < sizeof given)
    return Status::error(Code::bad_argument, "a command is NULL, or its size is too small");
  if (Status read = read_struct(from, "tide_command", given); !read) return read;
  auto command = check_call(given.pool, given.verb, made_of(given.verb, given.values, given.nvalues), true);
  if (!command) return command.status();
  to.command = command.take();
  to.command.actor = with.actor(given.actor);
  to.directory = with.directory(given.directory);
  to.pool = or_nothing(given.pool);
  to.state = static_cast<CommandState>(given.state);
  to.command_id = given.command_id;
  to.pools = given.pools;
  return Status::ok();
}

void put(std::string_view verb, std::string_view argument, tide_value value, tide_command& out) {
  if (argument.empty()) return;
  const size_t place = argument_place(*member_of<Verb>(verb), argument);
  out.values[place] = value;
  out.nvalues = std::max(out.nvalues, static_cast<int32_t>(place) + 1);
}

}  // namespace

tide_status tide_control(const char* pool_or_instance, const char* verb, const char* arguments_json, int64_t wait_ms,
                         uint64_t* command_id, tide_error* err) {
  return tide_control_with(pool_or_instance, verb, arguments_json, wait_ms, nullptr, command_id, err);
}

tide_status tide_control_with(const char* pool_or_instance, const char* verb, const char* arguments_json,
                              int64_t wait_ms, const tide_control_options* options, uint64_t* command_id,
                              tide_error* err) {
  return guarded(err, [&]() -> Status {
    With with;
    if (Status read = with.read(options); !read) return read;
    const auto timeout = timeout_of(wait_ms);
    if (!timeout) return timeout.status();
    auto command = parsed(pool_or_instance, verb, arguments_json);
    if (!command) return command.status();
    const auto pool = pool_of(with, pool_or_instance, *command);
    if (!pool) return pool.status();
    command->actor = with.actor();
    const auto posted = pool->post(*command);
    if (!posted) return posted.status();
    if (command_id != nullptr) *command_id = *posted;
    if (timeout->is_zero()) return Status::ok();
    Status answer = pool->wait(*posted, *timeout, true, with.is_interrupted());
    answer.is_retryable = false;  // the command is posted; a retry would issue it twice
    return answer;
  });
}

tide_status tide_control_values(const char* pool_or_instance, const char* verb, const tide_value* values,
                                int32_t nvalues, int64_t wait_ms, const tide_control_options* with,
                                uint64_t* command_id, tide_error* err) {
  tide_command command = TIDE_COMMAND_INIT;
  tide_command* const batch[] = {&command};
  command.pool = pool_or_instance;
  command.verb = verb;
  command.nvalues = nvalues;
  for (int32_t i = 0; values != nullptr && i < nvalues && i < TIDE_VALUES_MAX; ++i) command.values[i] = values[i];
  const tide_status status = tide_control_batch(batch, 1, TIDE_BATCH_POST, wait_ms, with, err);
  if (command_id != nullptr && command.pools > 0) *command_id = command.command_id;
  return status;
}

tide_status tide_control_check(const char* pool_or_instance, const char* verb, const char* arguments_json,
                               const tide_control_options* options, tide_error* err) {
  return guarded(err, [&]() -> Status {
    With with;
    if (Status read = with.read(options); !read) return read;
    const auto command = parsed(pool_or_instance, verb, arguments_json);
    if (!command) return command.status();
    const auto pool = pool_of(with, pool_or_instance, *command);
    return pool ? pool->check(*command) : pool.status();
  });
}

const tide_verb* tide_verb_at(int index) {
  static const auto& verbs = *new Verbs(make_verbs());  // never freed: threads may still use it during exit
  const bool is_known = index >= 0 && static_cast<size_t>(index) < verbs.rows.size();
  return is_known ? &verbs.rows[static_cast<size_t>(index)] : nullptr;
}

tide_status tide_control_batch(tide_command* const* commands, int32_t count, int32_t mode, int64_t wait_ms,
                               const tide_control_options* options, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (count < 0 || (count > 0 && commands == nullptr) || mode < TIDE_BATCH_CHECK || mode > TIDE_BATCH_POST) {
      return Status::error(Code::bad_argument, "count or mode is out of range");
    }
    With with;
    if (Status read = with.read(options); !read) return read;
    const auto timeout = timeout_of(wait_ms);
    if (!timeout) return timeout.status();
    std::vector<BatchCommand> batch(static_cast<size_t>(count));
    for (size_t i = 0; i < batch.size(); ++i) {
      if (Status read = read_command(commands[i], with, batch[i]); !read) return read;
    }
    Status status = run_batch(batch, static_cast<BatchMode>(mode),
                              {wait_ms < 0 ? std::nullopt : std::optional(*timeout), with.is_interrupted()});
    for (size_t i = 0; i < batch.size(); ++i) {
      commands[i]->state = static_cast<int32_t>(batch[i].state);
      commands[i]->command_id = batch[i].command_id;
      commands[i]->pools = batch[i].pools;
    }
    return status;
  });
}

tide_status tide_assign(const char* relation, const char* column, const char* key, const tide_value* value,
                        tide_command* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    const Relation* const known = find_relation(view_of(relation));
    const Column* meant = nullptr;
    for (const Column& each : known == nullptr ? std::span<const Column>() : known->columns) {
      if (each.name == view_of(column)) meant = &each;
    }
    const auto given = value == nullptr ? std::nullopt : value_of(*value);
    if (meant == nullptr || !given || out == nullptr) {
      return Status::error(Code::bad_argument, "unknown column, invalid value, or out is NULL");
    }
    const auto assigned = assign(*meant, view_of(key), *given);
    if (!assigned) return assigned.status();
    // Texts belong to the caller or to the catalogue; both outlive the call.
    const auto of = [](const ArgumentValue& from, const tide_value& as_given) -> tide_value {
      const auto* whole = std::get_if<int64_t>(&from);
      return whole == nullptr ? as_given : tide_value{TIDE_INT, 0, *whole, 0, nullptr, 0};
    };
    const Setter& setter = *assigned->setter;
    tide_command made = TIDE_COMMAND_INIT;
    made.verb = word(setter.verb).data();
    const char* const which = setter.key.empty() ? meant->name.data() : key;
    put(made.verb, setter.which, of(assigned->which, {TIDE_TEXT, 0, 0, 0, which, 0}), made);
    put(made.verb, setter.value, of(assigned->value, *value), made);
    *out = made;
    return Status::ok();
  });
}

tide_status tide_wait_applied(uint64_t command_id, int64_t wait_ms, const tide_control_options* options,
                              tide_error* err) {
  return guarded(err, [&]() -> Status {
    With with;
    if (Status read = with.read(options); !read) return read;
    const auto timeout = timeout_of(wait_ms);
    if (!timeout) return timeout.status();
    const auto pool = LocatedPool::of_command(with.directory(), command_id);
    if (!pool) return pool.status();
    return pool->wait(command_id, *timeout, false, with.is_interrupted());
  });
}
