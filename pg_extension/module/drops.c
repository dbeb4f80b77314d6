#include "drops.h"

#include "common/pg_compat.h"

#include <access/xact.h>
#include <catalog/objectaccess.h>
#include <catalog/pg_database.h>
#include <catalog/pg_foreign_server.h>
#include <catalog/pg_user_mapping.h>
#include <miscadmin.h>
#include <nodes/pg_list.h>
#include <utils/syscache.h>

#include <unistd.h>

#include "common/wire.h"

static object_access_hook_type next_hook = NULL;
static List* dropped = NIL; /* of WireKey, in the transaction's memory */

static void on_access(ObjectAccessType access, Oid class, Oid object, int part, void* argument) {
  const bool is_database = class == DatabaseRelationId;
  if (next_hook != NULL) next_hook(access, class, object, part, argument);
  if (access != OAT_DROP || part != 0) return;
  if (is_database || class == ForeignServerRelationId || class == UserMappingRelationId) {
    MemoryContext outside = MemoryContextSwitchTo(TopTransactionContext);
    WireKey* key = palloc0(sizeof *key);
    key->database = is_database ? object : MyDatabaseId;
    if (class == ForeignServerRelationId) key->server = object;
    if (class == UserMappingRelationId) key->mapping = object;
    dropped = lappend(dropped, key);
    MemoryContextSwitchTo(outside);
  }
}

/* ROLLBACK TO SAVEPOINT may have restored it. */
static bool is_there(const WireKey* key) {
  if (key->server != InvalidOid) return SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(key->server));
  if (key->mapping != InvalidOid) return SearchSysCacheExists1(USERMAPPINGOID, ObjectIdGetDatum(key->mapping));
  return SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(key->database));
}

static void forget_what_is_there(void) {
  ListCell* cell;
  foreach (cell, dropped) {
    if (is_there(lfirst(cell))) dropped = foreach_delete_current(dropped, cell);
  }
}

/* The transaction is committed: nothing here may fail. If the message does not reach the worker, it closes the pool
 * when the pool has been unused for the idle timeout. */
static void tell_worker(void) {
  static WireOut out;
  const int line = wire_connect();
  ListCell* cell;
  if (line < 0) return;
  foreach (cell, dropped) {
    wire_put_dropped(&out, lfirst(cell));
    if (wire_send(line, &out, -1) != WIRE_DONE) break;
  }
  close(line);
}

static void on_transaction(XactEvent event, void* unused) {
  if (dropped == NIL) return;
  switch (event) {
    case XACT_EVENT_PRE_COMMIT: forget_what_is_there(); break;
    case XACT_EVENT_COMMIT:
      tell_worker();
      dropped = NIL;
      break;
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_ABORT: dropped = NIL; break;
    default: break;
  }
}

void tidepool_drops_watch(void) {
  next_hook = object_access_hook;
  object_access_hook = on_access;
  RegisterXactCallback(on_transaction, NULL);
}
