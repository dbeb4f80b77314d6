/*
 * Lingering: leases that stay with their backends between statements, and come back when somebody else needs them.
 *
 * See common/linger.h. Backends say by a word in shared memory that they could do without; nobody has to be woken for
 * that. This looks at the words while leases are out: every millisecond while somebody waits, else now and then.
 */
#include "worker.h"

#include <storage/ipc.h>

static const double kLookMs = 1;
static const double kGlanceMs = 20;

static LingerBoard *board = NULL;
static int board_fd = -1;
static Loan *lent[LINGER_SLOTS];
static uint32 slots_used = 0; /* no slot from here on was ever given */
static uint32 loans_out = 0;

/* A backend that goes on with an idle lease of a worker that is gone would use a connection nobody knows of. */
static void recall_all(int code, Datum argument) {
  for (uint32 i = 0; i < slots_used; ++i) {
    if (lent[i] != NULL) (void)linger_move(&board->slots[i], lent[i]->id, LINGER_IDLE, LINGER_RECALLED);
  }
}

bool linger_begin(void) {
  board = linger_board_make(&board_fd);
  if (board == NULL) return false;
  on_proc_exit(recall_all, 0);
  return true;
}

int linger_fd(void) { return board_fd; }

void linger_lend(Loan *loan) {
  loan->slot = LINGER_NO_SLOT;
  for (uint32 i = 0; i < LINGER_SLOTS; ++i) {
    if (lent[i] != NULL) continue;
    lent[i] = loan;
    slots_used = Max(slots_used, i + 1);
    loan->slot = i;
    loan->lent_ns = linger_now_ns();
    atomic_store(&board->slots[i].is_wanted, 0);
    atomic_store(&board->slots[i].word, linger_word(loan->id, LINGER_IN_USE));
    ++loans_out;
    return;
  }
}

void linger_end(Loan *loan) {
  if (loan->slot == LINGER_NO_SLOT) return;
  atomic_store(&board->slots[loan->slot].word, 0);
  lent[loan->slot] = NULL;
  loan->slot = LINGER_NO_SLOT;
  --loans_out;
}

bool linger_recall(Loan *loan) {
  return loan->slot != LINGER_NO_SLOT &&
         linger_move(&board->slots[loan->slot], loan->id, LINGER_IDLE, LINGER_RECALLED);
}

static bool is_due(const Loan *loan, const LingerSlot *slot, bool is_wanted, int64 now) {
  if (is_wanted && now - loan->lent_ns >= LINGER_SLICE_NS) return true;
  return now - atomic_load(&slot->idle_since_ns) >= LINGER_IDLE_NS || now - loan->lent_ns >= LINGER_AGE_NS;
}

double linger_step(void) {
  bool is_any_wanted = false;
  const int64 now = loans_out == 0 ? 0 : linger_now_ns();
  for (uint32 i = 0; i < slots_used && loans_out > 0; ++i) {
    Loan *loan = lent[i];
    LingerSlot *slot = &board->slots[i];
    bool is_wanted;
    if (loan == NULL) continue;
    is_wanted = loan->basin->is_retired || tide_lease_is_wanted(loan->lease) != 0;
    is_any_wanted = is_any_wanted || is_wanted;
    if (atomic_load_explicit(&slot->is_wanted, memory_order_relaxed) != is_wanted)
      atomic_store(&slot->is_wanted, is_wanted);
    if (atomic_load(&slot->word) == linger_word(loan->id, LINGER_IDLE) && is_due(loan, slot, is_wanted, now) &&
        linger_recall(loan))
      loan_return(loan, WIRE_CLEAN);
  }
  if (loans_out == 0) return 60000;
  return is_any_wanted ? kLookMs : kGlanceMs;
}
