/*
 * Basins: the hosted pools, one for each server and user mapping of each database.
 *
 * A basin opens at its first wish. When its server or mapping was altered, the next wish comes with another conninfo
 * or other options: a new basin takes over, and the old one closes when its last loan is back. So do basins that
 * nobody used for hosted_idle_timeout, and those whose server was dropped.
 *
 * All of them together never have more than max_hosted_connections connections, counted by their max_size.
 */
#include "worker.h"

#include <sys/epoll.h>

static const double kDrainMs = 15000; /* for sessions to end by themselves; shutting the pool would wait for them */

static dlist_head basins = DLIST_STATIC_INIT(basins);

void basin_touch(Basin *basin) {
  basin->used_ms = now_ms();
  basin->used_at = GetCurrentTimestamp();
  basin->is_due = true;
}

static void on_pool(Watch *watch, uint32 events) { ((Basin *)watch)->is_due = true; }

/* Below are C++ frames: nothing here may raise an error of the server's. */
static void on_pool_event(void *context, const tide_event *event) {
  Basin *basin = context;
  if (event->kind == TIDE_EVENT_CONNECT) ++basin->connections;
  if (event->kind == TIDE_EVENT_REMOVE) --basin->connections;
}

static void refuse(tide_error *error, const char *sqlstate, const char *message, const char *hint) {
  error->status = TIDE_REFUSED;
  strlcpy(error->sqlstate, sqlstate, sizeof error->sqlstate);
  strlcpy(error->message, message, sizeof error->message);
  strlcpy(error->hint, hint, sizeof error->hint);
}

/* What is left of the budget for a pool that would like `wanted`. */
static int64 budget_for(int64 wanted) {
  int64 left = setting_int("tidepool.max_hosted_connections", 100);
  dlist_iter i;
  dlist_foreach(i, &basins) {
    Basin *basin = dlist_container(Basin, node, i.cur);
    /* Who closes keeps only what is still open. */
    left -= basin->is_retired ? basin->connections : basin->max_size;
  }
  return Min(wanted, left);
}

static bool open_pool(Basin *basin, tide_error *error) {
  tide_pool_options with = TIDE_POOL_OPTIONS_INIT;
  const int64 wanted = basin->max_given >= 0 ? basin->max_given : setting_int("tidepool.hosted_max_size", 10);
  const char *directory = GetConfigOption("tidepool.dir", true, false);
  StringInfoData options;
  basin->max_size = budget_for(wanted);
  if (basin->max_size < 1) {
    char message[256];
    snprintf(message, sizeof message, "no connections are left for the pool of server \"%s\"", basin->name);
    refuse(error, "53300", message,
           "All hosted pools together have tidepool.max_hosted_connections; raise it, or lower the max_size of others.");
    return false;
  }
  initStringInfo(&options);
  appendStringInfoString(&options, basin->options);
  appendStringInfo(&options, " min_size=" INT64_FORMAT " max_size=" INT64_FORMAT,
                   Min(Max(basin->min_given, 0), basin->max_size), basin->max_size);
  if (strstr(basin->options, " acquire_timeout=") == NULL)
    appendStringInfo(&options, " acquire_timeout=" INT64_FORMAT,
                     setting_int("tidepool.hosted_acquire_timeout", 10000));
  appendStringInfoString(&options, " init_mode=lazy reset_on_release=full burst=off plane=on");
  if (directory != NULL && directory[0] != '\0') appendStringInfo(&options, " plane_dir=\"%s\"", directory);
  with.foreign_loop = 1;
  with.is_hosted = 1;
  with.app = "postgresql";
  with.event_mask = (1U << TIDE_EVENT_CONNECT) | (1U << TIDE_EVENT_REMOVE);
  with.on_event = on_pool_event;
  with.event_context = basin;
  if (tide_pool_open_with(basin->name, basin->conninfo, options.data, &with, &basin->pool, error) != TIDE_OK)
    return false;
  basin->watch.ready = on_pool;
  if (tide_pool_fd(basin->pool, &basin->watch.fd, error) == TIDE_OK &&
      tide_pool_instance_id(basin->pool, basin->instance, error) == TIDE_OK && watch_begin(&basin->watch, EPOLLIN))
    return true;
  (void)tide_pool_close(basin->pool, 0, NULL);
  refuse(error, "53000", "a pool cannot be watched", "");
  return false;
}

static void free_basin(Basin *basin) {
  if (basin->conninfo != NULL) explicit_bzero(basin->conninfo, strlen(basin->conninfo));
  free_later(basin->conninfo);
  free_later(basin->options);
  free_later(basin);
}

static void retire(Basin *basin) {
  if (basin->is_retired) return;
  basin->is_retired = true;
  basin->is_due = true;
  basin->retired_ms = now_ms();
}

