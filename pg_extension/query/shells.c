/*
 * Shells: libpq's side of a leased connection.
 *
 * libpq can only use a connection that it has opened. So this process opens one to itself, acts as the server in the
 * startup handshake with the parameters that the real session reported, and from then on puts each leased socket in
 * place of that connection's descriptor. At the end the original descriptor is restored, and a notice sent through it
 * proves that libpq is between two messages: otherwise neither the shell nor the session is used again.
 */
#include "query.h"

#include <fcntl.h>
#include <miscadmin.h>
#include <port/pg_bswap.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/report.h"

#define SHELLS_MAX 8 /* kept for reuse; they differ in encoding and server version */
#define NOTICES_MAX 100
#define PROBE_SQLSTATE "TPOOL"

static dlist_head shells = DLIST_STATIC_INIT(shells);
static int shells_count = 0;

static void close_fd(int fd) {
  if (fd >= 0) close(fd);
}

static void free_notices(Shell* shell) {
  while (shell->notices != NULL) {
    Notice* first = shell->notices;
    shell->notices = first->next;
    free(first->message);
    free(first->detail);
    free(first->hint);
    free(first);
  }
  shell->notices_count = 0;
}

static char* copy_field(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == NULL ? NULL : strdup(text);
}

/* Only levels that go to the client, as on the remote server: a LOG would go into this server's log. */
static int level_of(const char* severity) {
  static const struct {
    const char* name;
    int level;
  } kLevels[] = {{"WARNING", WARNING}, {"INFO", INFO}, {"LOG", DEBUG1}, {"DEBUG", DEBUG1}};
  for (size_t i = 0; severity != NULL && i < lengthof(kLevels); ++i) {
    if (strcmp(severity, kLevels[i].name) == 0) return kLevels[i].level;
  }
  return NOTICE;
}

/* Called from libpq: no palloc, no ereport. */
static void on_notice(void* context, const PGresult* result) {
  Shell* shell = context;
  const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  Notice* notice;
  Notice** last = &shell->notices;
  if (sqlstate != NULL && strcmp(sqlstate, PROBE_SQLSTATE) == 0) {
    shell->is_aligned = true;
    return;
  }
  if (shell->notices_count >= NOTICES_MAX || (notice = calloc(1, sizeof *notice)) == NULL) return;
  notice->level = level_of(PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED));
  strlcpy(notice->sqlstate, sqlstate == NULL ? "00000" : sqlstate, sizeof notice->sqlstate);
  notice->message = copy_field(result, PG_DIAG_MESSAGE_PRIMARY);
  notice->detail = copy_field(result, PG_DIAG_MESSAGE_DETAIL);
  notice->hint = copy_field(result, PG_DIAG_MESSAGE_HINT);
  while (*last != NULL) last = &(*last)->next;
  *last = notice;
  ++shell->notices_count;
}

void shell_report_notices(Shell* shell) {
  while (shell->notices != NULL) {
    Notice* first = shell->notices;
    const int level = first->level;
    const int sqlstate = tidepool_sqlstate_of(first->sqlstate);
    char* message = dialect_message(shell->conn, first->message == NULL ? "" : first->message);
    char* detail = dialect_message(shell->conn, first->detail);
    char* hint = dialect_message(shell->conn, first->hint);
    shell->notices = first->next;
    --shell->notices_count;
    free(first->message);
    free(first->detail);
    free(first->hint);
    free(first);
    ereport(level, (errcode(sqlstate), errmsg("%s", message), detail != NULL ? errdetail("%s", detail) : 0,
                    hint != NULL ? errhint("%s", hint) : 0));
  }
}

static void destroy(Shell* shell) {
  free_notices(shell);
  if (shell->conn != NULL) PQfinish(shell->conn);
  close_fd(shell->greeting);
  close_fd(shell->peer);
  free(shell->parameters);
  free(shell);
}

/* Writes one protocol message of `type` with the given bytes to `to`. Returns its size. */
static size_t message(char* to, char type, const void* bytes, size_t size) {
  const uint32 length = pg_hton32((uint32)size + 4);
  to[0] = type;
  memcpy(to + 1, &length, 4);
  memcpy(to + 5, bytes, size);
  return size + 5;
}

static bool send_all(int fd, const char* bytes, size_t size) {
  return send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

/* The server's part: reads the startup packet and reports success. */
static bool greet(const Shell* shell) {
  char startup[4096];
  char out[2048];
  const uint32 ok = 0;
  const uint32 key[2] = {pg_hton32((uint32)MyProcPid), 0};
  size_t size = 0;
  if (recv(shell->peer, startup, sizeof startup, MSG_DONTWAIT) <= 8) return false;
  size += message(out + size, 'R', &ok, 4);
  for (size_t at = 0; at < shell->parameters_bytes;) {
    const char* name = shell->parameters + at;
    const size_t bytes = strlen(name) + 1 + strlen(name + strlen(name) + 1) + 1;
    if (size + bytes + 32 > sizeof out) return false;
    size += message(out + size, 'S', name, bytes);
    at += bytes;
  }
  size += message(out + size, 'K', key, sizeof key);
  size += message(out + size, 'Z', "I", 1);
  return send_all(shell->peer, out, size);
}

/* Listens on a socket in the abstract name space; accept_self() accepts only connections of this process. */
static int listen_to_self(char* host, size_t host_bytes) {
  static uint32 serial = 0;
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int length;
  snprintf(host, host_bytes, "@tidepool-%d-%u", MyProcPid, ++serial);
  length = snprintf(where.sun_path + 1, sizeof where.sun_path - 1, "%s/.s.PGSQL.1", host + 1);
  if (fd >= 0 &&
      bind(fd, (struct sockaddr*)&where, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) ==
          0 &&
      listen(fd, 4) == 0)
    return fd;
  close_fd(fd);
  return -1;
}

static int accept_self(int listener) {
  for (;;) {
    struct ucred who;
    socklen_t size = sizeof who;
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.pid == MyProcPid) return fd;
    close(fd);
  }
}

