/*
 * The query cache: results that are shared by all callers of a pool. Include <tidepool/tidepool.h>.
 *
 * A call asks for it with tide_query_options.cache, if the option query_cache of the pool is on:
 *
 *   tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
 *   with.cache = TIDE_CACHE;
 *   with.cache_tags = "users";
 *   tide_pool_query_with(pool, "select name from users where id = $1", 1, &id, &with, &result, &error);
 *
 * If the result is not there, one caller executes the query and the others wait for it, without a connection and with their own
 * timeouts. A result ends after its time (cache_ttl_ms), when it is invalidated, and when others need the room.
 *
 * Cached are results of one statement that only reads (SELECT, VALUES, WITH, TABLE; not FOR UPDATE), at most an eighth of
 * query_cache_bytes each. A statement that calls a function that is not known to depend on its arguments and the data alone, or
 * reads the state of the server, is cached with TIDE_CACHE_VOLATILE only; what a view or an operator does is not looked at.
 * Every other call is executed, and counted in query_cache_refused_total. With reset_on_release=none nothing is cached.
 *
 * SQLite: a result is not used after a commit to the database, whoever made it, also another process. Databases that are attached
 * are not watched. PostgreSQL (and registered drivers): changes have to be told, also those made through the same pool: by tide_cache_invalidate(), by
 * the command clear_cache in SQL, or by NOTIFY on the channel of the option query_cache_channel, in the transaction that makes
 * them: payload a key, tag:NAME, or empty for all. While nobody can listen to that channel nothing is cached, and after an
 * outage the cache is empty.
 */
#ifndef TIDEPOOL_CACHE_H
#define TIDEPOOL_CACHE_H

#include <stdint.h>

#include <tidepool/base.h>
#include <tidepool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Remove results from the query cache of a pool. Queries that are being executed are included: their results are not cached.
 *
 * @param pool     an open pool
 * @param key      only the result with this key (tide_query_options.cache_key), 1 to 512 bytes; NULL: not by key
 * @param tag      only results with this tag, 1 to 62 bytes without a space; NULL: not by tag. Both NULL: all results.
 * @param removed  out: how many; may be NULL
 * Fails    TIDE_BAD_ARGUMENT.
 */
TIDE_API tide_status tide_cache_invalidate(tide_pool* pool, const char* key, const char* tag, int64_t* removed,
                                           tide_error* err);

#ifdef __cplusplus
}
#endif

#endif
