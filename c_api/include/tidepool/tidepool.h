/*
 * tidepool: in-process connection pools for PostgreSQL and SQLite, inspected and controlled through SQL.
 *
 *   #include <tidepool/tidepool.h>        link with: pkg-config --libs tidepool
 *
 * The conventions of the API (errors, threads, handles, strings, structs, times) are in base.h.
 */
#ifndef TIDEPOOL_TIDEPOOL_H
#define TIDEPOOL_TIDEPOOL_H

#include <tidepool/base.h>
#include <tidepool/cache.h>
#include <tidepool/cancel.h>
#include <tidepool/control.h>
#include <tidepool/driver.h>
#include <tidepool/export.h>
#include <tidepool/listen.h>
#include <tidepool/loop.h>
#include <tidepool/observe.h>
#include <tidepool/pool.h>
#include <tidepool/query.h>
#include <tidepool/registry.h>
#include <tidepool/transaction.h>

#endif
