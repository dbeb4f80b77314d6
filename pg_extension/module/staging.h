/*
 * Staging: the orders an open transaction has asked for by UPDATE and that no pool has heard of yet.
 *
 * Why not steer in the trigger: what is done there survives ROLLBACK. The trigger only stages; the commit publishes,
 * ROLLBACK drops, and ROLLBACK TO (and the end of a failed block of PL/pgSQL) drops what came after the savepoint.
 *
 * S1  No order reaches a pool before everything the transaction does has succeeded; what can still fail is the commit
 *     itself.
 * S2, S3  Which of them are published, and in which order: the library says (tide_settle()).
 * Failure: a refusal, also of the pool itself, is an error and aborts the transaction. What was posted before it stays
 * in force and is named in the detail.
 */
#ifndef TIDEPOOL_STAGING_H
#define TIDEPOOL_STAGING_H

#include "order.h"

typedef struct TidepoolAssignment {
  TidepoolOrder order; /* its pool is an instance_id */
  const char* pool;    /* the name, for messages; in the server's encoding */
  tide_row row;        /* as the statement was shown it; in UTF-8, as is the rest */
  tide_assignment what;
} TidepoolAssignment;

/* Asks to be told of commits and rollbacks; once, when the module is loaded. */
extern void tidepool_staging_watch(void);

/* The context to make assignments in: it lives as long as the transaction. */
extern MemoryContext tidepool_staging_context(void);

/* Stages all assignments of one row, or fails. */
extern void tidepool_stage(const TidepoolAssignment* assignments, int count);

#endif
