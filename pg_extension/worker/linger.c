/*
 * Lingering: leases that stay with their backends between statements, and are recalled when others need them.
 *
 * See common/linger.h. A backend marks its lease as idle in a word in shared memory, without waking any process. While
 * leases are out, this file polls the words: every millisecond while a caller waits, otherwise less often.
 */
#include "worker.h"

#include <storage/ipc.h>

static const double kLookMs = 1;
static const double kGlanceMs = 20;

static LingerBoard* board = NULL;
static int board_fd = -1;
static ClientLease* by_slot[LINGER_SLOTS];
static uint32 slots_used = 0; /* slots from here on were never assigned */
static uint32 leases_out = 0;

/* Otherwise a backend could resume an idle lease after the worker has exited, on a connection that no pool counts. */
static void recall_all(int code, Datum argument) {
  for (uint32 i = 0; i < slots_used; ++i) {
    if (by_slot[i] != NULL) (void)linger_move(&board->slots[i], by_slot[i]->id, LINGER_IDLE, LINGER_RECALLED);
  }
}

bool linger_begin(void) {
  board = linger_board_make(&board_fd);
  if (board == NULL) return false;
  on_proc_exit(recall_all, 0);
  return true;
}

int linger_fd(void) { return board_fd; }

void linger_lend(ClientLease* lent) {
  lent->slot = LINGER_NO_SLOT;
  for (uint32 i = 0; i < LINGER_SLOTS; ++i) {
    if (by_slot[i] != NULL) continue;
    by_slot[i] = lent;
    slots_used = Max(slots_used, i + 1);
    lent->slot = i;
    lent->lent_ns = linger_now_ns();
    atomic_store(&board->slots[i].is_wanted, 0);
    atomic_store(&board->slots[i].word, linger_word(lent->id, LINGER_IN_USE));
    ++leases_out;
    return;
  }
}

void linger_end(ClientLease* lent) {
  if (lent->slot == LINGER_NO_SLOT) return;
  atomic_store(&board->slots[lent->slot].word, 0);
  by_slot[lent->slot] = NULL;
  lent->slot = LINGER_NO_SLOT;
  --leases_out;
}

bool linger_recall(ClientLease* lent) {
  return lent->slot != LINGER_NO_SLOT && linger_move(&board->slots[lent->slot], lent->id, LINGER_IDLE, LINGER_RECALLED);
}

static bool is_due(const ClientLease* lent, const LingerSlot* slot, bool is_wanted, int64 now) {
  if (is_wanted && now - lent->lent_ns >= LINGER_SLICE_NS) return true;
  return now - atomic_load(&slot->idle_since_ns) >= LINGER_IDLE_NS || now - lent->lent_ns >= LINGER_AGE_NS;
}

ClientLease* linger_step(double* look_ms) {
  static uint32 next = 0; /* slot in this round */
  static bool is_any_wanted = false;
  const int64 now = leases_out == 0 ? 0 : linger_now_ns();
  while (next < slots_used && leases_out > 0) {
    ClientLease* lent = by_slot[next];
    LingerSlot* slot = &board->slots[next++];
    bool is_wanted;
    if (lent == NULL) continue;
    is_wanted = lent->hosted->is_retired || tide_lease_is_wanted(lent->lease) != 0;
    is_any_wanted = is_any_wanted || is_wanted;
    if (atomic_load_explicit(&slot->is_wanted, memory_order_relaxed) != is_wanted)
      atomic_store(&slot->is_wanted, is_wanted);
    if (atomic_load(&slot->word) == linger_word(lent->id, LINGER_IDLE) && is_due(lent, slot, is_wanted, now) &&
        linger_recall(lent))
      return lent;
  }
  *look_ms = leases_out == 0 ? 60000 : is_any_wanted ? kLookMs : kGlanceMs;
  next = 0;
  is_any_wanted = false;
  return NULL;
}
