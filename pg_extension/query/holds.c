/*
 * Holds: the leases of this session. One is taken for a single statement, or kept by tidepool.lease() until release or
 * the end of the transaction.
 *
 * A connection is returned as clean only if its session is provably idle: no open transaction, no partially read
 * result, and no state that a reset cannot undo. Otherwise the running statement is interrupted and the connection is
 * closed.
 */
#include "query.h"

#include <access/xact.h>
#include <miscadmin.h>
#include <sys/socket.h>

static dlist_head holds = DLIST_STATIC_INIT(holds);
static dlist_head lingering = DLIST_STATIC_INIT(lingering); /* not in use, kept for the next statement */
static bool is_registered = false;

static WireState state_of(const Hold* hold) {
  switch (PQtransactionStatus(hold->shell->conn)) {
    case PQTRANS_IDLE: return hold->is_lost || hold->traces == TRACES_LASTING ? WIRE_SPOILED : WIRE_CLEAN;
    case PQTRANS_ACTIVE: return WIRE_RUNNING;
    default: return WIRE_SPOILED;
  }
}

/* Returns lease and shell; the hold remains in the list. Never raises an error. */
static void let_go(Hold* hold) {
  Shell* shell = hold->shell;
  WireState state;
  if (shell == NULL) return;
  if (hold->is_watched) line_unwatch(PQsocket(shell->conn));
  hold->is_watched = false;
  PQclear(hold->result);
  hold->result = NULL;
  state = state_of(hold);
  /* The shell first: it must be off the connection before another session gets it. */
  hold->shell = NULL;
  {
    const bool is_fit = state == WIRE_CLEAN;
    if (!shell_give_back(shell, is_fit) && is_fit) state = WIRE_SPOILED;
  }
  line_release(hold->line, hold->lease, state);
}

static void end(Hold* hold) {
  let_go(hold);
  dlist_delete(&hold->node);
  pfree(hold);
}

/* Keeps the lease with this session for its next statement, unless others wait for it and its time slice is over. */
static bool linger(Hold* hold) {
  const int64 now = linger_now_ns();
  const int64 age = now - hold->lent_ns;
  if (hold->slot == NULL || hold->has_own_tag || hold->traces != TRACES_NONE || hold->shell == NULL ||
      hold->line != line_number() || state_of(hold) != WIRE_CLEAN)
    return false;
  if (age >= LINGER_AGE_NS || (age >= LINGER_SLICE_NS && atomic_load(&hold->slot->is_wanted) != 0)) return false;
  if (hold->is_watched) line_unwatch(PQsocket(hold->shell->conn));
  hold->is_watched = false;
  hold->is_kept = false;
  atomic_store(&hold->slot->idle_since_ns, now);
  if (!linger_move(hold->slot, hold->lease, LINGER_IN_USE, LINGER_IDLE)) return false;
  dlist_delete(&hold->node);
  dlist_push_head(&lingering, &hold->node);
  return true;
}

void hold_end(Hold* hold) {
  if (!linger(hold)) end(hold);
}

/* An idle session receives data only if the connection has failed. */
static bool is_quiet(const Hold* hold) {
  char byte;
  return recv(PQsocket(hold->shell->conn), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EINTR);
}

/* Resumes a lingering lease for this target; NULL if there is none, or if it was recalled meanwhile. If a new lease is
 * required (it has its own tag), the lingering one is returned to the pool. */
static Hold* resume(const Target* target, bool is_new_lease) {
  dlist_mutable_iter i;
  dlist_foreach_modify(i, &lingering) {
    Hold* hold = dlist_container(Hold, node, i.cur);
    const bool is_wanted = hold->server == target->server && hold->mapping == target->mapping;
    const bool is_fit = hold->made_at == target->made_at && hold->user == target->key.user;
    const bool is_void = hold->line != line_number();
    if (!is_wanted && !is_void) continue;
    if (!is_void && linger_move(hold->slot, hold->lease, LINGER_IDLE, LINGER_IN_USE)) {
      const bool is_alive = is_quiet(hold);
      if (is_alive && is_fit && !is_new_lease) return hold;
      hold->is_lost = !is_alive;
      end(hold);
      continue;
    }
    /* The worker owns the connection again; only the shell has to be detached from the descriptor. */
    (void)shell_give_back(hold->shell, !is_void);
    dlist_delete(&hold->node);
    pfree(hold);
  }
  return NULL;
}

