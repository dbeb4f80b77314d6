// Inspector: sees every statement at the moment SQLite compiles it, also those the holder compiles on native().
//
// It is SQLite's authorizer, the one place where a statement's meaning is told by the parser itself instead of being
// guessed from its text. It permits everything until the session is disarmed, then nothing.
//
// P1  alteration() tells of any statement that can outlive the transaction: PRAGMA x=y, ATTACH, DETACH, a temporary
//     object. Nothing else a statement does survives a rollback.
// P2  It is `lasting` for a setting the policy does not know: there is no value to go back to, only a new session.
// Threads: called inside SQLite under the connection's mutex; the flags that others read are atomic.
// Failure: a holder may replace the authorizer through native(); is_installed() finds out.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tide::sqlite {

// What the holder did to the session itself, as opposed to the data.
enum class Alteration : uint8_t { none, restorable, lasting };

// What the statement compiled last does.
struct Intent {
  bool is_change = false;      // INSERT, UPDATE, DELETE
  bool is_definition = false;  // CREATE, DROP, ALTER, REINDEX, ANALYZE
  bool is_pragma = false;
  bool is_pragma_question = false;  // PRAGMA without a value that changes nothing
  bool is_busy_timeout = false;
  bool is_attach = false;
  bool is_rollback = false;  // of the whole transaction
};

class Inspector {
 public:
  void install(sqlite3* database) noexcept;
  static void remove(sqlite3* database) noexcept;
  // False when somebody put another authorizer in our place.
  bool is_installed(sqlite3* database) noexcept;

  void begin() noexcept { intent_ = {}; }
  const Intent& intent() const noexcept { return intent_; }

  Alteration alteration() const noexcept { return alteration_.load(std::memory_order_relaxed); }
  void forget_alteration() noexcept { alteration_.store(Alteration::none, std::memory_order_relaxed); }
  // A holder's PRAGMA journal_mode=x was compiled, and may have run or run yet.
  bool has_journal_change() const noexcept { return has_journal_change_.load(std::memory_order_relaxed); }
  void forget_journal_change() noexcept { has_journal_change_.store(false, std::memory_order_relaxed); }
  // The driver's own statements say nothing about the holder and pass also after refuse_all().
  bool set_own(bool is_own) noexcept { return std::exchange(is_own_, is_own); }
  void refuse_all() noexcept { is_refusing_.store(true); }

 private:
  void alter(Alteration how) noexcept;
  static int on_authorize(void* self, int action, const char* first, const char* second, const char* schema,
                          const char* trigger) noexcept;
  void see_pragma(std::string_view name, bool has_value, std::string_view schema) noexcept;
  void see(int action, const char* first, const char* second, const char* schema) noexcept;

  Intent intent_;
  uint64_t seen_total_ = 0;
  bool is_own_ = false;
  std::atomic<Alteration> alteration_{Alteration::none};
  std::atomic<bool> has_journal_change_{false};
  std::atomic<bool> is_refusing_{false};
};

// For the time of the driver's own statements.
class OwnStatements {
 public:
  explicit OwnStatements(Inspector& inspector) : inspector_(inspector), was_own_(inspector.set_own(true)) {}
  ~OwnStatements() { inspector_.set_own(was_own_); }
  OwnStatements(const OwnStatements&) = delete;
  OwnStatements& operator=(const OwnStatements&) = delete;

 private:
  Inspector& inspector_;
  const bool was_own_;
};

}  // namespace tide::sqlite
