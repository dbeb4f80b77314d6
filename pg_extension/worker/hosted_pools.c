/*
 * Hosted pools: one for each server and user mapping of each database.
 *
 * A pool opens at the first request. After its server or mapping was altered, the next request has a different conninfo
 * or options: a new pool replaces the old one, which closes when its last lease is returned. Pools that were unused for
 * hosted_idle_timeout, and pools of dropped servers, close in the same way.
 *
 * Together they never have more than max_hosted_connections connections, counted by their max_size. If the budget is
 * exhausted, unused pools close to make room for a requested one.
 */
#include "worker.h"

#include <sys/epoll.h>

static const double kDrainMs = 15000; /* time for sessions to end; closing the pool earlier would block on them */

static const double kJustNowMs = 1000;
static const int64 kStoppingMs =
    1000; /* a stopping server waits for its sessions, which may be connections of these pools */

static dlist_head hosted_pools = DLIST_STATIC_INIT(hosted_pools);

void hosted_pool_touch(HostedPool* hosted) {
  hosted->used_ms = now_ms();
  hosted->used_at = GetCurrentTimestamp();
  hosted->is_due = true;
}

static void on_pool(Watch* watch, uint32 events) { ((HostedPool*)watch)->is_due = true; }

/* Called from C++ frames: must not raise errors of the server. */
static void on_pool_event(void* context, const tide_event* event) {
  HostedPool* hosted = context;
  if (event->kind == TIDE_EVENT_CONNECT) ++hosted->connections;
  if (event->kind == TIDE_EVENT_REMOVE) --hosted->connections;
  if (event->kind == TIDE_EVENT_ALERT) hosted->has_alert_news = true;
}

static void refuse(tide_error* error, const char* sqlstate, const char* message, const char* hint) {
  error->status = TIDE_REFUSED;
  strlcpy(error->sqlstate, sqlstate, sizeof error->sqlstate);
  strlcpy(error->message, message, sizeof error->message);
  strlcpy(error->hint, hint, sizeof error->hint);
}

static int column_of(const tide_relation* relation, const char* name) {
  for (int c = 0; c < relation->ncolumns; ++c) {
    if (strcmp(relation->columns[c].name, name) == 0) return c;
  }
  return -1;
}

const tide_relation* hosted_relation(const char* name) {
  for (int i = 0;; ++i) {
    const tide_relation* relation = tide_relation_at(i);
    if (relation == NULL || strcmp(relation->name, name) == 0) return relation;
  }
}

static const char* segment_directory(void) {
  const char* directory = GetConfigOption("tidepool.dir", true, false);
  return directory == NULL || directory[0] == '\0' ? NULL : directory;
}

/* The effects of commands are preserved: a drained or paused pool is not closed to make room. */
static void look_at_state(HostedPool* hosted) {
  tide_filter filter = TIDE_FILTER_INIT;
  const tide_relation* relation = hosted_relation("pools");
  tide_cursor* cursor = NULL;
  filter.directory = segment_directory();
  filter.instance_id = hosted->instance;
  hosted->is_drained = hosted->is_paused = false;
  if (tide_cursor_open("pools", &filter, &cursor, NULL) != TIDE_OK) return;
  if (tide_cursor_next(cursor)) {
    const char* state = tide_cursor_text(cursor, column_of(relation, "state"), NULL);
    hosted->is_drained = state != NULL && strcmp(state, "draining") == 0;
    hosted->is_paused = state != NULL && strcmp(state, "paused") == 0;
  }
  tide_cursor_close(cursor);
}

/* A closing or drained pool counts only with its open connections. */
static int64 claim_of(const HostedPool* hosted) {
  return hosted->is_retired || hosted->is_drained ? hosted->connections : hosted->max_size;
}

static int64 budget_left(void) {
  int64 left = setting_int("tidepool.max_hosted_connections", 100);
  dlist_iter i;
  dlist_foreach(i, &hosted_pools) left -= claim_of(dlist_container(HostedPool, node, i.cur));
  return left;
}

static void free_hosted_pool(HostedPool* hosted) {
  if (hosted->conninfo != NULL) explicit_bzero(hosted->conninfo, strlen(hosted->conninfo));
  free_later(hosted->conninfo);
  free_later(hosted->options);
  alerts_forget(hosted);
  free_later(hosted);
}

static void close_now(HostedPool* hosted) {
  watch_end(&hosted->watch);
  (void)tide_pool_close(hosted->pool, 0, NULL);
  dlist_delete(&hosted->node);
  free_hosted_pool(hosted);
}

/* The least recently used of the unused pools. */
static HostedPool* least_used(void) {
  HostedPool* found = NULL;
  dlist_iter i;
  dlist_foreach(i, &hosted_pools) {
    HostedPool* hosted = dlist_container(HostedPool, node, i.cur);
    const bool is_unused = hosted->leases == 0 && hosted->requests == 0 && !hosted->is_drained && !hosted->is_paused;
    if (is_unused && (found == NULL || hosted->used_ms < found->used_ms)) found = hosted;
  }
  return found;
}

