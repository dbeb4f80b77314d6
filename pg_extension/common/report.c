#include "common/report.h"

#include <mb/pg_wchar.h>

int tidepool_sqlstate_of(const char* text) {
  if (text == NULL || strlen(text) != 5 || strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5) return 0;
  return MAKE_SQLSTATE(text[0], text[1], text[2], text[3], text[4]);
}

int tidepool_sqlstate(const tide_error* error) {
  const int sqlstate = tidepool_sqlstate_of(error->sqlstate);
  if (sqlstate != 0 && strncmp(error->sqlstate, "00", 2) != 0) return sqlstate;
  switch (error->status) {
    case TIDE_TIMEOUT: return ERRCODE_LOCK_NOT_AVAILABLE;
    case TIDE_CLOSED:
    case TIDE_STALE_LEASE:
    case TIDE_REFUSED: return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    case TIDE_QUEUE_FULL: return ERRCODE_TOO_MANY_CONNECTIONS;
    case TIDE_UNAVAILABLE: return ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION;
    case TIDE_BAD_ARGUMENT:
    case TIDE_BAD_OPTION: return ERRCODE_INVALID_PARAMETER_VALUE;
    case TIDE_DATABASE: return ERRCODE_FDW_ERROR;
    case TIDE_NOT_FOUND: return ERRCODE_UNDEFINED_OBJECT;
    case TIDE_NO_MEMORY: return ERRCODE_OUT_OF_MEMORY;
    case TIDE_UNSUPPORTED: return ERRCODE_FEATURE_NOT_SUPPORTED;
    default: return ERRCODE_INTERNAL_ERROR;
  }
}

static char* shown(const char* text) { return tidepool_from_utf8(text, strlen(text), NULL); }

void tidepool_report(const tide_error* error, const char* prefix) {
  char* message = shown(error->message[0] != '\0' ? error->message : tide_status_name(error->status));
  char* detail = shown(error->detail);
  char* hint = shown(error->hint);
  if (prefix != NULL) message = psprintf("%s: %s", shown(prefix), message);
  ereport(ERROR, (errcode(tidepool_sqlstate(error)), errmsg("%s", message),
                  detail[0] != '\0' ? errdetail("%s", detail) : 0, hint[0] != '\0' ? errhint("%s", hint) : 0));
}

char* tidepool_from_utf8(const char* text, size_t length, size_t* out_length) {
  const int encoding = GetDatabaseEncoding();
  char* out = palloc(length + 1);
  memcpy(out, text, length);
  out[length] = '\0';
  if (out_length != NULL) *out_length = length;
  if (encoding == PG_SQL_ASCII) {
    if (memchr(out, '\0', length) == NULL) return out;
  } else if (encoding == PG_UTF8 && pg_verify_mbstr(PG_UTF8, out, (int)length, true)) {
    return out;
  }
  /* A failing conversion would fail the whole query, so that a single invalid tag could hide all pools. */
  for (size_t i = 0; i < length; ++i) {
    if ((out[i] & 0x80) != 0 || out[i] == '\0') out[i] = '?';
  }
  return out;
}

char* tidepool_to_utf8(const char* text) { return pg_server_to_any(text, (int)strlen(text), PG_UTF8); }
