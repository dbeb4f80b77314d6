#include "driver/libpq/attempt.hpp"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string_view>
#include <system_error>
#include <thread>

#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"

namespace tide::libpq {
namespace {

// How long closing a pool waits for abandoned attempts: those that are not blocked need microseconds.
constexpr auto kEndTimeout = std::chrono::milliseconds(50);

bool is_address(const std::string& host) {
  addrinfo only_numbers{};
  only_numbers.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &only_numbers, &found) != 0) return false;
  freeaddrinfo(found);
  return true;
}

bool has_to_be_looked_up(const std::string& host) {
  return !host.empty() && host[0] != '/' && host[0] != '@' && !is_address(host);
}

// What to look up in the hosts from `begin` on.
std::string names_of(const std::vector<Host>& hosts, size_t begin) {
  std::string out;
  for (size_t i = begin; i < hosts.size(); ++i) {
    if (!hosts[i].to_look_up.empty()) out.append(out.empty() ? "" : " or ").append(hosts[i].to_look_up);
  }
  return out;
}

}  // namespace

std::vector<Host> hosts_of(const Words& words) {
  const auto given = [&](std::string_view key, const char* variable) -> std::string {
    for (const auto& [name, value] : words) {
      if (name == key) return value;
    }
    const char* const value = variable == nullptr ? nullptr : std::getenv(variable);
    return value == nullptr ? "" : value;
  };
  std::string host = given("host", nullptr);
  std::string address = given("hostaddr", nullptr);
  if (host.empty() && address.empty()) {
    if (const std::string service = given("service", "PGSERVICE"); !service.empty()) {
      return {{"", "the host of service \"" + service + "\""}};
    }
    host = given("host", "PGHOST");
    address = given("hostaddr", "PGHOSTADDR");
  }
  const std::vector<std::string> addresses = split_list(address);
  std::vector<Host> out;
  for (const std::string& name : split_list(host)) {
    const bool is_known = out.size() < addresses.size() && !addresses[out.size()].empty();
    out.push_back({name, is_known || !has_to_be_looked_up(name) ? "" : "\"" + name + "\""});
  }
  return out;
}

bool Attempts::has_room(std::string& why_not) const {
  const std::lock_guard lock(mutex_);
  size_t held_up = 0;
  for (const Attempt* attempt : running_) {
    if (!attempt->is_given_up_) continue;
    if (++held_up == 1) why_not = attempt->obstacle();
  }
  return held_up < kHeldUpMax;
}

bool Attempts::is_held_up(size_t first_host) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(running_.begin(), running_.end(), [&](const Attempt* attempt) {
    return attempt->is_given_up_ && attempt->stage_ == Attempt::Stage::inside &&
           attempt->task_.first_host == first_host;
  });
}

void Attempts::end() noexcept {
  std::unique_lock lock(mutex_);
  for (Attempt* attempt : running_) {
    attempt->is_given_up_ = true;
    attempt->wake_.ring();
  }
  changed_.notify_all();
  changed_.wait_for(lock, kEndTimeout, [this] { return running_.empty(); });
}

bool Attempts::hold_for_fork(Span timeout) noexcept {
  std::unique_lock lock(mutex_);
  is_held_ = true;
  return changed_.wait_for(lock, std::chrono::nanoseconds(timeout.ns()), [this] {
    return std::none_of(running_.begin(), running_.end(), [](const Attempt* attempt) {
      return attempt->stage_ == Attempt::Stage::inside && !attempt->is_given_up_;
    });
  });
}

void Attempts::release_after_fork() noexcept {
  const std::lock_guard lock(mutex_);
  is_held_ = false;
  changed_.notify_all();
}

std::string place_of(const PGconn* conn) {
  const char* const host = PQhost(conn);
  return host == nullptr || *host == '\0' ? "" : std::string("\"") + host + "\", port " + PQport(conn);
}

Status server_is_late(const std::string& place) {
  Status status = Status::error(
      Code::timeout, "the server" + (place.empty() ? "" : " at " + place) + " did not respond within connect_timeout",
      "", "Check that the server is running and reachable from this host.");
  status.text().sqlstate = "08001";
  return status;
}

