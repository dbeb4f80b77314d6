/*
 * Dialects: how the remote session writes texts, dates and intervals.
 *
 * 03/02/2026 is in February or in March, and the sign in '-1 2:03:04' applies to one field or to both, depending on
 * settings of the session that wrote it, which a statement, a role or the server's options may have changed. The
 * session reports DateStyle, IntervalStyle, TimeZone and client_encoding, so its values are read under the same
 * settings. A value in another style than ISO is unambiguous only if writing it again gives the same text: "10:00 IST"
 * is a time in India, Israel or Ireland.
 */
#include "query.h"

#include <access/transam.h>
#include <catalog/pg_type.h>
#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <utils/syscache.h>

#include <ctype.h>

typedef enum Kind { KIND_PLAIN, KIND_DATE, KIND_INTERVAL, KIND_UNKNOWN } Kind;

/* Tells whether the text form of a value of the remote type depends on settings. Rows, and types that only the remote
 * server knows, may contain dates. */
static Kind kind_of(Oid type) {
  Oid member;
  switch (type) {
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID: return KIND_DATE;
    case INTERVALOID: return KIND_INTERVAL;
    case BOOLOID: /* the most common types, without a catalogue lookup */
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case FLOAT8OID:
    case NUMERICOID:
    case TEXTOID:
    case VARCHAROID:
    case NAMEOID:
    case JSONBOID:
    case UUIDOID: return KIND_PLAIN;
    default: break;
  }
  if (type >= FirstNormalObjectId || !SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type))) return KIND_UNKNOWN;
  member = tidepool_member_type(type);
  if (OidIsValid(member)) return kind_of(member);
  switch (get_typtype(type)) {
    case TYPTYPE_COMPOSITE:
    case TYPTYPE_PSEUDO: return KIND_UNKNOWN;
    default: return KIND_PLAIN;
  }
}

/* Dates and intervals without a digit are written alike in all styles. */
static bool has_digit(const char* value) { return strpbrk(value, "0123456789") != NULL; }

/* A setting can be changed within a transaction without being reported. Therefore values that should be ISO are
 * checked: in ISO dates, the year has four digits and comes first. */
static bool looks_iso(const char* value) {
  for (const char* c = value; *c != '\0';) {
    const size_t digits = strspn(c, "0123456789");
    const bool is_fraction = c > value && (c[-1] == ':' || c[-1] == '.');
    if (digits == 0) {
      ++c;
    } else if (digits >= 4 && c[digits] == '-') {
      c += digits + 1;
      c += strspn(c, "0123456789-");
    } else if (!is_fraction && c[digits] != '\0' && strchr("/.-", c[digits]) != NULL &&
               isdigit((unsigned char)c[digits + 1])) {
      return false;
    } else {
      c += digits;
    }
  }
  /* Letters used in names of days, months and zones, but not in: infinity, empty, BC, NULL. */
  return strpbrk(value, "acdghjkorsvwxzADEFGHIJKMOPQRSTVWXYZ") == NULL;
}

/* The same for intervals in the style postgres: each number except the time has a unit. */
static bool looks_postgres(const char* value) {
  for (const char* c = value; *c != '\0'; ++c) {
    if (!isdigit((unsigned char)c[0])) continue;
    if (c[1] == '-' || (c[1] == ' ' && (isdigit((unsigned char)c[2]) || c[2] == '+' || c[2] == '-'))) return false;
  }
  return true;
}

static bool looks_plain(const Dialect* dialect, Kind kind, const char* value) {
  switch (kind) {
    case KIND_DATE: return looks_iso(value);
    case KIND_INTERVAL: return looks_postgres(value);
    case KIND_UNKNOWN: return !dialect->names_styles || !has_digit(value);
    default: return true;
  }
}

/* -- settings */

/* client_encoding must be last. */
static const char* const kSettings[DIALECT_SETTINGS] = {"DateStyle", "IntervalStyle", "TimeZone", "client_encoding"};

/* The value that the session reports; NULL if it does not report the setting. */
static const char* reported(PGconn* conn, const char* name) {
  const char* value = PQparameterStatus(conn, name);
  return value == NULL || value[0] == '\0' ? NULL : value;
}

static int encoding_of(PGconn* conn) {
  const char* name = reported(conn, "client_encoding");
  return name == NULL ? GetDatabaseEncoding() : pg_char_to_encoding(name);
}