/* Closes unused pools before a new one is refused or gets less than it requests. A recently used pool closes only if
 * the new one would get nothing. */
static void make_room(int64 wanted) {
  dlist_iter i;
  if (budget_left() >= wanted) return;
  dlist_foreach(i, &hosted_pools) look_at_state(dlist_container(HostedPool, node, i.cur));
  while (budget_left() < wanted) {
    HostedPool* unused = least_used();
    if (unused == NULL || (budget_left() > 0 && now_ms() < unused->used_ms + kJustNowMs)) return;
    close_now(unused);
  }
}

/* Lists the pools that hold the budget, for an error's detail. */
static void list_claims(char* text, size_t bytes) {
  size_t at = (size_t)snprintf(text, bytes, "In use:");
  dlist_iter i;
  dlist_foreach(i, &hosted_pools) {
    const HostedPool* hosted = dlist_container(HostedPool, node, i.cur);
    if (at < bytes) at += (size_t)snprintf(text + at, bytes - at, " %s " INT64_FORMAT, hosted->name, claim_of(hosted));
  }
}

static bool open_pool(HostedPool* hosted, tide_error* error) {
  tide_pool_options with = TIDE_POOL_OPTIONS_INIT;
  const int64 wanted = hosted->max_given >= 0 ? hosted->max_given : setting_int("tidepool.hosted_max_size", 10);
  StringInfoData options;
  make_room(wanted);
  hosted->max_size = Min(wanted, budget_left());
  if (hosted->max_size < 1) {
    char message[256];
    snprintf(message, sizeof message, "no connections are left for the pool of server \"%s\"", hosted->name);
    refuse(error, "53300", message,
           "All hosted pools share tidepool.max_hosted_connections; raise it, or lower the max_size of others.");
    list_claims(error->detail, sizeof error->detail);
    return false;
  }
  initStringInfo(&options);
  appendStringInfoString(&options, hosted->options);
  appendStringInfo(&options, " min_size=" INT64_FORMAT " max_size=" INT64_FORMAT,
                   Min(Max(hosted->min_given, 0), hosted->max_size), hosted->max_size);
  if (strstr(hosted->options, " acquire_timeout=") == NULL)
    appendStringInfo(&options, " acquire_timeout=" INT64_FORMAT, setting_int("tidepool.hosted_acquire_timeout", 10000));
  /* The server log gets alerts as messages of this server (alerts.c), not as lines of the pool. */
  if (strstr(hosted->options, " log=") == NULL) appendStringInfoString(&options, " log=off");
  appendStringInfoString(&options, " init_mode=lazy reset_on_release=full burst=off publish=on");
  if (segment_directory() != NULL) appendStringInfo(&options, " dir=\"%s\"", segment_directory());
  with.foreign_loop = 1;
  with.is_hosted = 1;
  with.app = "postgresql";
  with.event_mask = (1U << TIDE_EVENT_CONNECT) | (1U << TIDE_EVENT_REMOVE) | (1U << TIDE_EVENT_ALERT);
  with.on_event = on_pool_event;
  with.event_context = hosted;
  if (tide_pool_open_with(hosted->name, hosted->conninfo, options.data, &with, &hosted->pool, error) != TIDE_OK) {
    /* This option cannot be set on a server. */
    if (strstr(error->hint, "dir") != NULL)
      strlcpy(error->hint,
              "Set tidepool.dir to a directory that the server's operating-system user may write to, and reload.",
              sizeof error->hint);
    return false;
  }
  hosted->watch.ready = on_pool;
  if (tide_pool_fd(hosted->pool, &hosted->watch.fd, error) == TIDE_OK &&
      tide_pool_instance_id(hosted->pool, hosted->instance, error) == TIDE_OK && watch_begin(&hosted->watch, EPOLLIN))
    return true;
  (void)tide_pool_close(hosted->pool, 0, NULL);
  refuse(error, "53000", "could not watch the descriptor of a pool", "");
  return false;
}

static void retire(HostedPool* hosted) {
  if (hosted->is_retired) return;
  hosted->is_retired = true;
  hosted->is_due = true;
  hosted->retired_ms = now_ms();
}

void pools_retire_all(void) {
  dlist_iter i;
  dlist_foreach(i, &hosted_pools) retire(dlist_container(HostedPool, node, i.cur));
}

void pools_drop(const WireKey* key) {
  dlist_iter i;
  dlist_foreach(i, &hosted_pools) {
    HostedPool* hosted = dlist_container(HostedPool, node, i.cur);
    if (hosted->key.database == key->database && (key->server == InvalidOid || hosted->key.server == key->server) &&
        (key->mapping == InvalidOid || hosted->key.mapping == key->mapping))
      retire(hosted);
  }
}

