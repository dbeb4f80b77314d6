// Inspector: is called for every statement when SQLite compiles it, also on native().
//
// It is the authorizer of SQLite, which gets the meaning of a statement from the parser, so that it need not be derived from
// the text. It permits everything until the session is disarmed, and nothing afterwards.
//
// P1  alteration() reports statements whose effect outlives the transaction: PRAGMA x=y, ATTACH, DETACH, temporary
//     objects. Other effects do not survive a rollback.
// P2  It is `lasting` for a setting that is not in the policy: its value cannot be restored, only the session replaced.
// Threads: called inside SQLite under the mutex of the connection; flags read by other threads are atomic.
// Failure: a holder may replace the authorizer through native(); is_installed() detects that.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tide::sqlite {

// Changes of the session, as opposed to the data.
enum class Alteration : uint8_t { none, restorable, lasting };

// The effect of the last compiled statement.
struct Intent {
  bool is_change = false;      // INSERT, UPDATE, DELETE
  bool is_insert = false;      // INSERT, REPLACE; not by a trigger
  bool is_definition = false;  // CREATE, DROP, ALTER, REINDEX, ANALYZE
  bool is_pragma = false;
  bool is_pragma_question = false;  // PRAGMA without a value, without an effect
  bool is_busy_timeout = false;
  bool is_attach = false;
  bool is_transaction = false;  // BEGIN, COMMIT, ROLLBACK, and savepoints
  bool is_rollback = false;     // of the whole transaction
};

class Inspector {
 public:
  void install(sqlite3* database) noexcept;
  static void remove(sqlite3* database) noexcept;
  // False if another authorizer was installed.
  bool is_installed(sqlite3* database) noexcept;

  void begin() noexcept { intent_ = {}; }
  const Intent& intent() const noexcept { return intent_; }
  // How many actions it was called for; unchanged if nothing was compiled in between.
  uint64_t seen_total() const noexcept { return seen_total_; }

  Alteration alteration() const noexcept { return alteration_.load(std::memory_order_relaxed); }
  void forget_alteration() noexcept { alteration_.store(Alteration::none, std::memory_order_relaxed); }
  // A PRAGMA journal_mode=x of the holder was compiled, and may be executed.
  bool has_journal_change() const noexcept { return has_journal_change_.load(std::memory_order_relaxed); }
  void forget_journal_change() noexcept { has_journal_change_.store(false, std::memory_order_relaxed); }
  // Statements of the driver do not count as changes of the holder, and are permitted after refuse_all().
  bool set_own(bool is_own) noexcept { return std::exchange(is_own_, is_own); }
  void refuse_all() noexcept { is_refusing_.store(true); }

 private:
  void alter(Alteration how) noexcept;
  static int on_authorize(void* self, int action, const char* first, const char* second, const char* schema,
                          const char* trigger) noexcept;
  void see_pragma(std::string_view name, bool has_value, std::string_view schema) noexcept;
  void see(int action, const char* first, const char* second, const char* schema, bool is_trigger) noexcept;

  Intent intent_;
  uint64_t seen_total_ = 0;
  bool is_own_ = false;
  std::atomic<Alteration> alteration_{Alteration::none};
  std::atomic<bool> has_journal_change_{false};
  std::atomic<bool> is_refusing_{false};
};

// Marks statements of the driver.
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