static int known_encoding_of(PGconn* conn) {
  const int encoding = encoding_of(conn);
  if (encoding >= 0) return encoding;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("the remote session's client_encoding is \"%s\", which this server does not support",
                         reported(conn, "client_encoding")),
                  errhint("RESET client_encoding on the remote server.")));
}

/* Sets `name` until dialect_leave(). */
static void adopt(const char* name, const char* value) {
  const MemoryContext outside = CurrentMemoryContext;
  PG_TRY();
  { (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(outside);
    if (geterrcode() != ERRCODE_INVALID_PARAMETER_VALUE) PG_RE_THROW();
    FlushErrorState();
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("the remote session's %s is \"%s\", which this server does not support", name, value),
                    errhint("SET %s on the remote server to a value that both servers support.", name)));
  }
  PG_END_TRY();
}

static bool is_ours(const char* name, const char* value) {
  return value == NULL || strcmp(GetConfigOption(name, false, false), value) == 0;
}

/* The reported order of day and month applies to the remote session's input. In its output, the day comes first always
 * in German style, and in other styles only with DMY. */
static const char* written_dates(PGconn* conn) {
  const char* dates = reported(conn, "DateStyle");
  if (dates == NULL || strncmp(dates, "ISO", 3) == 0) return dates;
  if (strncmp(dates, "German", 6) == 0) return "German, DMY";
  if (strstr(dates, "DMY") != NULL) return dates;
  return strncmp(dates, "SQL", 3) == 0 ? "SQL, MDY" : "Postgres, MDY";
}

static void note_kinds(Dialect* dialect, const PGresult* result) {
  dialect->kinds = palloc((Size)Max(PQnfields(result), 1));
  for (int i = 0; i < PQnfields(result); ++i) {
    dialect->kinds[i] = (char)kind_of(PQftype(result, i));
    if (dialect->kinds[i] != KIND_PLAIN) dialect->has_dates = true;
  }
}

static void note_settings(Dialect* dialect, PGconn* conn) {
  for (int i = 0; i < DIALECT_SETTINGS; ++i) {
    const char* value = reported(conn, kSettings[i]);
    strlcpy(dialect->settings[i], value == NULL ? "" : value, sizeof dialect->settings[i]);
  }
}

void dialect_adopt(Dialect* dialect, PGconn* conn, const PGresult* result) {
  const char* dates = written_dates(conn);
  const char* intervals = reported(conn, "IntervalStyle");
  const char* zone = reported(conn, "TimeZone");
  dialect_leave(dialect);
  note_kinds(dialect, result);
  note_settings(dialect, conn);
  dialect->encoding = known_encoding_of(conn);
  dialect->is_plain =
      (dates == NULL || strncmp(dates, "ISO", 3) == 0) && (intervals == NULL || strcmp(intervals, "postgres") == 0);
  /* ISO dates contain their offset, so the time zone does not matter. */
  if (is_ours("DateStyle", dates) && is_ours("IntervalStyle", intervals) && dialect->is_plain) return;
  dialect->nest = NewGUCNestLevel();
  if (!is_ours("DateStyle", dates)) adopt("DateStyle", dates);
  if (!is_ours("IntervalStyle", intervals)) adopt("IntervalStyle", intervals);
  if (!dialect->is_plain && !is_ours("TimeZone", zone)) adopt("TimeZone", zone);
}

void dialect_expect(Dialect* dialect, const char* sql) {
  dialect->names_styles = strcasestr(sql, "datestyle") != NULL || strcasestr(sql, "intervalstyle") != NULL;
}

void dialect_leave(Dialect* dialect) {
  if (dialect->nest > 0) AtEOXact_GUC(true, dialect->nest);
  dialect->nest = 0;
}

/* -- texts */

const char* dialect_sent(PGconn* conn, const char* text) {
  const int encoding = known_encoding_of(conn);
  return encoding == GetDatabaseEncoding() ? text : pg_server_to_any(text, (int)strlen(text), encoding);
}

char* dialect_text(const Dialect* dialect, char* text, int length) {
  if (dialect->encoding == GetDatabaseEncoding() && pg_verifymbstr(text, length, true)) return text;
  if (dialect->encoding != GetDatabaseEncoding()) return pg_any_to_server(text, length, dialect->encoding);
  ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
                  errmsg("the server sent a text that is not valid %s", GetDatabaseEncodingName())));
}

