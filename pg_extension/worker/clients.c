/*
 * Clients: backends connect to the socket, exchange versions, request connections and return them.
 *
 * A client that violates the protocol is disconnected. When a client disconnects, its leases are cancelled and their
 * connections closed, because the state of their sessions is unknown.
 */
#include "worker.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGES_A_TURN 16
#define CONNECT_TIMEOUT_MS 5000 /* the option's default */
#define ANSWER_MS 20            /* for the report of a connection attempt that failed by timeout */

static Watch door = {-1, NULL};
static dlist_head clients = DLIST_STATIC_INIT(clients);
static int clients_count = 0;

/* Buffers for packing and unpacking messages, one at a time. */
static WireOut out;
static WireIn in;

static void client_leave(Client* client) {
  requests_orphan(client);
  while (!dlist_is_empty(&client->leases)) {
    ClientLease* lent = dlist_container(ClientLease, node, dlist_head_node(&client->leases));
    lease_return(lent, linger_recall(lent) ? WIRE_CLEAN : WIRE_RUNNING);
  }
  watch_end(&client->watch);
  close(client->watch.fd);
  dlist_delete(&client->node);
  --clients_count;
  free_later(client);
}

void clients_leave(void) {
  while (!dlist_is_empty(&clients)) client_leave(dlist_container(Client, node, dlist_head_node(&clients)));
}

void clients_sweep(void) {
  dlist_mutable_iter i;
  dlist_foreach_modify(i, &clients) {
    Client* client = dlist_container(Client, node, i.cur);
    if (client->is_broken) client_leave(client);
  }
}

static void greet(Client* client) {
  const uint32 magic = wire_get_u32(&in);
  const uint32 version = wire_get_u32(&in);
  const char* build = wire_get_text(&in);
  if (wire_is_finished(&in) && magic == WIRE_MAGIC && version == WIRE_VERSION &&
      strcmp(build, TIDE_VERSION_TEXT) == 0) {
    client->is_greeted = true;
    wire_begin(&out, WIRE_WELCOME, 0);
    (void)client_tell(client, &out, linger_fd());
    return;
  }
  wire_begin(&out, WIRE_REFUSED, 0);
  wire_put_text(&out, TIDE_VERSION_TEXT);
  (void)client_tell(client, &out, -1);
  client->is_broken = true;
}

static void take_request(Client* client, uint64 request_id) {
  tide_error error = TIDE_ERROR_INIT;
  const WireKey key = wire_get_key(&in);
  int64 timeout_ms = (int64)wire_get_u64(&in);
  const int64 connect_timeout_ms = (int64)wire_get_u64(&in);
  const int64 min_size = (int64)wire_get_u64(&in);
  const int64 max_size = (int64)wire_get_u64(&in);
  const char* name = wire_get_text(&in);
  const char* conninfo = wire_get_text(&in);
  const char* options = wire_get_text(&in);
  const char* tag = wire_get_text(&in);
  HostedPool* hosted;
  if (!wire_is_finished(&in)) {
    client->is_broken = true;
    return;
  }
  hosted = hosted_pool_for(&key, name, conninfo, options, min_size, max_size, &error);
  if (hosted == NULL) {
    tell_failure(client, request_id, error.status, &error);
  } else {
    if (timeout_ms < 0) timeout_ms = setting_int("tidepool.hosted_acquire_timeout", 10000);
    /* As long as no connection attempt has succeeded, report the reason early instead of waiting. */
    if (hosted->connections == 0)
      timeout_ms = Min(timeout_ms, connect_timeout_ms < 0 ? CONNECT_TIMEOUT_MS : connect_timeout_ms + ANSWER_MS);
    request_begin(client, request_id, hosted, tag, timeout_ms);
  }
}

static void take_return(Client* client, uint64 id) {
  const uint32 state = wire_get_u32(&in);
  ClientLease* lent = lease_find(client, id);
  if (!wire_is_finished(&in) || lent == NULL) {
    client->is_broken = true;
    return;
  }
  lease_return(lent, state > WIRE_RUNNING ? WIRE_RUNNING : (WireState)state);
}

static void take_message(Client* client) {
  const WireHead head = wire_head(&in);
  if (!client->is_greeted && head.kind != WIRE_HELLO && head.kind != WIRE_DROPPED) {
    client->is_broken = true;
    return;
  }
  switch (head.kind) {
    case WIRE_HELLO: greet(client); break;
    case WIRE_LEASE: take_request(client, head.id); break;
    case WIRE_RELEASE: take_return(client, head.id); break;
    case WIRE_WITHDRAW: request_withdraw(client, head.id); break;
    case WIRE_DROPPED: {
      WireKey key;
      if (wire_get_dropped(&in, &key)) {
        pools_drop(&key);
      } else {
        client->is_broken = true;
      }
      break;
    }
    case WIRE_LIST:
      wire_begin(&out, WIRE_LISTED, head.id);
      pools_list(&out);
      (void)client_tell(client, &out, -1);
      break;
    default: client->is_broken = true; break;
  }
}

static void on_line(Watch* watch, uint32 events) {
  Client* client = (Client*)watch;
  for (int i = 0; i < MESSAGES_A_TURN && !client->is_broken; ++i) {
    const WireResult got = wire_receive(watch->fd, &in);
    if (got == WIRE_LATER) return;
    client->is_broken = got == WIRE_BROKEN;
    if (client->is_broken) break;
    if (in.fd >= 0) close(in.fd); /* clients send no descriptors */
    take_message(client);
    if (wire_head(&in).kind == WIRE_LEASE) break; /* the client waits for the answer and sends nothing more */
  }
  if (client->is_broken) client_leave(client);
}

static void on_door(Watch* watch, uint32 events) {
  for (;;) {
    Client* client;
    int32 pid = 0;
    const int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (!wire_is_same_user(fd, &pid) || clients_count >= CLIENTS_MAX) {
      close(fd);
      continue;
    }
    client = MemoryContextAllocZero(TopMemoryContext, sizeof *client);
    client->watch = (Watch){fd, on_line};
    client->pid = pid;
    dlist_init(&client->requests);
    dlist_init(&client->leases);
    dlist_push_tail(&clients, &client->node);
    ++clients_count;
    if (!watch_begin(&client->watch, EPOLLIN)) client_leave(client);
  }
}

bool clients_open_door(void) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  strlcpy(where.sun_path, WIRE_SOCKET, sizeof where.sun_path);
  (void)unlink(WIRE_SOCKET); /* left by a worker that was killed; there is only one worker at a time */
  if (bind(fd, (struct sockaddr*)&where, sizeof where) != 0 || chmod(WIRE_SOCKET, 0600) != 0 || listen(fd, 128) != 0) {
    close(fd);
    return false;
  }
  door = (Watch){fd, on_door};
  return watch_begin(&door, EPOLLIN);
}

void clients_close_door(void) {
  watch_end(&door);
  close(door.fd);
  (void)unlink(WIRE_SOCKET);
}