static bool connect_to_self(Shell* shell) {
  /* All parameters that libpq would otherwise take from the server's environment and that could redirect it. */
  static const char* const kWords[] = {"host",
                                       "port",
                                       "hostaddr",
                                       "user",
                                       "dbname",
                                       "password",
                                       "sslmode",
                                       "gssencmode",
                                       "options",
                                       "target_session_attrs",
                                       "requirepeer",
                                       "channel_binding",
                                       "client_encoding",
                                       "application_name",
                                       NULL};
  char host[64];
  const char* const values[] = {host, "1",   "", "tidepool", "tidepool", "-", "disable", "disable",
                                "",   "any", "", "disable",  "",         "",  NULL};
  const int listener = listen_to_self(host, sizeof host);
  bool is_greeted = false;
  if (listener < 0) return false;
  shell->conn = PQconnectStartParams(kWords, values, 0);
  shell->peer = accept_self(listener);
  close(listener);
  if (shell->conn == NULL || shell->peer < 0) return false;
  PQsetNoticeReceiver(shell->conn, on_notice, shell);
  /* Both ends are in this process, so no step has to wait; the limit is a safeguard. */
  for (int step = 0; step < 50; ++step) {
    switch (PQconnectPoll(shell->conn)) {
      case PGRES_POLLING_OK:
        shell->greeting = dup(PQsocket(shell->conn));
        return shell->greeting >= 0 && PQsetnonblocking(shell->conn, 1) == 0;
      case PGRES_POLLING_FAILED: return false;
      case PGRES_POLLING_READING:
        if (!is_greeted && !greet(shell)) return false;
        is_greeted = true;
        break;
      default: break;
    }
  }
  return false;
}

static Shell* make(const char* parameters, size_t bytes) {
  Shell* shell = calloc(1, sizeof *shell);
  if (shell == NULL) return NULL;
  shell->greeting = shell->peer = -1;
  shell->parameters = malloc(bytes + 1);
  if (shell->parameters != NULL) {
    memcpy(shell->parameters, parameters, bytes);
    shell->parameters_bytes = bytes;
    if (connect_to_self(shell)) return shell;
  }
  destroy(shell);
  return NULL;
}

static Shell* find(const char* parameters, size_t bytes) {
  dlist_iter i;
  dlist_foreach(i, &shells) {
    Shell* shell = dlist_container(Shell, node, i.cur);
    if (!shell->is_out && shell->parameters_bytes == bytes && memcmp(shell->parameters, parameters, bytes) == 0)
      return shell;
  }
  return NULL;
}

static void forget(Shell* shell) {
  dlist_delete(&shell->node);
  --shells_count;
  destroy(shell);
}

/* Frees the least recently used shell. */
static void make_room(void) {
  dlist_mutable_iter i;
  dlist_foreach_modify(i, &shells) {
    Shell* shell = dlist_container(Shell, node, i.cur);
    if (shells_count < SHELLS_MAX) return;
    if (!shell->is_out) forget(shell);
  }
}

Shell* shell_take(Lent* lent) {
  Shell* shell = find(lent->greeting, lent->greeting_bytes);
  if (shell == NULL) {
    make_room();
    shell = make(lent->greeting, lent->greeting_bytes);
    if (shell != NULL) {
      dlist_push_tail(&shells, &shell->node);
      ++shells_count;
    }
  }
  if (shell != NULL && dup3(lent->fd, PQsocket(shell->conn), O_CLOEXEC) < 0) shell = NULL;
  close(lent->fd);
  lent->fd = -1;
  if (shell == NULL) return NULL;
  shell->is_out = true;
  dlist_delete(&shell->node);
  dlist_push_tail(&shells, &shell->node);
  return shell;
}

/* True if the session changed a parameter that libpq caches. */
static bool is_as_greeted(const Shell* shell) {
  for (size_t at = 0; at < shell->parameters_bytes;) {
    const char* name = shell->parameters + at;
    const char* value = name + strlen(name) + 1;
    const char* now = PQparameterStatus(shell->conn, name);
    if (now == NULL || strcmp(now, value) != 0) return false;
    at += strlen(name) + 1 + strlen(value) + 1;
  }
  return true;
}

static bool is_between_messages(Shell* shell) {
  static const char kFields[] = "SNOTICE\0VNOTICE\0C" PROBE_SQLSTATE "\0Mprobe\0";
  char probe[sizeof kFields + 5];
  const size_t size = message(probe, 'N', kFields, sizeof kFields);
  shell->is_aligned = false;
  return send_all(shell->peer, probe, size) && PQconsumeInput(shell->conn) == 1 && PQisBusy(shell->conn) == 0 &&
         shell->is_aligned;
}

/* Notifications from LISTEN: there is no receiver. */
static void drop_notifications(Shell* shell) {
  PGnotify* notify;
  while ((notify = PQnotifies(shell->conn)) != NULL) PQfreemem(notify);
}

bool shell_give_back(Shell* shell, bool is_fit) {
  bool is_whole;
  if (dup3(shell->greeting, PQsocket(shell->conn), O_CLOEXEC) < 0) is_fit = false;
  shell->is_out = false;
  drop_notifications(shell);
  is_whole = is_fit && is_between_messages(shell);
  if (!is_whole || !is_as_greeted(shell)) forget(shell);
  return is_whole;
}