char* dialect_message(PGconn* conn, const char* text) {
  char* own = text == NULL ? NULL : pstrdup(text);
  if (own == NULL || (encoding_of(conn) == GetDatabaseEncoding() && pg_verifymbstr(own, (int)strlen(own), true)))
    return own;
  for (char* c = own; *c != '\0'; ++c) {
    if ((*c & 0x80) != 0) *c = '?';
  }
  return own;
}

/* -- dates and intervals */

static pg_noinline void refuse(PGconn* conn, const char* value) {
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                  errmsg("\"%s\" is ambiguous", pnstrdup(value, (Size)pg_mbcliplen(value, (int)strlen(value), 60))),
                  errdetail("The remote session reports DateStyle \"%s\", IntervalStyle \"%s\", TimeZone \"%s\".",
                            PQparameterStatus(conn, "DateStyle"), PQparameterStatus(conn, "IntervalStyle"),
                            PQparameterStatus(conn, "TimeZone")),
                  errhint("SET datestyle = ISO and intervalstyle = postgres on the remote server, in a separate "
                          "statement; or cast to text in the query.")));
}

/* Servers write "LMT" as a time zone, but do not accept it as input. */
static Datum read_value(PGconn* conn, char* value, Oid type) {
  const MemoryContext outside = CurrentMemoryContext;
  volatile Datum datum = 0;
  Oid input, parameter;
  getTypeInputInfo(type, &input, &parameter);
  PG_TRY();
  { datum = OidInputFunctionCall(input, value, parameter, -1); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(outside);
    if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION)) PG_RE_THROW();
    FlushErrorState();
    refuse(conn, value);
  }
  PG_END_TRY();
  return datum;
}

static char* write_value(Datum value, Oid type) {
  Oid output;
  bool is_varlena;
  getTypeOutputInfo(type, &output, &is_varlena);
  return OidOutputFunctionCall(output, value);
}

void dialect_check(const Dialect* dialect, PGconn* conn, int column, char* value, Oid remote, Oid local) {
  const Kind kind = (Kind)dialect->kinds[column];
  if (kind == KIND_PLAIN) return;
  if (dialect->is_plain) {
    if (!looks_plain(dialect, kind, value)) refuse(conn, value);
    return;
  }
  if (!has_digit(value) || (kind != KIND_UNKNOWN && remote != getBaseType(local))) return;
  if (strcmp(write_value(read_value(conn, value, local), local), value) != 0) refuse(conn, value);
}

void dialect_explain(const Dialect* dialect, PGconn* conn, int column, const char* value) {
  if (dialect->kinds[column] != KIND_PLAIN && !dialect->is_plain) refuse(conn, value);
}

char* dialect_restate(const Dialect* dialect, PGconn* conn, int column, char* value, Oid remote) {
  const Kind kind = (Kind)dialect->kinds[column];
  Datum datum;
  char* text;
  int nest;
  if (kind == KIND_UNKNOWN && !dialect->is_plain && has_digit(value)) refuse(conn, value);
  dialect_check(dialect, conn, column, value, remote, remote);
  if (kind == KIND_PLAIN || dialect->is_plain || !has_digit(value)) return value;
  datum = read_value(conn, value, remote);
  nest = NewGUCNestLevel();
  adopt("DateStyle", "ISO");
  adopt("IntervalStyle", "postgres");
  text = write_value(datum, remote);
  AtEOXact_GUC(true, nest);
  return text;
}

void dialect_settle(const Dialect* dialect, PGconn* conn, Fault* fault) {
  const int encoding = DIALECT_SETTINGS - 1;
  for (int i = dialect->has_dates ? 0 : encoding; dialect->kinds != NULL && i < DIALECT_SETTINGS; ++i) {
    const char* now = reported(conn, kSettings[i]);
    if (strcmp(now == NULL ? "" : now, dialect->settings[i]) == 0) continue;
    fault->is_set = true;
    fault->sqlstate = ERRCODE_DATATYPE_MISMATCH;
    fault->message = psprintf("the statement changed %s while returning its result", kSettings[i]);
    fault->detail = psprintf("It was \"%s\" and is \"%s\" now, so the result is ambiguous.", dialect->settings[i],
                             now == NULL ? "" : now);
    fault->hint = psprintf("SET %s in a separate statement, on a connection kept with tidepool.lease().", kSettings[i]);
    return;
  }
}
