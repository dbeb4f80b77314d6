/*
 * tidepool for C++20: pools, leases, transactions and results as objects, typed rows, coroutines.
 *
 *   #include <tidepool/tidepool.hpp>        link with: pkg-config --libs tidepool
 *
 * It consists of headers only and calls the C API, so that a program depends on the C ABI alone. docs/cpp.md is the guide.
 *
 *   tidepool::pool pool("app", "postgresql://db/app");
 *   for (auto [id, name] : pool.query<int64_t, std::string_view>("select id, name from users where age > $1", 30)) ...
 */
#pragma once

#include <tidepool/tidepool.h>
#include <tidepool/async.hpp>
#include <tidepool/calls.hpp>
#include <tidepool/cancel.hpp>
#include <tidepool/codecs.hpp>
#include <tidepool/error.hpp>
#include <tidepool/export.hpp>
#include <tidepool/listen.hpp>
#include <tidepool/options.hpp>
#include <tidepool/parameters.hpp>
#include <tidepool/pool.hpp>
#include <tidepool/registry.hpp>
#include <tidepool/result.hpp>
#include <tidepool/structs.hpp>
#include <tidepool/timestamp.hpp>
#include <tidepool/transaction.hpp>
#include <tidepool/value.hpp>
