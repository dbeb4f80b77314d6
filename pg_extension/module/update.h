/* UPDATE of the views: see update.c. */
#ifndef TIDEPOOL_UPDATE_H
#define TIDEPOOL_UPDATE_H

/* Registers the callbacks for commits and rollbacks; called once, when the module is loaded. */
extern void tidepool_update_watch(void);

#endif
