#include "event_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <nodes/pg_list.h>
#include <portability/instr_time.h>
#include <utils/pidfile.h>

#define EVENTS_A_TURN 64
#define LOCK_FILE "postmaster.pid"
#define LOOK_MS 1000 /* interval of reading the lock file */

static int turn_epoll = -1;
static List* to_free = NIL;

double now_ms(void) {
  instr_time now;
  INSTR_TIME_SET_CURRENT(now);
  return INSTR_TIME_GET_MILLISEC(now);
}

int event_loop_begin(void) {
  turn_epoll = epoll_create1(EPOLL_CLOEXEC);
  return turn_epoll;
}

static bool control_watch(Watch* watch, uint32 events, int operation) {
  struct epoll_event event = {.events = events, .data = {.ptr = watch}};
  return epoll_ctl(turn_epoll, operation, watch->fd, &event) == 0;
}

bool watch_begin(Watch* watch, uint32 events) { return control_watch(watch, events, EPOLL_CTL_ADD); }
void watch_change(Watch* watch, uint32 events) { (void)control_watch(watch, events, EPOLL_CTL_MOD); }
void watch_end(Watch* watch) {
  (void)control_watch(watch, 0, EPOLL_CTL_DEL);
  watch->ready = NULL; /* an event of this iteration may still point here */
}

void free_later(void* memory) {
  MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
  to_free = lappend(to_free, memory);
  MemoryContextSwitchTo(before);
}

void event_loop_take(void) {
  struct epoll_event events[EVENTS_A_TURN];
  const int count = epoll_wait(turn_epoll, events, EVENTS_A_TURN, 0);
  for (int i = 0; i < count; ++i) {
    Watch* watch = events[i].data.ptr;
    if (watch->ready != NULL) watch->ready(watch, events[i].events);
  }
}

void event_loop_end_turn(void) {
  list_free_deep(to_free);
  to_free = NIL;
}

/* The postmaster does not notify its processes, but it writes its state into the eighth line of its lock file. */
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
