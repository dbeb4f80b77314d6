/*
 * Event loop: the events that the worker's only thread waits for, and the state of the server. Independent of the other
 * files.
 *
 * Memory that an event of this iteration may still point to is freed at the end of the iteration.
 */
#ifndef TIDEPOOL_EVENT_LOOP_H
#define TIDEPOOL_EVENT_LOOP_H

#include "common/pg_compat.h"

typedef struct Watch {
  int fd;
  void (*ready)(struct Watch* watch, uint32 events);
} Watch;

/* A descriptor that is readable while a watched one is ready; negative on failure. */
extern int event_loop_begin(void);
/* Calls the handlers of ready descriptors; never waits. */
extern void event_loop_take(void);
extern void event_loop_end_turn(void);

extern double now_ms(void);
extern bool watch_begin(Watch* watch, uint32 events);
extern void watch_change(Watch* watch, uint32 events);
extern void watch_end(Watch* watch);
/* Frees at the end of the iteration. */
extern void free_later(void* memory);

/* True during a smart shutdown: no new sessions are accepted, and the server stops with the last one. */
extern bool is_server_stopping(void);
extern int64 setting_int(const char* name, int64 otherwise);
extern bool setting_is_on(const char* name);

#endif
