/*
 * Relays: forward the bytes of TLS sessions, because the session's keys are in this process and cannot be passed on.
 *
 *   backend <- plain socket pair -> worker <- SSL_read, SSL_write -> server
 *
 * Each direction has one buffer; while it is full its source is not read, so a slow reader delays only itself. The end
 * of file on one side ends the relay: the backend's socket is closed.
 */
#include "worker.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libpq-fe.h>

#define RELAY_BYTES 65536

typedef struct Pipe {
  size_t begin, end;
  char bytes[RELAY_BYTES];
} Pipe;

struct Relay {
  Watch near; /* towards the backend */
  Watch far;  /* towards the server */
  SSL* ssl;
  bool is_over;     /* no more data is forwarded */
  bool is_broken;   /* ... because of an error, or bytes were lost */
  bool wants_write; /* TLS must write before it can continue */
  uint32 near_events, far_events;
  Pipe up;   /* backend to server */
  Pipe down; /* server to backend */
};

static bool is_empty(const Pipe* pipe) { return pipe->begin == pipe->end; }
static bool is_full(const Pipe* pipe) { return pipe->end == RELAY_BYTES; }
static void advance(Pipe* pipe, size_t count) {
  pipe->begin += count;
  if (is_empty(pipe)) pipe->begin = pipe->end = 0;
}

static void break_off(Relay* relay) { relay->is_over = relay->is_broken = true; }

/* Each of these returns true if any data was forwarded. */
static bool read_near(Relay* relay) {
  Pipe* up = &relay->up;
  ssize_t count;
  if (is_full(up)) return false;
  count = recv(relay->near.fd, up->bytes + up->end, RELAY_BYTES - up->end, MSG_DONTWAIT);
  /* A backend that closed before it had read everything shows as ECONNRESET. */
  if (count == 0) relay->is_over = true;
  if (count < 0 && errno != EAGAIN && errno != EINTR) break_off(relay);
  if (count > 0) up->end += (size_t)count;
  return count > 0;
}

static bool write_near(Relay* relay) {
  Pipe* down = &relay->down;
  ssize_t count;
  if (is_empty(down)) return false;
  count = send(relay->near.fd, down->bytes + down->begin, down->end - down->begin, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != EINTR) break_off(relay);
  if (count > 0) advance(down, (size_t)count);
  return count > 0;
}

static bool went(Relay* relay, int result) {
  const int why = result > 0 ? SSL_ERROR_NONE : SSL_get_error(relay->ssl, result);
  if (why == SSL_ERROR_NONE) return true;
  if (why == SSL_ERROR_WANT_WRITE) {
    relay->wants_write = true;
  } else if (why != SSL_ERROR_WANT_READ) {
    break_off(relay);
  }
  return false;
}

static bool read_far(Relay* relay) {
  Pipe* down = &relay->down;
  int count;
  if (is_full(down)) return false;
  ERR_clear_error();
  count = SSL_read(relay->ssl, down->bytes + down->end, (int)(RELAY_BYTES - down->end));
  if (!went(relay, count)) return false;
  down->end += (size_t)count;
  return true;
}

static bool write_far(Relay* relay) {
  Pipe* up = &relay->up;
  int count;
  if (is_empty(up)) return false;
  ERR_clear_error();
  count = SSL_write(relay->ssl, up->bytes + up->begin, (int)(up->end - up->begin));
  if (!went(relay, count)) return false;
  advance(up, (size_t)count);
  return true;
}

static void shut(Relay* relay) {
  watch_end(&relay->far);
  watch_end(&relay->near);
  shutdown(relay->near.fd, SHUT_RDWR);
}

static void pump(Relay* relay) {
  bool is_moving = true;
  uint32 near, far;
  relay->wants_write = false;
  for (int round = 0; is_moving && !relay->is_over && round < 16; ++round) {
    is_moving = read_near(relay);
    if (!relay->is_over && write_far(relay)) is_moving = true;
    if (!relay->is_over && read_far(relay)) is_moving = true;
    if (!relay->is_over && write_near(relay)) is_moving = true;
  }
  if (relay->is_over) {
    shut(relay);
    return;
  }
  near = (is_full(&relay->up) ? 0 : EPOLLIN) | (is_empty(&relay->down) ? 0 : EPOLLOUT);
  /* Data that TLS has already decrypted causes no event: do not sleep. */
  far = (is_full(&relay->down) ? 0 : EPOLLIN) |
        (is_empty(&relay->up) && !relay->wants_write && !(SSL_pending(relay->ssl) > 0 && !is_full(&relay->down))
             ? 0
             : EPOLLOUT);
  if (near != relay->near_events) watch_change(&relay->near, relay->near_events = near);
  if (far != relay->far_events) watch_change(&relay->far, relay->far_events = far);
}

static void on_near(Watch* watch, uint32 events) { pump((Relay*)((char*)watch - offsetof(Relay, near))); }
static void on_far(Watch* watch, uint32 events) { pump((Relay*)((char*)watch - offsetof(Relay, far))); }

Relay* relay_begin(void* conn, int* passed_fd) {
  SSL* ssl = PQsslStruct(conn, "OpenSSL");
  int pair[2];
  Relay* relay;
  if (ssl == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return NULL;
  relay = MemoryContextAllocZero(TopMemoryContext, sizeof *relay);
  relay->ssl = ssl;
  relay->near = (Watch){pair[0], on_near};
  /* A duplicate, because the pool's keeper watches the original descriptor. */
  relay->far = (Watch){dup(PQsocket(conn)), on_far};
  relay->near_events = relay->far_events = EPOLLIN;
  SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (watch_begin(&relay->near, EPOLLIN) && watch_begin(&relay->far, EPOLLIN)) {
    *passed_fd = pair[1];
    return relay;
  }
  close(pair[1]);
  (void)relay_end(relay);
  return NULL;
}

bool relay_end(Relay* relay) {
  bool is_clean;
  if (!relay->is_over) {
    (void)read_near(relay);
    shut(relay);
  }
  is_clean = !relay->is_broken && is_empty(&relay->up) && is_empty(&relay->down);
  close(relay->near.fd);
  close(relay->far.fd);
  free_later(relay);
  return is_clean;
}
