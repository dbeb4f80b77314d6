// StatementCache: which statements a session keeps prepared. Prepared says the driver; this says which.
//
// A statement is prepared at its second use, because the first may be the only one. Texts that were seen once wait in a
// list of their own, so that a flood of them (literals in texts) evicts no prepared statement. Both lists forget what was
// used least recently, and are limited in number and bytes. An entry is found by its exact text without scanning it,
// otherwise by its key without comments.
//
// `Kept` is what the driver keeps for a prepared statement; it is movable, and true in a boolean context if the statement
// is prepared. Evicted ones are handed to the driver, which closes them when it can: take_evicted().
// Threads: none of its own. Failure: that of translate().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "statement/placeholders.hpp"

namespace tide {

// Of the prepared statements that a session keeps; the totals since it was opened.
struct StatementCounts {
  uint64_t hits_total = 0;       // executions of a statement that was prepared
  uint64_t misses_total = 0;     // executions that had to parse the text
  uint64_t evictions_total = 0;  // statements closed because others were used more recently
  uint32_t held = 0;             // now
  uint64_t bytes = 0;            // now, an estimate
};

template <typename Kept>
class StatementCache {
 public:
  // A longer text is not worth its memory, and takes longer to send than to parse: it is never prepared.
  static constexpr size_t kTextBytesMax = size_t{256} << 10;
  // Of each list.
  static constexpr size_t kListBytesMax = size_t{4} << 20;

  struct Entry {
    std::string key;                    // without comments, and the types of parameters that change the statement
    StatementText text;                 // of the use that made it, or of the latest before it was prepared
    std::shared_ptr<const void> notes;  // what the driver found out about the text; nullptr: nothing yet
    Kept kept = {};
    uint64_t uses = 0;   // 1 at the first use
    uint64_t bytes = 0;  // of kept; set by the driver before note_prepared()
  };

  StatementCache(Dialect dialect, size_t size_max) : dialect_(dialect), size_max_(size_max) {}
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  // The entry of a text, which is made at its first use; it is the most recently used then. The pointer is valid until
  // the next call of use(), note_prepared() for another entry, or set_size_max(). `types`: types of parameters that change
  // the statement, in any form.
  Result<Entry*> use(std::string_view sql, Placeholders style, std::span<const std::string_view> names,
                     std::string_view types) {
    if (names.empty() && types.empty() && is_latest(sql, style)) {
      ++latest_->uses;
      return static_cast<Entry*>(latest_);
    }
    const std::string origin = origin_of(style, names, types);
    Node* found = find_exact(sql, origin);
    if (found == nullptr) {
      std::string key = origin + statement_key(sql, dialect_);
      const auto known = by_key_.find(key);
      if (known == by_key_.end() || !known->second->kept) {
        Result<StatementText> text = translate(sql, dialect_, style, names);
        if (!text) return text.take_status();
        found = known == by_key_.end() ? add(std::move(key), origin) : known->second;
        set_text(*found, sql, text.take());
      } else {
        found = known->second;
      }
    }
    List& list = list_of(*found);
    list.nodes.splice(list.nodes.begin(), list.nodes, found->place);
    trim(seen_, seen_max());
    ++found->uses;
    latest_ = found;
    return static_cast<Entry*>(found);
  }
  // Whether the entry should be prepared now: at the second use, and if any are kept at all.
  bool is_worth_preparing(const Entry& entry) const {
    return !entry.kept && entry.uses >= 2 && size_max_ > 0 && entry.text.sql.size() <= kTextBytesMax;
  }
  // The driver has prepared it: it moves to the list of prepared ones, from which another may be evicted.
  void note_prepared(Entry& entry) {
    Node& node = static_cast<Node&>(entry);
    List& from = list_of(node);
    prepared_.nodes.splice(prepared_.nodes.begin(), from.nodes, node.place);
    from.bytes -= node.counted_bytes;
    node.is_prepared = true;
    node.counted_bytes = bytes_of(node);
    prepared_.bytes += node.counted_bytes;
    if (node.held_bytes == 0) ++counts_.held;
    counts_.bytes += node.counted_bytes - node.held_bytes;
    node.held_bytes = node.counted_bytes;
    trim(prepared_, std::max(size_max_, size_t{1}));
  }
  void note_execution(bool was_prepared) { ++(was_prepared ? counts_.hits_total : counts_.misses_total); }
  // The statement does not exist any more, or must not be used: nothing is evicted, the next use prepares it again.
  void drop(Entry& entry) { (void)take_kept(static_cast<Node&>(entry)); }
  // The session was reset: none exists any more.
  void drop_all() {
    for (Node& node : prepared_.nodes) (void)take_kept(node);
    evicted_.clear();
  }
  // All are suspect: they are evicted, and prepared again at their next use.
  void evict_all() {
    for (Node& node : prepared_.nodes) evict(node);
  }
  void set_size_max(size_t size_max) {
    size_max_ = size_max;
    trim(prepared_, size_max_);
    trim(seen_, seen_max());
  }
  // Statements to be closed in the session.
  bool has_evicted() const { return !evicted_.empty(); }
  std::vector<Kept> take_evicted() { return std::exchange(evicted_, {}); }
  const StatementCounts& counts() const { return counts_; }
  // The character of `sql`, which led to the entry, for a character of entry.text.sql that an error of the database names.
  int32_t position_in(const Entry& entry, std::string_view sql, int32_t position) const {
    const Node& node = static_cast<const Node&>(entry);
    return same_position(node.given(), sql, entry.text.position_in(node.given(), position), dialect_);
  }

