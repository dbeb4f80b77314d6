/*
 * Protocol between a backend and the worker that hosts pools: messages over a Unix socket in the data directory.
 *
 * One message is one packet (SOCK_SEQPACKET): a header, then its fields in a fixed order. Both ends are modules of the
 * same build on the same machine, which HELLO verifies, so numbers are sent in their memory representation. Input is
 * validated nevertheless: lengths, terminators and ends. Plain C, without headers of the server or the pool.
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

/* Relative to the data directory, which is the working directory of every server process and accessible to the server's
 * user only. */
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

/* State in which a lease is returned. */
typedef enum WireState {
  WIRE_CLEAN,     /* idle, outside of a transaction: reset and reuse it */
  WIRE_SPOILED,   /* close the connection */
  WIRE_RUNNING,   /* a statement is still running: interrupt it, then close the connection */
  WIRE_UNTOUCHED, /* set by the worker for a lease that never reached its backend: reuse it as it is */
} WireState;

typedef struct WireHead {
  uint32_t kind;
  uint32_t length; /* of the whole packet */
  uint64_t id;     /* of the request, or of the lease */
} WireHead;

/* Identifies a pool. In DROPPED, 0 means all pools of the server, or of the database. */
typedef struct WireKey {
  uint32_t database;
  uint32_t server;
  uint32_t mapping;
} WireKey;

/* A packet being written. Fields that do not fit are dropped, and the packet is not sent (wire_is_whole). */
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
  int fd; /* received with the packet, or -1; the code that takes it sets this to -1 */
  _Alignas(8) char bytes[WIRE_BYTES_MAX];
} WireIn;

void wire_begin(WireOut* out, WireKind kind, uint64_t id);
void wire_put_u32(WireOut* out, uint32_t value);
void wire_put_u64(WireOut* out, uint64_t value);
void wire_put_key(WireOut* out, const WireKey* key);
/* The whole message. */
void wire_put_dropped(WireOut* out, const WireKey* key);
/* NULL is sent as "". */
void wire_put_text(WireOut* out, const char* text);

WireHead wire_head(const WireIn* in);
uint32_t wire_get_u32(WireIn* in);
uint64_t wire_get_u64(WireIn* in);
WireKey wire_get_key(WireIn* in);
/* False if the message is malformed, or from another build. */
bool wire_get_dropped(WireIn* in, WireKey* key);
/* Valid as long as `in`; never NULL. */
const char* wire_get_text(WireIn* in);
/* True if every field was present and nothing is left. */
bool wire_is_finished(const WireIn* in);

typedef enum WireResult {
  WIRE_DONE,
  WIRE_LATER,  /* nothing to read, or no room to write: wait */
  WIRE_BROKEN, /* the other end has closed or sent something else; see errno (0: end of file) */
} WireResult;

/* Neither function waits. `fd` is sent with the message unless it is negative; it remains the caller's. */
WireResult wire_send(int line, WireOut* out, int fd);
WireResult wire_receive(int line, WireIn* in);
/* Connects to the worker, in non-blocking mode; -1 on failure, with errno set. */
int wire_connect(void);
/* True if the process at the other end runs as the same user as this one; sets its id. */
bool wire_is_same_user(int line, int32_t* pid);

#endif
