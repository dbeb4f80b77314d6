/* All differences between PostgreSQL 13 and 19; no other file checks the version. */
#ifndef TIDEPOOL_PG_COMPAT_H
#define TIDEPOOL_PG_COMPAT_H

#include <postgres.h>

#include <fmgr.h>

#include <catalog/pg_authid.h>
#include <catalog/pg_foreign_server.h>
#include <catalog/pg_proc.h>
#include <storage/latch.h>
#include <utils/acl.h>
#include <utils/builtins.h>
#include <utils/fmgrprotos.h>
#include <utils/guc.h>
#include <utils/lsyscache.h>
#include <utils/memutils.h>
#if PG_VERSION_NUM >= 140000
#include <utils/wait_event.h>
#else
#include <pgstat.h>
#endif
#if PG_VERSION_NUM >= 160000
#include <nodes/miscnodes.h>
#endif

#if PG_VERSION_NUM < 130000
#error "tidepool needs PostgreSQL 13 or newer"
#endif

#if PG_VERSION_NUM < 140000
#define ROLE_PG_READ_ALL_STATS DEFAULT_ROLE_READ_ALL_STATS
#endif

#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn() /* before the declaration */
#endif

#if PG_VERSION_NUM < 190000
#define PG_SIG_IGN SIG_IGN
#endif

#if PG_VERSION_NUM >= 180000
#define TIDEPOOL_MODULE_MAGIC(module) PG_MODULE_MAGIC_EXT(.name = module, .version = TIDE_VERSION_TEXT)
#else
#define TIDEPOOL_MODULE_MAGIC(module) PG_MODULE_MAGIC
#endif

/* The parse trees of a text; needs <parser/parser.h>. */
#if PG_VERSION_NUM >= 140000
#define tidepool_parse(sql) raw_parser(sql, RAW_PARSE_DEFAULT)
#else
#define tidepool_parse(sql) raw_parser(sql)
#endif

static inline bool tidepool_may_execute(Oid function, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
  return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/* From here on an unknown tidepool.x in postgresql.conf is reported. */
static inline void tidepool_reserve_settings(void) {
#if PG_VERSION_NUM >= 150000
  MarkGUCPrefixReserved("tidepool");
#else
  EmitWarningsOnPlaceholders("tidepool");
#endif
}

/* Parses `text` as jsonb; false if it is not valid, because a segment may contain anything. */
static inline bool tidepool_jsonb(char* text, Datum* out) {
#if PG_VERSION_NUM >= 160000
  ErrorSaveContext saved = {.type = T_ErrorSaveContext};
  return DirectInputFunctionCallSafe(jsonb_in, text, InvalidOid, -1, (Node*)&saved, out);
#else
  /* jsonb_in only computes: it takes no lock and no buffer, so catching its error needs no subtransaction. */
  volatile bool is_json = true;
  MemoryContext context = CurrentMemoryContext;
  PG_TRY();
  { *out = DirectFunctionCall1(jsonb_in, CStringGetDatum(text)); }
  PG_CATCH();
  {
    const int category = ERRCODE_TO_CATEGORY(geterrcode());
    if (category != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) &&
        category != ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED)) {
      PG_RE_THROW();
    }
    MemoryContextSwitchTo(context);
    FlushErrorState();
    is_json = false;
  }
  PG_END_TRY();
  return is_json;
#endif
}

/* A wait event set that exists as long as the process. */
static inline WaitEventSet* tidepool_create_wait_event_set(int size) {
#if PG_VERSION_NUM >= 170000
  return CreateWaitEventSet(NULL, size);
#else
  return CreateWaitEventSet(TopMemoryContext, size);
#endif
}

/* The element type of an array, or the subtype of a range or multirange; InvalidOid for other types. */
static inline Oid tidepool_member_type(Oid type) {
  Oid member = get_element_type(type);
  if (!OidIsValid(member)) member = get_range_subtype(type);
#if PG_VERSION_NUM >= 140000
  if (!OidIsValid(member)) member = get_multirange_range(type);
#endif
  return member;
}

static inline bool tidepool_may_use_server(Oid server, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE) == ACLCHECK_OK;
#else
  return pg_foreign_server_aclcheck(server, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

#endif
