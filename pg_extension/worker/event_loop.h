/*
 * Event loop: what the worker's one thread waits for, and what it sees of its server. Knows nothing of what the others do.
 *
 * What an event of this turn may still point to is freed at the turn's end.
 */
#ifndef TIDEPOOL_EVENT_LOOP_H
#define TIDEPOOL_EVENT_LOOP_H

#include "common/pg_compat.h"

typedef struct Watch {
  int fd;
  void (*ready)(struct Watch* watch, uint32 events);
} Watch;

/* The descriptor that is readable while a watched one is ready; negative: it cannot be made. */
extern int event_loop_begin(void);
/* Calls those that are ready; never waits. */
extern void event_loop_take(void);
extern void event_loop_end_turn(void);

extern double now_ms(void);
extern bool watch_begin(Watch* watch, uint32 events);
extern void watch_change(Watch* watch, uint32 events);
extern void watch_end(Watch* watch);
/* At the end of the turn. */
extern void free_later(void* memory);

/* A smart shutdown has begun: no new sessions come, and the server ends with its last one. */
extern bool is_server_stopping(void);
extern int64 setting_int(const char* name, int64 otherwise);
extern bool setting_is_on(const char* name);

#endif
