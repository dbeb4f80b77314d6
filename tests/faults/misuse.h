/* Shared by the parts of the misuse test: counted checks, short functions for opening, and waiting for a condition. */
#ifndef TIDEPOOL_TESTS_MISUSE_H
#define TIDEPOOL_TESTS_MISUSE_H

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <tidepool/tidepool.h>

/* Sanitizers need descriptors and address space themselves, and their allocator may be locked in a child of fork(). */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

extern int failures;
extern char folder[];

void check(int ok, const char* what, const char* file, int line);
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* The call must return `expected`; a refusal must explain itself in the error struct. */
void answered(tide_status expected, tide_status got, const tide_error* err, const char* file, int line);
#define EXPECT(expected, call)                           \
  do {                                                   \
    tide_error err = TIDE_ERROR_INIT;                    \
    tide_status got = (call);                            \
    answered((expected), got, &err, __FILE__, __LINE__); \
  } while (0)

/* Waits until `condition` holds, for at most 10 s; poll() without descriptors is used to sleep. */
#define EVENTUALLY(condition)                                                   \
  do {                                                                          \
    int looks_;                                                                 \
    for (looks_ = 0; looks_ < 2000 && !(condition); looks_++) poll(NULL, 0, 5); \
    check((condition) ? 1 : 0, "eventually " #condition, __FILE__, __LINE__);   \
  } while (0)

/* A pool on its own database, named after the pool. NULL, and a counted failure, if it cannot be opened. */
tide_pool* open_pool(const char* name, const char* options, const tide_pool_options* with);
/* Column `column` of the only row of `relation` for `pool`; "" if there is none. */
const char* read_column(const char* relation, const char* pool, const char* column, char* out, size_t bytes);

void misuse_handles(void);
void misuse_leases(void);
void misuse_statements(void);
void misuse_callbacks(void);
void misuse_drivers(void);
void misuse_disk(void);
void misuse_close(void);
void misuse_fork(void);
void misuse_limits(void);
void features(void);

#endif
