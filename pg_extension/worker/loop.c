/*
 * The worker process: signals, settings, and the one loop that everything runs in.
 *
 * It is connected to no database, so it shows in pg_stat_activity, takes part in barriers and keeps nobody from
 * dropping one. It ends with exit code 1, so that the server starts it again, and never before its remote sessions
 * are ended, for which it takes at most kGoodbyeMs.
 */
#include "worker.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <miscadmin.h>
#include <pgstat.h>
#include <portability/instr_time.h>
#include <postmaster/bgworker.h>
#include <postmaster/interrupt.h>
#include <storage/ipc.h>
#include <utils/pidfile.h>

TIDEPOOL_MODULE_MAGIC("tidepool_worker");

PGDLLEXPORT void tidepool_worker_main(Datum argument);

#define EVENTS_A_TURN 64
#define LOCK_FILE "postmaster.pid"
#define LOOK_MS 1000 /* at the lock file */
static const double kGoodbyeMs = 3000;

static volatile sig_atomic_t is_asked_to_end = false;
static int turn_epoll = -1;
static MemoryContext turn_context;
static List* to_free = NIL;

static void on_sigterm(SIGNAL_ARGS) {
  const int save_errno = errno;
  is_asked_to_end = true;
  SetLatch(MyLatch);
  errno = save_errno;
}

double now_ms(void) {
  instr_time now;
  INSTR_TIME_SET_CURRENT(now);
  return INSTR_TIME_GET_MILLISEC(now);
}

static bool control_watch(Watch* watch, uint32 events, int operation) {
  struct epoll_event event = {.events = events, .data = {.ptr = watch}};
  return epoll_ctl(turn_epoll, operation, watch->fd, &event) == 0;
}

bool watch_begin(Watch* watch, uint32 events) { return control_watch(watch, events, EPOLL_CTL_ADD); }
void watch_change(Watch* watch, uint32 events) { (void)control_watch(watch, events, EPOLL_CTL_MOD); }
void watch_end(Watch* watch) {
  (void)control_watch(watch, 0, EPOLL_CTL_DEL);
  watch->ready = NULL; /* an event of this turn may still point here */
}

void free_later(void* memory) {
  MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
  to_free = lappend(to_free, memory);
  MemoryContextSwitchTo(before);
}

/* The postmaster tells nobody. It writes its state into the eighth line of its lock file. */
bool is_server_stopping(void) {
  static double looked_ms = 0;
  static bool is_stopping = false;
  char text[1024];
  const char* line = text;
  ssize_t bytes;
  int fd;
  if (is_stopping || now_ms() < looked_ms + LOOK_MS) return is_stopping;
  looked_ms = now_ms();
  fd = open(LOCK_FILE, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bytes = read(fd, text, sizeof text - 1);
  close(fd);
  text[Max(bytes, 0)] = '\0';
  for (int n = 1; n < LOCK_FILE_LINE_PM_STATUS && line != NULL; ++n) {
    line = strchr(line, '\n');
    if (line != NULL) ++line;
  }
  is_stopping = line != NULL && strncmp(line, PM_STATUS_STOPPING, strlen(PM_STATUS_STOPPING)) == 0;
  return is_stopping;
}

int64 setting_int(const char* name, int64 otherwise) {
  const char* text = GetConfigOption(name, true, false);
  return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

bool setting_is_on(const char* name) {
  const char* text = GetConfigOption(name, true, false);
  return text == NULL || strcmp(text, "on") == 0;
}

static void take_events(void) {
  struct epoll_event events[EVENTS_A_TURN];
  const int count = epoll_wait(turn_epoll, events, EVENTS_A_TURN, 0);
  for (int i = 0; i < count; ++i) {
    Watch* watch = events[i].data.ptr;
    if (watch->ready != NULL) watch->ready(watch, events[i].events);
  }
}

/* All that is due now. Returns how long to sleep. */
static double turn(void) {
  double sleep_ms;
  double glance_ms;
  take_events();
  glance_ms = linger_step();
  sleep_ms = pools_step();
  /* An answer that cannot be delivered gives its connection back, which may serve the next. */
  while (requests_answer()) sleep_ms = pools_step();
  list_free_deep(to_free);
  to_free = NIL;
  return Min(sleep_ms, glance_ms);
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

  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, on_sigterm);
  pqsignal(SIGINT, PG_SIG_IGN);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(NULL, NULL, 0);
  pgstat_report_appname("tidepool");
  pgstat_report_activity(STATE_IDLE, NULL);

  turn_context = AllocSetContextCreate(TopMemoryContext, "tidepool turn", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(turn_context);
  turn_epoll = epoll_create1(EPOLL_CLOEXEC);
  if (turn_epoll < 0 || !linger_begin() || !clients_open_door()) {
    ereport(LOG, (errmsg("tidepool worker cannot listen on \"%s\": %m", WIRE_SOCKET)));
    proc_exit(1);
  }
  set = tidepool_create_wait_event_set(3);
  AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
  AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
  AddWaitEventToSet(set, WL_SOCKET_READABLE, turn_epoll, NULL, NULL);
  ereport(DEBUG1, (errmsg_internal("tidepool worker is ready")));

  while (!is_asked_to_end) {
    wait_for_something(set, sleep_ms);
    sleep_ms = turn();
  }
  say_goodbye(set);
  proc_exit(1);
}
