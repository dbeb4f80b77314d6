// tide_control*, tide_wait_applied: giving orders and waiting for their answers.
#include <tidepool/control.h>

#include <pwd.h>
#include <unistd.h>

#include <array>

#include "addressee.hpp"
#include "guard.hpp"
#include "model/command.hpp"
#include "model/words.hpp"
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

std::string default_actor() {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  const uid_t uid = ::geteuid();
  const bool is_named = ::getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found != nullptr;
  return (is_named ? std::string(found->pw_name) : "uid " + std::to_string(uid)) + " (pid " +
         std::to_string(::getpid()) + ")";
}

// An alert's number says whose it is.
bool needs_pool(const char* verb) {
  const auto known = member_of<Verb>(verb == nullptr ? "" : verb);
  return !known || about(*known).sent_to != SentTo::alert;
}

// Of the arguments that all calls share, what can be said without looking at a pool.
Result<Command> check_call(const char* pool, const char* verb, const char* arguments_json) {
  const bool is_missing = pool == nullptr ? needs_pool(verb) : pool[0] == '\0';
  if (is_missing) {
    return Status::error(Code::bad_argument, "pool_or_instance is missing", "accepted: a pool's name or an instance_id",
                         "see `pools`");
  }
  if (verb == nullptr) return Status::error(Code::bad_argument, "verb is NULL", "", "such as \"scale\"");
  auto command = parse_command(verb, arguments_json == nullptr ? "" : arguments_json);
  if (command && command->verb() == Verb::set && find_setting(*command->text("option")) == nullptr) {
    return unknown_option(*command->text("option"));
  }
  return command;
}

Result<Addressee> addressee_of(const std::string& directory, const char* pool, const Command& command) {
  if (pool != nullptr) return Addressee::find(directory, pool);
  return Addressee::of_alert(directory, static_cast<uint64_t>(*command.whole("alert_id")));
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
    const bool is_named = options.actor != nullptr && options.actor[0] != '\0';
    command->actor = is_named ? options.actor : default_actor();
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