void hold_lose(Hold* hold) {
  hold->is_lost = true;
  if (hold->is_kept) {
    let_go(hold); /* stays in the list as lost, so that later statements fail instead of running outside it */
  } else {
    hold_end(hold);
  }
}

static void on_transaction(XactEvent event, void* context) {
  switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_PARALLEL_ABORT:
      while (!dlist_is_empty(&holds)) hold_end(dlist_container(Hold, node, dlist_head_node(&holds)));
      break;
    default: break;
  }
}

static void on_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void* context) {
  dlist_mutable_iter i;
  dlist_foreach_modify(i, &holds) {
    Hold* hold = dlist_container(Hold, node, i.cur);
    if (hold->owner != mine) continue;
    if (event == SUBXACT_EVENT_ABORT_SUB) hold_end(hold);
    if (event == SUBXACT_EVENT_COMMIT_SUB) hold->owner = parent;
  }
}

static void watch_transactions(void) {
  if (is_registered) return;
  RegisterXactCallback(on_transaction, NULL);
  RegisterSubXactCallback(on_subtransaction, NULL);
  is_registered = true;
}

/* The kept lease for this server and mapping. */
Hold* hold_find(const Target* target) {
  dlist_iter i;
  dlist_foreach(i, &holds) {
    Hold* hold = dlist_container(Hold, node, i.cur);
    if (hold->is_kept && hold->server == target->server && hold->mapping == target->mapping) return hold;
  }
  return NULL;
}

Hold* hold_begin(const Target* target, const char* tag, bool is_kept) {
  const bool may_lack_password = target->may_lack_password;
  const bool has_own_tag = strcmp(tag, target->tag) != 0;
  Hold* hold;
  Lent lent;
  watch_transactions();
  hold = resume(target, has_own_tag);
  if (hold != NULL) {
    dlist_delete(&hold->node);
    dlist_push_head(&holds, &hold->node);
    hold->is_kept = is_kept;
    hold->owner = GetCurrentSubTransactionId();
    return hold;
  }
  hold = MemoryContextAllocZero(TopMemoryContext, sizeof *hold);
  hold->server = target->server;
  hold->mapping = target->mapping;
  strlcpy(hold->name, target->key.server, sizeof hold->name);
  hold->is_kept = is_kept;
  hold->owner = GetCurrentSubTransactionId();
  PG_TRY();
  { line_lease(target, tag, &lent); }
  PG_CATCH();
  {
    pfree(hold);
    PG_RE_THROW();
  }
  PG_END_TRY();
  hold->line = line_number();
  hold->lease = lent.lease;
  hold->used_password = lent.used_password;
  hold->slot = lent.slot;
  hold->has_own_tag = has_own_tag;
  hold->made_at = target->made_at;
  hold->user = target->key.user;
  hold->traces = target->is_always_reset ? TRACES_RESETTABLE : TRACES_NONE;
  hold->lent_ns = linger_now_ns();
  hold->shell = shell_take(&lent);
  if (hold->shell == NULL) {
    line_release(hold->line, hold->lease, WIRE_SPOILED);
    pfree(hold);
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                    errmsg("libpq could not take over a connection of server \"%s\"", target->key.server),
                    errdetail("The process is probably out of file descriptors.")));
  }
  dlist_push_head(&holds, &hold->node);
  if (superuser() || may_lack_password || hold->used_password) return hold;
  hold->is_lost = true;
  end(hold);
  target_check_password(false, false);
  pg_unreachable();
}
