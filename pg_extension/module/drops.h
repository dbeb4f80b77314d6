/* Drops: the worker is told of servers, user mappings and databases that are dropped, so that their pools close. */
#ifndef TIDEPOOL_DROPS_H
#define TIDEPOOL_DROPS_H

/* Once, when the module is preloaded. What was dropped is told at the commit, and never waited for. */
extern void tidepool_drops_watch(void);

#endif
