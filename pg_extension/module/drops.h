/* Drops: notifies the worker of dropped servers, user mappings and databases, so that it closes their pools. */
#ifndef TIDEPOOL_DROPS_H
#define TIDEPOOL_DROPS_H

/* Called once, when the module is preloaded. Drops are sent at the commit, without waiting for an answer. */
extern void tidepool_drops_watch(void);

#endif
