/*
 * Guests: backends come in by the door, greet, ask for connections and give them back.
 *
 * Whoever breaks the protocol is sent away, and so is who leaves: leases it held are cancelled and their connections
 * closed, because nobody knows what state their sessions are in.
 */
#include "worker.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGES_A_TURN 16

static Watch door = {-1, NULL};
static dlist_head guests = DLIST_STATIC_INIT(guests);
static int guests_count = 0;

/* Where messages are packed and unpacked: one at a time. */
static WireOut out;
static WireIn in;

void guest_leave(Guest *guest) {
  if (guest->is_gone) return;
  guest->is_gone = true;
  wishes_orphan(guest);
  while (!dlist_is_empty(&guest->loans)) {
    Loan *loan = dlist_container(Loan, node, dlist_head_node(&guest->loans));
    loan_return(loan, linger_recall(loan) ? WIRE_CLEAN : WIRE_RUNNING);
  }
  watch_end(&guest->watch);
  close(guest->watch.fd);
  dlist_delete(&guest->node);
  --guests_count;
  free_later(guest);
}

void guests_leave(void) {
  while (!dlist_is_empty(&guests)) guest_leave(dlist_container(Guest, node, dlist_head_node(&guests)));
}

void guests_answer(WireOut *answer, Guest *guest, int fd) {
  /* A backend reads what it asked for; one that lets answers pile up is broken. */
  if (!guest->is_gone && wire_send(guest->watch.fd, answer, fd) != WIRE_DONE) guest_leave(guest);
}

static void greet(Guest *guest) {
  const uint32 magic = wire_get_u32(&in);
  const uint32 version = wire_get_u32(&in);
  const char *build = wire_get_text(&in);
  if (wire_is_finished(&in) && magic == WIRE_MAGIC && version == WIRE_VERSION && strcmp(build, TIDE_VERSION_TEXT) == 0) {
    guest->is_greeted = true;
    wire_begin(&out, WIRE_WELCOME, 0);
    guests_answer(&out, guest, linger_fd());
    return;
  }
  wire_begin(&out, WIRE_REFUSED, 0);
  wire_put_text(&out, TIDE_VERSION_TEXT);
  guests_answer(&out, guest, -1);
  guest_leave(guest);
}

static void take_wish(Guest *guest, uint64 request) {
  tide_error error = TIDE_ERROR_INIT;
  const WireKey key = wire_get_key(&in);
  const int64 timeout_ms = (int64)wire_get_u64(&in);
  const int64 min_size = (int64)wire_get_u64(&in);
  const int64 max_size = (int64)wire_get_u64(&in);
  const char *name = wire_get_text(&in);
  const char *conninfo = wire_get_text(&in);
  const char *options = wire_get_text(&in);
  const char *tag = wire_get_text(&in);
  Basin *basin;
  if (!wire_is_finished(&in)) {
    guest_leave(guest);
    return;
  }
  basin = basin_for(&key, name, conninfo, options, min_size, max_size, &error);
  if (basin == NULL) {
    tell_failure(guest, request, error.status, &error);
  } else {
    wish_begin(guest, request, basin, tag, timeout_ms);
  }
}

static void take_return(Guest *guest, uint64 id) {
  const uint32 state = wire_get_u32(&in);
  Loan *loan = loan_find(guest, id);
  if (!wire_is_finished(&in) || loan == NULL) {
    guest_leave(guest);
    return;
  }
  loan_return(loan, state > WIRE_RUNNING ? WIRE_RUNNING : (WireState)state);
}

static void take_message(Guest *guest) {
  const WireHead head = wire_head(&in);
  if (!guest->is_greeted && head.kind != WIRE_HELLO) {
    guest_leave(guest);
    return;
  }
  switch (head.kind) {
    case WIRE_HELLO: greet(guest); break;
    case WIRE_LEASE: take_wish(guest, head.id); break;
    case WIRE_RELEASE: take_return(guest, head.id); break;
    case WIRE_WITHDRAW: wish_withdraw(guest, head.id); break;
    case WIRE_DROPPED: {
      const WireKey key = wire_get_key(&in);
      if (wire_is_finished(&in)) basins_drop(&key);
      break;
    }
    case WIRE_LIST:
      wire_begin(&out, WIRE_LISTED, head.id);
      basins_list(&out);
      guests_answer(&out, guest, -1);
      break;
    default: guest_leave(guest); break;
  }
}

static void on_line(Watch *watch, uint32 events) {
  Guest *guest = (Guest *)watch;
  for (int i = 0; i < MESSAGES_A_TURN && !guest->is_gone; ++i) {
    const WireResult got = wire_receive(watch->fd, &in);
    if (got == WIRE_LATER) return;
    if (got == WIRE_BROKEN) {
      guest_leave(guest);
      return;
    }
    if (in.fd >= 0) close(in.fd); /* nobody is asked for one */
    take_message(guest);
    if (wire_head(&in).kind == WIRE_LEASE) return; /* it waits for the answer: nothing more can be there */
  }
}

static void on_door(Watch *watch, uint32 events) {
  for (;;) {
    Guest *guest;
    int32 pid = 0;
    const int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (!wire_is_same_user(fd, &pid) || guests_count >= GUESTS_MAX) {
      close(fd);
      continue;
    }
    guest = MemoryContextAllocZero(TopMemoryContext, sizeof *guest);
    guest->watch = (Watch){fd, on_line};
    guest->pid = pid;
    dlist_init(&guest->wishes);
    dlist_init(&guest->loans);
    dlist_push_tail(&guests, &guest->node);
    ++guests_count;
    if (!watch_begin(&guest->watch, EPOLLIN)) guest_leave(guest);
  }
}

bool guests_open_door(void) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  strlcpy(where.sun_path, WIRE_SOCKET, sizeof where.sun_path);
  (void)unlink(WIRE_SOCKET); /* of a worker that was killed: there is only one at a time */
  if (bind(fd, (struct sockaddr *)&where, sizeof where) != 0 || chmod(WIRE_SOCKET, 0600) != 0 ||
      listen(fd, 128) != 0) {
    close(fd);
    return false;
  }
  door = (Watch){fd, on_door};
  return watch_begin(&door, EPOLLIN);
}

void guests_close_door(void) {
  watch_end(&door);
  close(door.fd);
  (void)unlink(WIRE_SOCKET);
}
