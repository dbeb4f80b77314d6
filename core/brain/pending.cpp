#include "brain/pending.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "brain/wording.hpp"

namespace tide::brain {
namespace {

std::string done_text(Verb verb, int64_t number, int64_t connections) {
  if (verb == Verb::recycle) return counted(connections, "connection") + " replaced";
  if (verb == Verb::drain) return "drained, " + counted(connections, "connection") + " closed";
  return "connection " + std::to_string(number) + " closed";
}

}  // namespace

uint64_t Pending::admit(const Command& command, int64_t connections) {
  TIDE_ASSERT(!is_full());
  for (size_t k = 0; k < entries_.size(); ++k) {
    if (entries_[k].is_used) continue;
    const bool is_of_one = command.verb() == Verb::close_connection;
    const int64_t conn_id = is_of_one ? *command.whole("conn_id") : 0;
    entries_[k] = {true, command.id, command.verb(), conn_id, connections};
    ++n_;
    return uint64_t{1} << k;
  }
  return 0;
}

void Pending::overtake_drains(const std::string& by_what, std::vector<Action>& out) {
  for (Entry& entry : entries_) {
    if (!entry.is_used || entry.verb != Verb::drain) continue;
    const Status why = Status::error(Code::refused, "the drain was not finished: " + by_what);
    out.push_back(action::FinishCommand{entry.command_id, Verdict::refused(why)});
    close(entry);
  }
}

void Pending::finish(Desk& desk) {
  if (n_ == 0) return;
  uint64_t awaited = 0;
  for (const SlotCensus& slot : desk.census().slots) awaited |= desk.dossier(slot).awaited_by;
  for (size_t k = 0; k < entries_.size(); ++k) {
    Entry& entry = entries_[k];
    if (!entry.is_used || !is_done(entry, (awaited >> k & 1) != 0, desk)) continue;
    const std::string text = done_text(entry.verb, entry.number, entry.connections);
    desk.put(action::FinishCommand{entry.command_id, Verdict::applied(text)});
    close(entry);
  }
}

bool Pending::is_done(const Entry& entry, bool is_awaited, const Desk& desk) const {
  if (entry.verb == Verb::drain) return desk.counts().total == 0;
  if (is_awaited) return false;
  if (entry.verb != Verb::recycle || desk.ledger().controls.is_draining) return true;
  return desk.counts().open() >= std::min(entry.connections, desk.ledger().target);
}

}  // namespace tide::brain
