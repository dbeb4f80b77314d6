/*
 * Targets: a foreign server as the current user may use it.
 *
 * Read from the catalogues once for each user and server name, and again after any server, mapping or wrapper has
 * changed. Permissions are checked at every call.
 */
#include "query.h"

#include <access/htup_details.h>
#include <access/reloptions.h>
#include <access/xact.h>
#include <catalog/pg_foreign_data_wrapper.h>
#include <catalog/pg_user_mapping.h>
#include <commands/defrem.h>
#include <foreign/foreign.h>
#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <utils/guc.h>
#include <utils/hsearch.h>
#include <utils/inval.h>
#include <utils/syscache.h>

#include "common/extension.h"
#include "common/report.h"

static HTAB* targets = NULL;
static uint64 generation = 1;

/* An entry of the table; the target is rebuilt when the catalogue has changed. */
typedef struct Entry {
  TargetKey key;
  Target* target;
} Entry;

static void on_change(Datum argument, int cache, uint32 hash) { ++generation; }

static void make_table(void) {
  HASHCTL how = {.keysize = sizeof(TargetKey), .entrysize = sizeof(Entry), .hcxt = CacheMemoryContext};
  if (targets != NULL) return;
  CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_change, (Datum)0);
  CacheRegisterSyscacheCallback(USERMAPPINGOID, on_change, (Datum)0);
  CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, on_change, (Datum)0);
  CacheRegisterSyscacheCallback(AUTHOID, on_change, (Datum)0);
  targets = hash_create("tidepool targets", 16, &how, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Quotes a value for a conninfo string or an options text: both use single quotes and backslashes. */
static void append_quoted(StringInfo out, const char* value) {
  appendStringInfoChar(out, '\'');
  for (; *value != '\0'; ++value) {
    if (*value == '\'' || *value == '\\') appendStringInfoChar(out, '\\');
    appendStringInfoChar(out, *value);
  }
  appendStringInfoChar(out, '\'');
}

static void append_word(StringInfo out, const char* name, const char* value) {
  appendStringInfo(out, " %s=", name);
  append_quoted(out, value);
}

/* Pool names allow fewer characters than identifiers. */
static void set_pool_name(Target* target) {
  static const char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  strlcpy(target->pool, target->key.server, sizeof target->pool);
  for (char* c = target->pool; *c != '\0'; ++c) {
    if (strchr(kLetters, *c) == NULL) *c = '_';
  }
  if (target->pool[0] == '.') target->pool[0] = '_';
}

/* Checked by the validator: pools and the server write durations in the same way. */
static int64 milliseconds(const char* value) {
  int ms = -1;
  return parse_int(value, &ms, GUC_UNIT_MS, NULL) ? ms : -1;
}

static void add_pool_option(Target* target, StringInfo options, const char* name, const char* value) {
  const char* current = name;
  (void)tide_option_check(name, NULL, &current, NULL);
  if (strcmp(current, "min_size") == 0) {
    target->min_size = strtoll(value, NULL, 10);
  } else if (strcmp(current, "max_size") == 0) {
    target->max_size = strtoll(value, NULL, 10);
  } else if (strcmp(current, "reset_on_release") == 0) {
    target->is_always_reset =
        strcmp(value, "full") == 0; /* the pool resets every session that a backend does not return as clean */
  } else {
    /* A connect_timeout without a unit is in seconds, as in libpq. */
    const bool is_seconds = strcmp(current, "connect_timeout") == 0 && strspn(value, "0123456789") == strlen(value);
    if (is_seconds) value = psprintf("%ss", value);
    if (strcmp(current, "connect_timeout") == 0) target->connect_timeout_ms = milliseconds(value);
    if (strcmp(current, "acquire_timeout") == 0) target->acquire_timeout_ms = milliseconds(value);
    append_word(options, current, value);
  }
}

static void add_server_options(Target* target, const ForeignServer* server, StringInfo conninfo, StringInfo options) {
  /* The styles in which values are unambiguous; extra_float_digits is for servers before 12. */
  const char* session = "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3";
  bool has_name = false;
  ListCell* cell;
  foreach (cell, server->options) {
    DefElem* option = lfirst(cell);
    const char* value = defGetString(option);
    if (strcmp(option->defname, "options") == 0) {
      session = psprintf("%s %s", session, value);
    } else if (option_place(option->defname) == OPTION_POOL) {
      add_pool_option(target, options, option->defname, value);
    } else {
      append_word(conninfo, option->defname, value);
      if (strcmp(option->defname, "application_name") == 0) has_name = true;
    }
  }
  append_word(conninfo, "options", session);
  if (!has_name) append_word(conninfo, "application_name", "tidepool");
}

static void add_mapping_options(Target* target, List* mapping, StringInfo conninfo) {
  ListCell* cell;
  foreach (cell, mapping) {
    DefElem* option = lfirst(cell);
    if (strcmp(option->defname, "password_required") == 0) {
      target->may_lack_password = !defGetBoolean(option);
      continue;
    }
    if (strcmp(option->defname, "password") == 0 && defGetString(option)[0] != '\0') target->has_password = true;
    append_word(conninfo, option->defname, defGetString(option));
  }
}

/* The user's own mapping, otherwise that of PUBLIC. */
static HeapTuple find_mapping(Oid user, const ForeignServer* server) {
  HeapTuple found = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server->serverid));
  if (!HeapTupleIsValid(found))
    found = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server->serverid));
  if (HeapTupleIsValid(found)) return found;
  ereport(ERROR,
          (errcode(ERRCODE_UNDEFINED_OBJECT),
           errmsg("user \"%s\" has no mapping for server \"%s\"", GetUserNameFromId(user, false), server->servername),
           errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (user '...', password '...').",
                   quote_identifier(GetUserNameFromId(user, false)), quote_identifier(server->servername))));
}

