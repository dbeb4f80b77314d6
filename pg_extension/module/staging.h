/*
 * Staging: the orders an open transaction has asked for by UPDATE and that no pool has heard of yet.
 *
 * Why not steer in the trigger: what is done there survives ROLLBACK. The trigger only stages; the commit publishes,
 * ROLLBACK drops, and ROLLBACK TO (and the end of a failed block of PL/pgSQL) drops what came after the savepoint.
 *
 * S1  No order reaches a pool before everything the transaction does has succeeded; what can still fail is the commit
 *     itself.
 * S2  Of several orders on one subject of one instance only the last is published.
 * S3  What a transaction publishes is valid at every step between: resume first, limits before sizes, pause and drain
 *     last; and of the two limits first the one that keeps min_size <= max_size.
 * Failure: a refusal, also of the pool itself, is an error and aborts the transaction. What was posted before it stays
 * in force and is named in the detail.
 */
#ifndef TIDEPOOL_STAGING_H
#define TIDEPOOL_STAGING_H

#include "order.h"

typedef struct TidepoolLimits {
  bool has_min_size;
  bool has_max_size;
  int64 min_size;
  int64 max_size;
} TidepoolLimits;

typedef struct TidepoolAssignment {
  TidepoolOrder order; /* its pool is an instance_id */
  const char* pool;    /* the name, for messages; in the server's encoding */
  const char* subject; /* what it is about: "target_size", "state", an option's name or an alert (S2) */
  bool is_limit;       /* the subject is min_size or max_size, and this is its new value: */
  int64 limit;
  TidepoolLimits before; /* as the row showed them when the statement ran */
} TidepoolAssignment;

/* Asks to be told of commits and rollbacks; once, when the module is loaded. */
extern void tidepool_staging_watch(void);

/* The context to make assignments in: it lives as long as the transaction. */
extern MemoryContext tidepool_staging_context(void);

/* Stages all assignments of one row, or fails. */
extern void tidepool_stage(const TidepoolAssignment* assignments, int count);

#endif