static bool is_same(const HostedPool* hosted, const char* conninfo, const char* options, int64 min_size,
                    int64 max_size) {
  return strcmp(hosted->conninfo, conninfo) == 0 && strcmp(hosted->options, options) == 0 &&
         hosted->min_given == min_size && hosted->max_given == max_size;
}

HostedPool* hosted_pool_for(const WireKey* key, const char* name, const char* conninfo, const char* options,
                            int64 min_size, int64 max_size, tide_error* error) {
  HostedPool* hosted;
  dlist_iter i;
  dlist_foreach(i, &hosted_pools) {
    hosted = dlist_container(HostedPool, node, i.cur);
    if (hosted->is_retired || memcmp(&hosted->key, key, sizeof *key) != 0) continue;
    if (is_same(hosted, conninfo, options, min_size, max_size)) return hosted;
    retire(hosted);
  }
  if (!setting_is_on("tidepool.worker")) {
    refuse(error, "55000", "tidepool hosts no pools: tidepool.worker is off", "Set it to on and reload the server.");
    return NULL;
  }
  hosted = MemoryContextAllocZero(TopMemoryContext, sizeof *hosted);
  hosted->key = *key;
  hosted->conninfo = MemoryContextStrdup(TopMemoryContext, conninfo);
  hosted->options = MemoryContextStrdup(TopMemoryContext, options);
  hosted->min_given = min_size;
  hosted->max_given = max_size;
  strlcpy(hosted->name, name, sizeof hosted->name);
  if (!open_pool(hosted, error)) {
    free_hosted_pool(hosted);
    return NULL;
  }
  dlist_push_head(&hosted_pools, &hosted->node);
  hosted_pool_touch(hosted);
  return hosted;
}

/* True if the pool was closed. */
static bool try_to_close(HostedPool* hosted, double now) {
  if (hosted->leases > 0 || hosted->requests > 0) return false;
  if (hosted->connections > 0 && !hosted->is_draining) {
    tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
    with.directory = segment_directory();
    with.actor = "tidepool worker";
    hosted->is_draining = true;
    hosted->retired_ms = now;
    if (tide_control_with(hosted->instance, "drain", NULL, 0, &with, NULL, NULL) == TIDE_OK) return false;
  }
  if (hosted->connections > 0 && now < hosted->retired_ms + kDrainMs) return false;
  close_now(hosted);
  return true;
}

/* The budget of a drained pool may have been given to others. If the pool is resumed then, it is replaced by a new
 * pool, which gets what is left. */
static void follow_drained(HostedPool* hosted) {
  look_at_state(hosted);
  if (!hosted->is_drained && budget_left() < 0) retire(hosted);
}

/* How long a pool may be unused; 0 is unlimited. */
static int64 idle_limit_ms(void) {
  const int64 limit_ms = setting_int("tidepool.hosted_idle_timeout", 300000);
  if (!is_server_stopping()) return limit_ms;
  return limit_ms > 0 ? Min(limit_ms, kStoppingMs) : kStoppingMs;
}

double pools_step(void) {
  const int64 idle_ms = idle_limit_ms();
  const bool is_hosting = setting_is_on("tidepool.worker");
  const double now = now_ms();
  double next = now + 60000;
  dlist_mutable_iter i;
  dlist_foreach_modify(i, &hosted_pools) {
    HostedPool* hosted = dlist_container(HostedPool, node, i.cur);
    const bool is_unused = hosted->leases == 0 && hosted->requests == 0;
    if (!is_hosting || (is_unused && idle_ms > 0 && now >= hosted->used_ms + (double)idle_ms)) retire(hosted);
    if (hosted->is_drained && now >= hosted->due_ms) follow_drained(hosted);
    if (hosted->is_due || now >= hosted->due_ms) {
      int64_t within_ms = 1000;
      hosted->is_due = false;
      (void)tide_pool_step(hosted->pool, &within_ms, NULL);
      alerts_look(hosted, segment_directory());
      hosted->due_ms = now + (double)within_ms;
    }
    if (hosted->is_retired && try_to_close(hosted, now)) continue;
    next = Min(next, hosted->is_retired ? now + 20 : hosted->due_ms);
  }
  return next - now;
}

int pools_count(void) {
  int count = 0;
  dlist_iter i;
  dlist_foreach(i, &hosted_pools)++ count;
  return count;
}

void pools_list(WireOut* out) {
  uint32 count = 0;
  dlist_iter i;
  wire_put_u32(out, Min((uint32)pools_count(), WIRE_LISTED_MAX));
  dlist_foreach(i, &hosted_pools) {
    const HostedPool* hosted = dlist_container(HostedPool, node, i.cur);
    if (++count > WIRE_LISTED_MAX) break;
    wire_put_key(out, &hosted->key);
    wire_put_text(out, hosted->instance);
    wire_put_u64(out, (uint64)hosted->used_at);
    wire_put_u32(out, hosted->is_retired);
  }
}