class Attempt::Inside {
 public:
  explicit Inside(Attempt& attempt) : attempt_(attempt) {
    std::unique_lock lock(attempt_.all_->mutex_);
    attempt_.all_->changed_.wait(lock, [&] { return !attempt_.all_->is_held_; });
    attempt_.stage_ = Stage::inside;
    attempt_.socket_ = -1;
  }
  ~Inside() {
    const std::lock_guard lock(attempt_.all_->mutex_);
    attempt_.stage_ = Stage::talking;
    attempt_.socket_ = PQsocket(attempt_.conn_.get());
    attempt_.all_->changed_.notify_all();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Attempt& attempt_;
};

Attempt::Attempt(Task task, std::shared_ptr<Attempts> all)
    : task_(std::move(task)), all_(std::move(all)), wake_("cannot make a descriptor for a connect") {}

std::shared_ptr<Attempt> Attempt::start(Task task, std::shared_ptr<Attempts> all) {
  const std::shared_ptr<Attempt> attempt(new Attempt(std::move(task), std::move(all)));
  Attempts& others = *attempt->all_;
  const std::lock_guard lock(others.mutex_);
  others.running_.push_back(attempt.get());
  try {
    const BlockedSignals blocked;
    // It keeps what it uses alive: it may outlive the pool, if a call does not return.
    std::thread([attempt] { attempt->run(); }).detach();
  } catch (const std::system_error& problem) {
    others.running_.pop_back();
    throw Shortage(shortage_status("could not start a thread for a connection attempt", problem.code().value()));
  } catch (...) {
    others.running_.pop_back();
    throw;
  }
  return attempt;
}

void Attempt::run() noexcept {
  pthread_setname_np(pthread_self(), "tidepool-open");
  try {
    connect();
  } catch (const std::bad_alloc&) {
    failure_.status = Status::out_of_memory();
  }
  if (is_given_up_ || !failure_.status) {
    cancel_->sender.forget(conn_.get());
    socket_ = -1;
    conn_.reset();
  }
  const std::lock_guard lock(all_->mutex_);
  all_->running_.remove(this);
  is_finished_.store(true, std::memory_order_release);
  all_->changed_.notify_all();
  all_->bell_.ring();
}

void Attempt::connect() {
  std::string password;
  if (task_.credentials && !ask_for_password(password)) return;
  begin(task_.credentials ? &password : nullptr);
  if (conn_ == nullptr) throw std::bad_alloc();
  PQsetErrorVerbosity(conn_.get(), PQERRORS_VERBOSE);  // the only way to get the SQLSTATE of connection errors
  if (PQstatus(conn_.get()) == CONNECTION_BAD) return fail();
  cancel_->sender.watch(conn_.get());
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
    if (!wait_for_socket(next)) return;
    {
      const Inside inside(*this);
      next = PQconnectPoll(conn_.get());
    }
    note_place();
    if (next == PGRES_POLLING_FAILED) return fail();
  }
  const Inside inside(*this);
  cancel_->sender.learn(conn_.get());
}

bool Attempt::ask_for_password(std::string& password) {
  std::unique_lock lock(all_->mutex_);
  stage_ = Stage::asking;
  all_->changed_.wait(lock, [this] { return !all_->is_asking_ || is_given_up_; });
  if (is_given_up_) return false;
  all_->is_asking_ = true;
  lock.unlock();
  try {
    failure_.status = task_.credentials(password);
  } catch (const std::bad_alloc&) {
    failure_.status = Status::out_of_memory();
  }
  if (!failure_.status && failure_.status.sqlstate().empty()) failure_.status.text().sqlstate = "08001";
  lock.lock();
  all_->is_asking_ = false;
  all_->changed_.notify_all();
  return failure_.status.is_ok() && !is_given_up_;
}

// The first part of connecting: reading files, and the lookup of the first name.
void Attempt::begin(const std::string* password) {
  {
    const Inside inside(*this);
    const auto words = task_.words.words(task_.policy, task_.application, task_.first_host, password, task_.sent);
    target_options_ = task_.words.target_options();
    hosts_ = hosts_of(words);
    {
      const std::lock_guard lock(all_->mutex_);
      names_ = names_of(hosts_, 0);
    }
    for (const auto& [key, value] : words) {
      if (key == "load_balance_hosts" && value != "disable") is_in_order_ = false;
    }
    conn_.reset(start_connecting(words));
  }
  note_place();
}

// The current server, and the names that may be looked up when libpq tries the next one.
void Attempt::note_place() {
  const char* const at = PQhost(conn_.get());
  const std::string host = at == nullptr ? "" : at;
  const auto found = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& other) { return other.name == host; });
  const bool is_known = is_in_order_ && found != hosts_.end();
  const std::lock_guard lock(all_->mutex_);
  where_ = place_of(conn_.get());
  names_ = names_of(hosts_, is_known ? static_cast<size_t>(found - hosts_.begin()) + 1 : 0);
}

// False: the attempt was abandoned.
bool Attempt::wait_for_socket(PostgresPollingStatusType wanted) {
  const short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
  pollfd fds[] = {{PQsocket(conn_.get()), events, 0}, {wake_.fd(), POLLIN, 0}};
  while (!is_given_up_ && poll(fds, 2, -1) < 0 && errno == EINTR) continue;
  return !is_given_up_;
}

void Attempt::fail() { failure_ = connect_failure(conn_.get()); }

std::string Attempt::obstacle() const {
  if (stage_ == Stage::asking) return "the credential callback";
  return names_.empty() ? "libpq" : "the name lookup of " + names_;
}

Status Attempt::lateness() const {
  const std::lock_guard lock(all_->mutex_);
  constexpr const char* kLate = " within connect_timeout";
  if (stage_ == Stage::talking) return server_is_late(where_);
  Status status;
  if (stage_ == Stage::asking) {
    status = Status::error(Code::timeout, obstacle() + " did not return" + kLate, "",
                           "Prepare the password before it is requested, or raise connect_timeout.");
  } else if (!names_.empty()) {
    status = Status::error(Code::timeout, obstacle() + " did not complete" + kLate, "",
                           "Check whether the name server responds, or use hostaddr in the connection string.");
  } else {
    status = Status::error(
        Code::timeout,
        obstacle() + (where_.empty() ? "" : ", connecting to " + where_ + ",") + " was blocked until connect_timeout",
        "It reads files (service, password, certificate, key) and may contact a Kerberos server.",
        "Check the file system of these files, and whether the Kerberos server is reachable.");
  }
  status.text().sqlstate = "08001";
  return status;
}

void Attempt::give_up() noexcept {
  const std::lock_guard lock(all_->mutex_);
  is_given_up_ = true;
  all_->changed_.notify_all();
  wake_.ring();
}

void Attempt::abandon() noexcept {
  is_given_up_ = true;
  if (const int socket = socket_; socket >= 0) ::close(socket);
  wake_.close();
}

}  // namespace tide::libpq
