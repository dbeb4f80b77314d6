/*
 * tidepool.validator: checks the options of CREATE SERVER and CREATE USER MAPPING when they are set.
 *
 * A server accepts libpq's connection parameters and all pool options that apply to hosted pools; a mapping accepts the
 * parameters of a user. An unknown name is refused with the nearest known one as a hint.
 */
#include "query.h"

#include <access/reloptions.h>
#include <catalog/pg_foreign_data_wrapper.h>
#include <catalog/pg_user_mapping.h>
#include <commands/defrem.h>
#include <miscadmin.h>
#include <utils/varlena.h>

#include "common/report.h"

PG_FUNCTION_INFO_V1(tide_sql_validator);

#define NEAREST_MAX 4 /* letters that may differ */

static const char* const kOfMapping[] = {"user", "password", "password_required", "sslcert", "sslkey", "sslpassword"};
/* libpq parameters that this module sets. */
static const char* const kFixedWords[] = {
    "client_encoding", "fallback_application_name", "gssencmode", "replication", "gsslib", "krbsrvname",
    "gssdelegation"};
/* Pool options that the worker sets, or that have no effect for a hosted pool. */
static const char* const kFixedOptions[] = {"publish", "dir", "init_mode", "burst", "burst_max_size", "burst_duration"};

/* The next user of a connection must get a reset session, so a server cannot ask for less. */
static void check_reset(const char* value) {
  if (strcmp(value, "smart") == 0 || strcmp(value, "full") == 0) return;
  ereport(
      ERROR,
      (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("reset_on_release cannot be \"%s\" for a hosted pool", value),
       errdetail("Accepted: smart (after statements that may leave session state), full (after every statement).")));
}

static bool is_among(const char* name, const char* const* names, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(names[i], name) == 0) return true;
  }
  return false;
}
#define IS_AMONG(name, names) is_among(name, names, lengthof(names))

/* libpq's own list; kept as long as the process runs. */
static const PQconninfoOption* words(void) {
  static PQconninfoOption* list = NULL;
  if (list == NULL) list = PQconndefaults();
  if (list == NULL) ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
  return list;
}

static bool is_word(const PQconninfoOption* word) {
  return word->dispchar[0] == '\0' && !IS_AMONG(word->keyword, kFixedWords) && !IS_AMONG(word->keyword, kOfMapping) &&
         strncmp(word->keyword, "oauth", 5) != 0;
}

/* Deliveries need a thread; and everyone may read the options of a server, which are no place for their secrets. */
static bool is_of_webhook(const char* current) { return strncmp(current, "notify_webhook_", 15) == 0; }

static bool is_fixed_option(const char* current) {
  return IS_AMONG(current, kFixedOptions) || strncmp(current, "sqlite_", 7) == 0 || is_of_webhook(current);
}

OptionPlace option_place(const char* name) {
  const char* current = NULL;
  if (strcmp(name, "password_required") == 0) return OPTION_OWN;
  if (IS_AMONG(name, kOfMapping)) return OPTION_MAPPING;
  if (tide_option_check(name, NULL, &current, NULL) == TIDE_OK)
    return is_fixed_option(current) ? OPTION_UNKNOWN : OPTION_POOL;
  for (const PQconninfoOption* word = words(); word->keyword != NULL; ++word) {
    if (is_word(word) && strcmp(word->keyword, name) == 0) return OPTION_CONNECTION;
  }
  return OPTION_UNKNOWN;
}

static void compare(const char* typed, const char* name, const char** nearest, int* distance) {
  const int found =
      varstr_levenshtein_less_equal(typed, (int)strlen(typed), name, (int)strlen(name), 1, 1, 1, *distance, true);
  if (found >= *distance) return;
  *distance = found;
  *nearest = name;
}

static void refuse_unknown(const char* name, bool is_mapping) {
  const char* nearest = NULL;
  tide_error error = TIDE_ERROR_INIT;
  int distance = NEAREST_MAX + 1;
  if (strlen(name) > 200) name = pnstrdup(name, 200);
  for (size_t i = 0; i < lengthof(kOfMapping); ++i) {
    if (is_mapping) compare(name, kOfMapping[i], &nearest, &distance);
  }
  for (const PQconninfoOption* word = words(); !is_mapping && word->keyword != NULL; ++word) {
    if (is_word(word)) compare(name, word->keyword, &nearest, &distance);
  }
  /* The catalogue finds the nearest of its options itself, including old names. */
  if (nearest == NULL && !is_mapping && tide_option_check(name, NULL, NULL, &error) != TIDE_OK &&
      error.hint[0] != '\0') {
    ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
                    errhint("%s", error.hint)));
  }
  ereport(ERROR,
          (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", name),
           nearest != NULL ? errhint("Did you mean \"%s\"?", nearest)
                           : errhint("A %s", is_mapping ? "user mapping takes user, password, password_required, "
                                                          "sslcert, sslkey and sslpassword."
                                                        : "server takes libpq's connection options and the "
                                                          "options of pools; see tidepool.help.")));
}