 private:
  struct Node : Entry {
    std::string origin;
    std::string given_if_translated;  // the text as it was given, unless it equals text.sql
    typename std::list<Node>::iterator place;
    size_t hash = 0;  // of the given text and origin
    bool is_prepared = false;
    uint64_t counted_bytes = 0;  // in its list
    uint64_t held_bytes = 0;     // in the counts; 0: it is not prepared

    std::string_view given() const {
      return given_if_translated.empty() ? std::string_view(this->text.sql) : given_if_translated;
    }
  };
  struct List {
    std::list<Node> nodes;  // the most recently used first
    uint64_t bytes = 0;
  };

  // The same statement again is found without its hash, and is the most recently used one already.
  bool is_latest(std::string_view sql, Placeholders style) const {
    return latest_ != nullptr && latest_->given() == sql && latest_->origin.size() == kPlainOrigin &&
           latest_->origin[0] == letter_of(style);
  }
  static char letter_of(Placeholders style) { return static_cast<char>('0' + static_cast<int>(style)); }
  static constexpr size_t kPlainOrigin = 3;  // of a statement that depends on nothing else

  // What a statement depends on besides its text.
  static std::string origin_of(Placeholders style, std::span<const std::string_view> names, std::string_view types) {
    std::string origin(1, letter_of(style));
    if (style == Placeholders::named) {
      for (const std::string_view name : names) origin.append(1, ':').append(name);
    }
    return origin.append(1, '\0').append(types).append(1, '\0');
  }
  static size_t hash_of(std::string_view sql, std::string_view origin) {
    const std::hash<std::string_view> hash;
    return hash(sql) * 31 + hash(origin);
  }
  static uint64_t bytes_of(const Node& node) {
    return sizeof(Node) + node.key.size() + node.origin.size() + node.text.sql.size() +
           node.given_if_translated.size() + node.text.shifts.size() * sizeof(node.text.shifts[0]) + node.bytes;
  }
  size_t seen_max() const { return std::max(size_max_, size_t{1}); }
  List& list_of(const Node& node) { return node.is_prepared ? prepared_ : seen_; }

  Node* find_exact(std::string_view sql, std::string_view origin) {
    const auto [first, last] = by_text_.equal_range(hash_of(sql, origin));
    for (auto i = first; i != last; ++i) {
      if (i->second->given() == sql && i->second->origin == origin) return i->second;
    }
    return nullptr;
  }
  Node* add(std::string key, const std::string& origin) {
    seen_.nodes.emplace_front();
    Node& node = seen_.nodes.front();
    node.place = seen_.nodes.begin();
    node.key = std::move(key);
    node.origin = origin;
    by_key_.emplace(node.key, &node);
    return &node;
  }
  void set_text(Node& node, std::string_view given, StatementText text) {
    forget_text(node);
    node.text = std::move(text);
    node.given_if_translated = node.text.sql == given ? std::string() : std::string(given);
    node.hash = hash_of(given, node.origin);
    by_text_.emplace(node.hash, &node);
    List& list = list_of(node);
    list.bytes -= node.counted_bytes;
    node.counted_bytes = bytes_of(node);
    list.bytes += node.counted_bytes;
  }
  void forget_text(Node& node) {
    const auto [first, last] = by_text_.equal_range(node.hash);
    for (auto i = first; i != last; ++i) {
      if (i->second != &node) continue;
      by_text_.erase(i);
      return;
    }
  }
  void evict(Node& node) {
    if (node.kept) evicted_.push_back(take_kept(node));
  }
  Kept take_kept(Node& node) {
    if (node.held_bytes > 0) --counts_.held;
    counts_.bytes -= node.held_bytes;
    node.held_bytes = 0;
    return std::exchange(node.kept, Kept());
  }
  // The most recently used one remains, unless none may.
  void trim(List& list, size_t size_max) {
    while (list.nodes.size() > size_max || (list.bytes > kListBytesMax && list.nodes.size() > 1)) {
      Node& last = list.nodes.back();
      if (last.kept) ++counts_.evictions_total;
      evict(last);
      list.bytes -= last.counted_bytes;
      forget_text(last);
      by_key_.erase(last.key);
      if (latest_ == &last) latest_ = nullptr;
      list.nodes.pop_back();
    }
  }

  Dialect dialect_;
  size_t size_max_;
  List prepared_;  // that were prepared, and will be again
  List seen_;      // the others
  std::unordered_multimap<size_t, Node*> by_text_;
  std::unordered_map<std::string_view, Node*> by_key_;  // the key is that of the node
  Node* latest_ = nullptr;                              // the last one used
  StatementCounts counts_;
  std::vector<Kept> evicted_;
};

}  // namespace tide
