/*
 * The line to the worker: one connection per backend, opened at first use and kept.
 *
 * A restarted worker has lost all leases, so the line's number is incremented, and leases of an old number are void. No
 * lock or pin is held while waiting.
 */
#include "query.h"

#include <miscadmin.h>
#include <poll.h>
#include <storage/fd.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/report.h"

#define OPEN_TRIES 40 /* 50 ms apart, while a preloaded worker is starting */

static int line = -1;
static uint64 number = 0;
static uint64 requests = 0;
static WaitEventSet* wait_set = NULL;
static int watched = -1; /* a separate epoll: descriptors are added and removed, which a WaitEventSet cannot do */
#define BRIEFLY_MS 5     /* maximum delay of an interrupt that arrives just before poll() */

static LingerBoard* board = NULL; /* of the current worker; NULL: no lease can linger */
static WireOut out;
static WireIn in;

uint64 line_number(void) { return number; }

static void line_close(void) {
  if (line >= 0) close(line);
  line = -1;
}

static void prepare_waiting(void) {
  if (wait_set != NULL) return;
  if (watched < 0) {
    ReserveExternalFD();
    ReserveExternalFD();
    watched = epoll_create1(EPOLL_CLOEXEC);
  }
  if (watched < 0) ereport(ERROR, (errcode_for_socket_access(), errmsg("could not create an epoll descriptor: %m")));
  wait_set = tidepool_create_wait_event_set(3);
  AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
  AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
  AddWaitEventToSet(wait_set, WL_SOCKET_READABLE, watched, NULL, NULL);
}

bool line_watch(int fd, bool for_write) {
  struct epoll_event event = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0)};
  return epoll_ctl(watched, EPOLL_CTL_ADD, fd, &event) == 0 ||
         (errno == EEXIST && epoll_ctl(watched, EPOLL_CTL_MOD, fd, &event) == 0);
}

void line_unwatch(int fd) { (void)epoll_ctl(watched, EPOLL_CTL_DEL, fd, NULL); }

/* Discards late answers, which may contain a descriptor, and detects a worker that has exited. */
void line_sweep(void) {
  while (line >= 0) {
    const WireResult got = wire_receive(line, &in);
    if (got == WIRE_LATER) return;
    if (got == WIRE_BROKEN) line_close();
    if (in.fd >= 0) close(in.fd);
  }
}

bool line_is_lost(uint64 of_line) {
  line_sweep();
  return line < 0 || of_line != number;
}

void line_wait(void) {
  WaitEvent event;
  (void)WaitEventSetWait(wait_set, -1, &event, 1, PG_WAIT_EXTENSION);
  if ((event.events & WL_LATCH_SET) != 0) {
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

/* A signal interrupts poll() unless it arrives just before; therefore wait at most BRIEFLY_MS. */
bool line_wait_briefly(int fd) {
  struct pollfd waited = {.fd = fd, .events = POLLIN};
  CHECK_FOR_INTERRUPTS();
  return poll(&waited, 1, BRIEFLY_MS) > 0;
}

static bool is_preloaded(void) {
  const char* libraries = GetConfigOption("shared_preload_libraries", true, false);
  return libraries != NULL && strstr(libraries, "tidepool") != NULL;
}

static void report_no_worker(int error) {
  if (!is_preloaded()) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("no worker hosts pools on this server"),
                    errhint("Set shared_preload_libraries = 'tidepool' and restart the server.")));
  }
  errno = error;
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("the worker that hosts pools does not answer"), errdetail("\"%s\": %m", WIRE_SOCKET),
                  errhint("It may be starting, or tidepool.worker is off; see the server's log.")));
}

static bool try_to_connect(void) {
  line = wire_connect();
  if (line < 0) return false;
  if (line_watch(line, false)) return true;
  {
    const int save_errno = errno;
    line_close();
    errno = save_errno;
  }
  return false;
}

static void pause_ms(long ms) {
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

/* False if the line broke. */
static bool send_out(void) {
  for (;;) {
    const WireResult sent = wire_send(line, &out, -1);
    if (sent == WIRE_DONE) return true;
    if (sent == WIRE_BROKEN) return false;
    pause_ms(10); /* the worker's socket buffer is full */
  }
}

/* Receives the next message of this request; messages of older requests are dropped. False if the line broke. */
static bool receive(uint64 id) {
  while (line >= 0) {
    const WireResult got = wire_receive(line, &in);
    if (got == WIRE_BROKEN) return false;
    if (got == WIRE_LATER) {
      if (!line_wait_briefly(line)) line_wait();
    } else if (wire_head(&in).id == id) {
      return true;
    } else if (in.fd >= 0) {
      close(in.fd);
    }
  }
  return false;
}

/* Leases can linger only with this memory. */
static void take_board(void) {
  linger_board_unmap(board);
  board = linger_board_map(in.fd);
  if (in.fd >= 0) close(in.fd);
  in.fd = -1;
}

/* False if the worker exited during the handshake. */
static bool greet(void) {
  wire_begin(&out, WIRE_HELLO, 0);
  wire_put_u32(&out, WIRE_MAGIC);
  wire_put_u32(&out, WIRE_VERSION);
  wire_put_text(&out, TIDE_VERSION_TEXT);
  if (!send_out() || !receive(0)) return false;
  if (wire_head(&in).kind == WIRE_WELCOME) {
    take_board();
    return true;
  }
  line_close();
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("the worker that hosts pools is from another build of tidepool"),
                  errdetail("The worker is version %s, this module is %s.", wire_get_text(&in), TIDE_VERSION_TEXT),
                  errhint("Restart the server, so that both are from the installed version.")));
}