void basins_retire_all(void) {
  dlist_iter i;
  dlist_foreach(i, &basins) retire(dlist_container(Basin, node, i.cur));
}

void basins_drop(const WireKey *key) {
  dlist_iter i;
  dlist_foreach(i, &basins) {
    Basin *basin = dlist_container(Basin, node, i.cur);
    if (basin->key.database == key->database && basin->key.server == key->server &&
        (key->mapping == InvalidOid || basin->key.mapping == key->mapping))
      retire(basin);
  }
}

static bool is_same(const Basin *basin, const char *conninfo, const char *options, int64 min_size, int64 max_size) {
  return strcmp(basin->conninfo, conninfo) == 0 && strcmp(basin->options, options) == 0 &&
         basin->min_given == min_size && basin->max_given == max_size;
}

Basin *basin_for(const WireKey *key, const char *name, const char *conninfo, const char *options, int64 min_size,
                 int64 max_size, tide_error *error) {
  Basin *basin;
  dlist_iter i;
  dlist_foreach(i, &basins) {
    basin = dlist_container(Basin, node, i.cur);
    if (basin->is_retired || memcmp(&basin->key, key, sizeof *key) != 0) continue;
    if (is_same(basin, conninfo, options, min_size, max_size)) return basin;
    retire(basin);
  }
  if (!setting_is_on("tidepool.worker")) {
    refuse(error, "55000", "tidepool hosts no pools: tidepool.worker is off", "Set it on and reload the server.");
    return NULL;
  }
  basin = MemoryContextAllocZero(TopMemoryContext, sizeof *basin);
  basin->key = *key;
  basin->conninfo = MemoryContextStrdup(TopMemoryContext, conninfo);
  basin->options = MemoryContextStrdup(TopMemoryContext, options);
  basin->min_given = min_size;
  basin->max_given = max_size;
  strlcpy(basin->name, name, sizeof basin->name);
  if (!open_pool(basin, error)) {
    free_basin(basin);
    return NULL;
  }
  dlist_push_head(&basins, &basin->node);
  basin_touch(basin);
  return basin;
}

/* True once it is gone. */
static bool try_to_close(Basin *basin, double now) {
  if (basin->loans > 0 || basin->wishes > 0) return false;
  if (basin->connections > 0 && !basin->is_draining) {
    tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
    const char *directory = GetConfigOption("tidepool.dir", true, false);
    if (directory != NULL && directory[0] != '\0') with.directory = directory;
    with.actor = "tidepool worker";
    basin->is_draining = true;
    basin->retired_ms = now;
    if (tide_control_with(basin->instance, "drain", NULL, 0, &with, NULL, NULL) == TIDE_OK) return false;
  }
  if (basin->connections > 0 && now < basin->retired_ms + kDrainMs) return false;
  watch_end(&basin->watch);
  (void)tide_pool_close(basin->pool, 0, NULL);
  dlist_delete(&basin->node);
  free_basin(basin);
  return true;
}

double basins_step(void) {
  const int64 idle_ms = setting_int("tidepool.hosted_idle_timeout", 300000);
  const bool is_hosting = setting_is_on("tidepool.worker");
  const double now = now_ms();
  double next = now + 60000;
  dlist_mutable_iter i;
  dlist_foreach_modify(i, &basins) {
    Basin *basin = dlist_container(Basin, node, i.cur);
    const bool is_unused = basin->loans == 0 && basin->wishes == 0;
    if (!is_hosting || (is_unused && idle_ms > 0 && now >= basin->used_ms + (double)idle_ms)) retire(basin);
    if (basin->is_due || now >= basin->due_ms) {
      int64_t within_ms = 1000;
      basin->is_due = false;
      (void)tide_pool_step(basin->pool, &within_ms, NULL);
      basin->due_ms = now + (double)within_ms;
    }
    if (basin->is_retired && try_to_close(basin, now)) continue;
    next = Min(next, basin->is_retired ? now + 20 : basin->due_ms);
  }
  return next - now;
}

int basins_count(void) {
  int count = 0;
  dlist_iter i;
  dlist_foreach(i, &basins) ++count;
  return count;
}

void basins_list(WireOut *out) {
  uint32 count = 0;
  dlist_iter i;
  wire_put_u32(out, Min((uint32)basins_count(), WIRE_LISTED_MAX));
  dlist_foreach(i, &basins) {
    const Basin *basin = dlist_container(Basin, node, i.cur);
    if (++count > WIRE_LISTED_MAX) break;
    wire_put_key(out, &basin->key);
    wire_put_text(out, basin->instance);
    wire_put_u64(out, (uint64)basin->used_at);
    wire_put_u32(out, basin->is_retired);
  }
}
