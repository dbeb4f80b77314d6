/*
 * The line between a backend and the worker that hosts pools: messages over a Unix socket of the data directory.
 *
 * One message is one packet (SOCK_SEQPACKET): a head, then its fields in a fixed order. Both ends are modules of one
 * build on one machine, which the hello proves, so numbers travel as they lie in memory. What is read is checked all
 * the same: lengths, terminators and ends. Plain C: neither the server's nor the pool's headers.
 *
 *   backend                                   worker
 *   HELLO   magic, version, build         ->
 *                                         <-  WELCOME + the lingering leases' memory, or REFUSED message
 *   LEASE   request, where, what, how long ->
 *                                         <-  LEASED + descriptor, or FAILED
 *   RELEASE, WITHDRAW                     ->  (no answer)
 *   DROPPED magic, version, whose         ->  (no answer; needs no hello before it)
 *   LIST                                  ->
 *                                         <-  LISTED
 */
#ifndef TIDEPOOL_PG_WIRE_H
#define TIDEPOOL_PG_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Below the data directory, which is every server process's working directory and open to the server's user only. */
#define WIRE_SOCKET "pg_stat_tmp/tidepool.sock"
#define WIRE_MAGIC UINT32_C(0x54494445)
#define WIRE_VERSION 2
#define WIRE_BYTES_MAX 32768
#define WIRE_LISTED_MAX 256

typedef enum WireKind {
  WIRE_HELLO = 1,
  WIRE_LEASE,
  WIRE_RELEASE,
  WIRE_WITHDRAW,
  WIRE_LIST,
  WIRE_DROPPED,
  WIRE_WELCOME = 101,
  WIRE_REFUSED,
  WIRE_LEASED,
  WIRE_FAILED,
  WIRE_LISTED,
} WireKind;

/* In what state a lease comes back. */
typedef enum WireState {
  WIRE_CLEAN,     /* idle, outside of a transaction: reset it and lend it again */
  WIRE_SPOILED,   /* close the connection */
  WIRE_RUNNING,   /* something still runs: interrupt it, then close the connection */
  WIRE_UNTOUCHED, /* the worker, of a lease that never reached its backend: lend it again as it is */
} WireState;

typedef struct WireHead {
  uint32_t kind;
  uint32_t length; /* of the whole packet */
  uint64_t id;     /* of the request, or of the lease */
} WireHead;

/* Whose pool it is. In DROPPED, 0 stands for all: of the server, or of the database. */
typedef struct WireKey {
  uint32_t database;
  uint32_t server;
  uint32_t mapping;
} WireKey;

/* A packet being written. What does not fit is dropped, and the packet is not sent (wire_is_whole). */
typedef struct WireOut {
  size_t length;
  bool is_cut;
  _Alignas(8) char bytes[WIRE_BYTES_MAX];
} WireOut;

/* A packet being read. Once something is missing or malformed every further field is empty and is_bad stays set. */
typedef struct WireIn {
  size_t length;
  size_t at;
  bool is_bad;
  int fd; /* that came along, or -1; whoever takes it sets this to -1 */
  _Alignas(8) char bytes[WIRE_BYTES_MAX];
} WireIn;

void wire_begin(WireOut* out, WireKind kind, uint64_t id);
void wire_put_u32(WireOut* out, uint32_t value);
void wire_put_u64(WireOut* out, uint64_t value);
void wire_put_key(WireOut* out, const WireKey* key);
/* The whole message. */
void wire_put_dropped(WireOut* out, const WireKey* key);
/* NULL travels as "". */
void wire_put_text(WireOut* out, const char* text);

WireHead wire_head(const WireIn* in);
uint32_t wire_get_u32(WireIn* in);
uint64_t wire_get_u64(WireIn* in);
WireKey wire_get_key(WireIn* in);
/* False: it is malformed, or of another build. */
bool wire_get_dropped(WireIn* in, WireKey* key);
/* Lives as long as `in`; never NULL. */
const char* wire_get_text(WireIn* in);
/* Every field was there and nothing is left. */
bool wire_is_finished(const WireIn* in);

typedef enum WireResult {
  WIRE_DONE,
  WIRE_LATER,  /* nothing there, or no room: wait */
  WIRE_BROKEN, /* the other end is gone or speaks something else; errno may tell (0: end of file) */
} WireResult;

/* Neither waits. `fd` goes along unless it is negative; it stays the caller's. */
WireResult wire_send(int line, WireOut* out, int fd);
WireResult wire_receive(int line, WireIn* in);
/* A line to the worker, which does not wait; -1: errno says why not. */
int wire_connect(void);
/* Whether the process at the other end runs as the same user as this one; sets its id. */
bool wire_is_same_user(int line, int32_t* pid);

#endif