static void line_open(void) {
  if (line >= 0) line_sweep();
  if (line >= 0) return;
  prepare_waiting();
  for (int tries = 0;; ++tries) {
    if (try_to_connect()) {
      ++number;
      PG_TRY();
      {
        if (!greet()) line_close();
      }
      PG_CATCH();
      {
        line_close();
        PG_RE_THROW();
      }
      PG_END_TRY();
      if (line >= 0) return;
      errno = ECONNRESET;
    }
    {
      const int error = errno;
      const bool may_come = error == ENOENT || error == ECONNREFUSED || error == EAGAIN || error == ECONNRESET;
      if (!may_come || tries >= OPEN_TRIES || !is_preloaded()) report_no_worker(error);
    }
    pause_ms(50);
  }
}

static void pack_wish(const Target* target, const char* tag) {
  const WireKey key = {MyDatabaseId, target->server, target->mapping};
  wire_begin(&out, WIRE_LEASE, ++requests);
  wire_put_key(&out, &key);
  wire_put_u64(&out, (uint64)target->acquire_timeout_ms);
  wire_put_u64(&out, (uint64)target->connect_timeout_ms);
  wire_put_u64(&out, (uint64)target->min_size);
  wire_put_u64(&out, (uint64)target->max_size);
  wire_put_text(&out, target->pool);
  wire_put_text(&out, target->conninfo);
  wire_put_text(&out, target->options);
  wire_put_text(&out, tag);
  if (out.is_cut) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("the options of server \"%s\" are too long", target->key.server)));
  }
}

static void unpack_failure(const Target* target) {
  tide_error error = TIDE_ERROR_INIT;
  error.status = (int32)wire_get_u32(&in);
  strlcpy(error.sqlstate, wire_get_text(&in), sizeof error.sqlstate);
  strlcpy(error.message, wire_get_text(&in), sizeof error.message);
  strlcpy(error.detail, wire_get_text(&in), sizeof error.detail);
  strlcpy(error.hint, wire_get_text(&in), sizeof error.hint);
  tidepool_report(&error, psprintf("server \"%s\"", target->key.server));
}

static void unpack_lease(Lent* lent) {
  uint32 slot;
  memset(lent, 0, sizeof *lent);
  lent->lease = wire_get_u64(&in);
  lent->server_pid = (int)wire_get_u32(&in);
  lent->used_password = wire_get_u32(&in) != 0;
  lent->is_relayed = wire_get_u32(&in) != 0;
  slot = wire_get_u32(&in);
  lent->slot = board != NULL && slot < LINGER_SLOTS ? &board->slots[slot] : NULL;
  strlcpy(lent->instance, wire_get_text(&in), sizeof lent->instance);
  while (!in.is_bad && in.at < in.length) {
    const char* text = wire_get_text(&in);
    const size_t bytes = strlen(text) + 1;
    if (bytes > sizeof lent->greeting - lent->greeting_bytes) in.is_bad = true;
    if (in.is_bad) break;
    memcpy(lent->greeting + lent->greeting_bytes, text, bytes);
    lent->greeting_bytes += bytes;
  }
  lent->fd = in.fd;
  if (wire_is_finished(&in) && in.fd >= 0) return;
  if (in.fd >= 0) close(in.fd);
  line_close();
  ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("the worker's answer is malformed")));
}

static void withdraw(uint64 request) {
  if (line < 0) return;
  wire_begin(&out, WIRE_WITHDRAW, request);
  if (wire_send(line, &out, -1) != WIRE_DONE) line_close();
}

/* False if the line broke before the answer. */
static bool try_to_lease(const Target* target, const char* tag) {
  volatile bool is_answered = false;
  line_open();
  pack_wish(target, tag);
  PG_TRY();
  { is_answered = send_out() && receive(requests); }
  PG_CATCH();
  {
    withdraw(requests);
    PG_RE_THROW();
  }
  PG_END_TRY();
  if (!is_answered) line_close();
  return is_answered;
}

void line_lease(const Target* target, const char* tag, Lent* lent) {
  for (int tries = 0; !try_to_lease(target, tag); ++tries) {
    if (tries >= 2) report_no_worker(ECONNRESET);
  }
  if (wire_head(&in).kind != WIRE_LEASED) unpack_failure(target);
  unpack_lease(lent);
}

static void tell(uint64 of_line) {
  if (line < 0 || of_line != number) return;
  if (wire_send(line, &out, -1) != WIRE_DONE) line_close(); /* which ends all leases as well */
}

void line_release(uint64 of_line, uint64 lease, WireState state) {
  wire_begin(&out, WIRE_RELEASE, lease);
  wire_put_u32(&out, (uint32)state);
  tell(of_line);
}

void line_drop(const WireKey* key) {
  wire_put_dropped(&out, key);
  tell(number);
}

bool line_list(WireIn** answer) {
  const uint64 request = ++requests;
  if (!is_preloaded() || access(WIRE_SOCKET, F_OK) != 0) return false;
  line_open();
  wire_begin(&out, WIRE_LIST, request);
  if (!send_out() || !receive(request) || wire_head(&in).kind != WIRE_LISTED) return false;
  *answer = &in;
  return true;
}
