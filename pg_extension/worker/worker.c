/*
 * The worker process: signals, settings, and the main loop.
 *
 * It is connected to no database: it is visible in pg_stat_activity and takes part in barriers, but does not block DROP
 * DATABASE. It exits with code 1, so that the server restarts it, and only after its remote sessions have ended, which
 * takes at most kGoodbyeMs.
 */
#include "worker.h"

#include <miscadmin.h>
#include <pgstat.h>
#include <postmaster/bgworker.h>
#include <postmaster/interrupt.h>
#include <storage/ipc.h>

TIDEPOOL_MODULE_MAGIC("tidepool_worker");

PGDLLEXPORT void tidepool_worker_main(Datum argument);

static const double kGoodbyeMs = 3000;

static volatile sig_atomic_t is_asked_to_end = false;
static MemoryContext turn_context;

static void on_sigterm(SIGNAL_ARGS) {
  const int save_errno = errno;
  is_asked_to_end = true;
  SetLatch(MyLatch);
  errno = save_errno;
}

/* Does all that is due now. Returns how long to sleep. */
static double turn(void) {
  double sleep_ms;
  double look_ms;
  ClientLease* lent;
  event_loop_take();
  while ((lent = linger_step(&look_ms)) != NULL) lease_return(lent, WIRE_CLEAN);
  sleep_ms = pools_step();
  /* The connection of an answer that cannot be delivered is returned, and may serve the next request. */
  while (requests_answer()) {
    clients_sweep();
    sleep_ms = pools_step();
  }
  sleep_ms = Min(sleep_ms, alerts_step());
  event_loop_end_turn();
  return Min(sleep_ms, look_ms);
}

static void wait_for_something(WaitEventSet* set, double sleep_ms) {
  WaitEvent event;
  (void)WaitEventSetWait(set, (long)Max(sleep_ms, 0), &event, 1, PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
  MemoryContextReset(turn_context);
}

static void say_goodbye(WaitEventSet* set) {
  const double until = now_ms() + kGoodbyeMs;
  pgstat_report_activity(STATE_RUNNING, "closing pools");
  clients_close_door();
  clients_leave();
  pools_retire_all();
  for (;;) {
    double sleep_ms = turn();
    if (pools_count() == 0 || now_ms() >= until) break;
    wait_for_something(set, Min(sleep_ms, 50));
  }
}

void tidepool_worker_main(Datum argument) {
  WaitEventSet* set;
  double sleep_ms = 0;
  int events;

  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, on_sigterm);
  pqsignal(SIGINT, PG_SIG_IGN);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(NULL, NULL, 0);
  pgstat_report_appname("tidepool");
  pgstat_report_activity(STATE_IDLE, NULL);

  turn_context = AllocSetContextCreate(TopMemoryContext, "tidepool turn", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(turn_context);
  events = event_loop_begin();
  if (events < 0 || !linger_begin() || !clients_open_door()) {
    ereport(LOG, (errmsg("tidepool worker cannot listen on \"%s\": %m", WIRE_SOCKET)));
    proc_exit(1);
  }
  set = tidepool_create_wait_event_set(3);
  AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
  AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
  AddWaitEventToSet(set, WL_SOCKET_READABLE, events, NULL, NULL);
  ereport(DEBUG1, (errmsg_internal("tidepool worker is ready")));

  while (!is_asked_to_end) {
    wait_for_something(set, sleep_ms);
    sleep_ms = turn();
  }
  say_goodbye(set);
  proc_exit(1);
}
