/* Exports: the state of the pools of this host for other programs, and reports. Include <tidepool/tidepool.h>. */
#ifndef TIDEPOOL_EXPORT_H
#define TIDEPOOL_EXPORT_H

#include <tidepool/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tide_format {
  const char* name;         /* "prometheus" */
  const char* content_type; /* of HTTP */
  const char* meaning;      /* one sentence */
} tide_format;

/**
 * Return the format at a position of the list of formats, or NULL past its end.
 *
 * @param index  from 0
 */
TIDE_API const tide_format* tide_format_at(int index);

/* tide_export_options.flags */
#define TIDE_EXPORT_MASKED 1u         /* without what tide_column.is_masked says: tags, targets, users, messages */
#define TIDE_EXPORT_LEGACY_NAMES 2u   /* metrics also under the names of older monitoring */
#define TIDE_EXPORT_CONNECTION_MAX 4u /* db.client.connection.max, the former name of .limit, too */
#define TIDE_EXPORT_FOR_SQLITE \
  8u /* commands in reports as for SQLite (tidepool_set), not for PostgreSQL (tidepool.set) */

/* What to export. NULL or "" means all. */
typedef struct tide_export_options {
  uint32_t size; /* TIDE_EXPORT_OPTIONS_INIT */
  uint32_t flags;
  const char* directory;   /* of the segment files; NULL: tide_default_directory() */
  const char* pool;        /* only pools of this name */
  const char* instance_id; /* only this instance */
  int64_t since_ms;        /* see tide_export() */
} tide_export_options;

#define TIDE_EXPORT_OPTIONS_INIT \
  { (uint32_t)sizeof(tide_export_options), 0, NULL, NULL, NULL, 0 }

/**
 * Write the state of the pools of this host in a format for another program: see tide_format_at() for the formats, and
 * docs/reference/metrics.md for the metrics.
 *
 * @param format    "json", "csv", "prometheus", "openmetrics", "otlp_json", "dashboard", "health_text" or "health_json"
 * @param pool      only pools of this name; NULL or "": all
 * @param since_ms  0: only the current state; above 0: with the history from then on, in ms since 1970; below 0: with the
 *                  history of the last -since_ms ms. Formats that have no times ignore it.
 * @param out       set only on success: the text, terminated by NUL
 * @param out_len   may be NULL; set only on success: the bytes of the text, without the NUL
 * Owns     the caller frees the text with tide_free().
 * Fails    TIDE_BAD_ARGUMENT (no such format; since_ms is in the future; out is NULL), TIDE_NOT_FOUND (no pool has this name),
 *          TIDE_NO_MEMORY.
 */
TIDE_API tide_status tide_export(const char* format, const char* pool, int64_t since_ms, char** out, size_t* out_len,
                                 tide_error* err);

/**
 * The same with options.
 *
 * @param format   as for tide_export()
 * @param options  may be NULL: the current state of all pools
 * @param out      as for tide_export()
 * @param out_len  as for tide_export()
 * Owns     the caller frees the text with tide_free().
 * Fails    as tide_export().
 */
TIDE_API tide_status tide_export_with(const char* format, const tide_export_options* options, char** out,
                                      size_t* out_len, tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