static void refuse_fixed(const char* name, const char* current) {
  if (current != NULL && is_of_webhook(current)) {
    ereport(ERROR,
            (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" is not supported by hosted pools", name),
             errdetail("Alerts are delivered by a thread, which a database server must not have."),
             errhint("Alerts are written to the server log; to forward them, set tidepool.database, and LISTEN "
                     "tidepool_alerts there.")));
  }
  ereport(ERROR,
          (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("option \"%s\" cannot be set for a hosted pool", name),
           errdetail("It is set by the worker that hosts pools, or has no effect there.")));
}

/* Durations without a unit are milliseconds in the catalogue, but connect_timeout is in seconds, as in libpq. */
static const char* as_duration(const char* name, const char* value) {
  const bool is_bare = value[0] != '\0' && strspn(value, "0123456789") == strlen(value);
  return is_bare && strcmp(name, "connect_timeout") == 0 ? psprintf("%ss", value) : value;
}

static void check_server_option(const char* name, const char* value) {
  tide_error error = TIDE_ERROR_INIT;
  const char* current = NULL;
  switch (option_place(name)) {
    case OPTION_CONNECTION: return;
    case OPTION_POOL:
      if (tide_option_check(name, as_duration(name, value), &current, &error) == TIDE_OK) {
        if (strcmp(current, "reset_on_release") == 0) check_reset(value);
        return;
      }
      ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", error.message),
                      error.detail[0] != '\0' ? errdetail("%s", error.detail) : 0,
                      error.hint[0] != '\0' ? errhint("%s", error.hint) : 0));
    case OPTION_OWN:
    case OPTION_MAPPING:
      ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
                      errmsg("option \"%s\" belongs to a user mapping, not to a server", name),
                      errhint("Use CREATE USER MAPPING.")));
    case OPTION_UNKNOWN: break;
  }
  if (IS_AMONG(name, kFixedWords) || tide_option_check(name, NULL, &current, NULL) == TIDE_OK)
    refuse_fixed(name, current);
  refuse_unknown(name, false);
}

static void check_mapping_option(const char* name, DefElem* option) {
  if (!IS_AMONG(name, kOfMapping)) {
    if (option_place(name) == OPTION_POOL || option_place(name) == OPTION_CONNECTION) {
      ereport(ERROR,
              (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
               errmsg("option \"%s\" belongs to a server, not to a user mapping", name), errhint("Use ALTER SERVER.")));
    }
    refuse_unknown(name, true);
  }
  if (strcmp(name, "password_required") == 0 && !defGetBoolean(option) && !superuser()) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("password_required=false is superuser-only"),
                    errhint("User mappings with the password_required option set to false may only be created or "
                            "modified by the superuser.")));
  }
  /* These options read files of the server with the server's privileges. */
  if ((strcmp(name, "sslcert") == 0 || strcmp(name, "sslkey") == 0) && !superuser()) {
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("%s is superuser-only", name)));
  }
}

static void check_sizes(List* options) {
  int64 sizes[2] = {-1, -1};
  ListCell* cell;
  foreach (cell, options) {
    DefElem* option = lfirst(cell);
    const char* current = NULL;
    if (tide_option_check(option->defname, NULL, &current, NULL) != TIDE_OK) continue;
    if (strcmp(current, "min_size") == 0) sizes[0] = strtoll(defGetString(option), NULL, 10);
    if (strcmp(current, "max_size") == 0) sizes[1] = strtoll(defGetString(option), NULL, 10);
  }
  if (sizes[1] == 0) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("max_size 0 is not possible for a hosted pool"),
                    errdetail("All hosted pools share the connections of tidepool.max_hosted_connections."),
                    errhint("The minimum is 1.")));
  }
  if (sizes[0] >= 0 && sizes[1] >= 0 && sizes[0] > sizes[1]) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("min_size " INT64_FORMAT " is above max_size " INT64_FORMAT, sizes[0], sizes[1])));
  }
}

Datum tide_sql_validator(PG_FUNCTION_ARGS) {
  List* options = untransformRelOptions(PG_GETARG_DATUM(0));
  const Oid catalog = PG_GETARG_OID(1);
  ListCell* cell;
  foreach (cell, options) {
    DefElem* option = lfirst(cell);
    const char* value = defGetString(option);
    if (catalog == ForeignServerRelationId) {
      check_server_option(option->defname, value);
    } else if (catalog == UserMappingRelationId) {
      check_mapping_option(option->defname, option);
    } else {
      ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME), errmsg("invalid option \"%s\"", option->defname),
                      errhint("Options are set on servers and user mappings.")));
    }
  }
  if (catalog == ForeignServerRelationId) check_sizes(options);
  PG_RETURN_VOID();
}