static void read_mapping(Target* target, const ForeignServer* server, StringInfo conninfo) {
  HeapTuple tuple = find_mapping(target->key.user, server);
  bool has_none;
  Datum options = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &has_none);
  target->mapping = ((Form_pg_user_mapping)GETSTRUCT(tuple))->oid;
  if (!has_none) add_mapping_options(target, untransformRelOptions(options), conninfo);
  ReleaseSysCache(tuple);
}

static ForeignServer* find_server(const char* name) {
  ForeignServer* server = GetForeignServerByName(name, true);
  ForeignDataWrapper* wrapper;
  if (server == NULL) {
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("server \"%s\" does not exist", name),
                    errhint("CREATE SERVER %s FOREIGN DATA WRAPPER tidepool OPTIONS (host '...', dbname '...').",
                            quote_identifier(name))));
  }
  wrapper = GetForeignDataWrapper(server->fdwid);
  if (!tidepool_is_own(ForeignDataWrapperRelationId, server->fdwid)) {
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("server \"%s\" belongs to foreign data wrapper \"%s\"", name, wrapper->fdwname),
                    errhint("A hosted pool is a server of FOREIGN DATA WRAPPER tidepool.")));
  }
  return server;
}

static void check_usage(Oid server, const char* name) {
  if (tidepool_may_use_server(server, GetUserId())) return;
  ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for foreign server %s", name),
                  errhint("GRANT USAGE ON FOREIGN SERVER %s TO %s.", quote_identifier(name),
                          quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* Allocates in the memory context that becomes the target's. */
static Target* read_target(const TargetKey* key) {
  const uint64 made_at = generation; /* a change during the reading is noticed next time */
  const ForeignServer* server = find_server(key->server);
  Target* target = palloc0(sizeof *target);
  StringInfoData conninfo, options;
  check_usage(server->serverid, key->server);
  target->key = *key;
  target->made_at = made_at;
  target->server = server->serverid;
  target->min_size = target->max_size = -1;
  target->acquire_timeout_ms = target->connect_timeout_ms = -1;
  set_pool_name(target);
  snprintf(target->tag, sizeof target->tag, "%s pid %d", tidepool_to_utf8(GetUserNameFromId(key->user, false)),
           MyProcPid);
  initStringInfo(&conninfo);
  initStringInfo(&options);
  add_server_options(target, server, &conninfo, &options);
  read_mapping(target, server, &conninfo);
  append_word(&conninfo, "client_encoding", GetDatabaseEncodingName());
  append_word(&conninfo, "fallback_application_name", "tidepool");
  append_word(&conninfo, "gssencmode", "disable");
  target->conninfo = conninfo.data + 1;
  target->options = options.data;
  return target;
}

void target_check_password(bool may_lack_password, bool used_password) {
  if (superuser() || may_lack_password || used_password) return;
  ereport(ERROR,
          (errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED), errmsg("password is required"),
           errdetail("Non-superusers must provide a password, and the remote server must ask for it."),
           errhint("Set a password in the user mapping, and let the remote server's authentication require it.")));
}

static Target* make_target(const TargetKey* key) {
  MemoryContext outside = CurrentMemoryContext;
  MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "tidepool target", ALLOCSET_SMALL_SIZES);
  Target* target;
  MemoryContextSwitchTo(memory);
  target = read_target(key);
  target->memory = memory;
  MemoryContextSwitchTo(outside);
  /* Only now: after an error before this point, the caller's memory context frees the target. */
  MemoryContextSetParent(memory, CacheMemoryContext);
  return target;
}

const Target* target_for(const char* server) {
  TargetKey key;
  Entry* entry;
  bool is_known;
  /* An error based on stale data would be wrong: process pending invalidations first. */
  AcceptInvalidationMessages();
  make_table();
  memset(&key, 0, sizeof key);
  key.user = GetUserId();
  if (strlen(server) >= NAMEDATALEN) (void)find_server(server);
  strlcpy(key.server, server, sizeof key.server);
  entry = hash_search(targets, &key, HASH_FIND, &is_known);
  if (is_known && entry->target->made_at != generation) {
    Target* old = entry->target;
    (void)hash_search(targets, &key, HASH_REMOVE, NULL);
    /* If the server no longer exists, its pool may be closed immediately. */
    if (!OidIsValid(get_foreign_server_oid(server, true))) {
      const WireKey gone = {MyDatabaseId, old->server, InvalidOid};
      line_drop(&gone);
    }
    MemoryContextDelete(old->memory);
    is_known = false;
  }
  if (is_known) {
    check_usage(entry->target->server, key.server);
  } else {
    Target* target = make_target(&key);
    entry = hash_search(targets, &key, HASH_ENTER, &is_known);
    entry->target = target;
  }
  if (!entry->target->has_password) target_check_password(entry->target->may_lack_password, false);
  return entry->target;
}
