/* Messages between backends and the worker: packing, unpacking, sending. wire.h describes their meaning. */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void put(WireOut* out, const void* data, size_t size) {
  if (out->is_cut || size > sizeof out->bytes - out->length) {
    out->is_cut = true;
    return;
  }
  memcpy(out->bytes + out->length, data, size);
  out->length += size;
}

void wire_begin(WireOut* out, WireKind kind, uint64_t id) {
  const WireHead head = {(uint32_t)kind, 0, id};
  out->length = 0;
  out->is_cut = false;
  put(out, &head, sizeof head);
}

void wire_put_u32(WireOut* out, uint32_t value) { put(out, &value, sizeof value); }
void wire_put_u64(WireOut* out, uint64_t value) { put(out, &value, sizeof value); }
void wire_put_key(WireOut* out, const WireKey* key) { put(out, key, sizeof *key); }

void wire_put_text(WireOut* out, const char* text) {
  const size_t size = text == NULL ? 0 : strlen(text);
  if (size > WIRE_BYTES_MAX) {
    out->is_cut = true;
    return;
  }
  wire_put_u32(out, (uint32_t)size);
  put(out, text == NULL ? "" : text, size + 1);
}

static void get(WireIn* in, void* data, size_t size) {
  if (in->is_bad || size > in->length - in->at) {
    in->is_bad = true;
    memset(data, 0, size);
    return;
  }
  memcpy(data, in->bytes + in->at, size);
  in->at += size;
}

WireHead wire_head(const WireIn* in) {
  WireHead head;
  memcpy(&head, in->bytes, sizeof head);
  return head;
}

uint32_t wire_get_u32(WireIn* in) {
  uint32_t value;
  get(in, &value, sizeof value);
  return value;
}

uint64_t wire_get_u64(WireIn* in) {
  uint64_t value;
  get(in, &value, sizeof value);
  return value;
}

WireKey wire_get_key(WireIn* in) {
  WireKey key;
  get(in, &key, sizeof key);
  return key;
}

void wire_put_dropped(WireOut* out, const WireKey* key) {
  wire_begin(out, WIRE_DROPPED, 0);
  wire_put_u32(out, WIRE_MAGIC);
  wire_put_u32(out, WIRE_VERSION);
  wire_put_key(out, key);
}

bool wire_get_dropped(WireIn* in, WireKey* key) {
  const uint32_t magic = wire_get_u32(in);
  const uint32_t version = wire_get_u32(in);
  *key = wire_get_key(in);
  return wire_is_finished(in) && magic == WIRE_MAGIC && version == WIRE_VERSION;
}

const char* wire_get_text(WireIn* in) {
  const uint32_t size = wire_get_u32(in);
  const char* text = in->bytes + in->at;
  if (in->is_bad || size >= in->length - in->at || text[size] != '\0' || memchr(text, '\0', size) != NULL) {
    in->is_bad = true;
    return "";
  }
  in->at += size + 1;
  return text;
}

bool wire_is_finished(const WireIn* in) { return !in->is_bad && in->at == in->length; }

WireResult wire_send(int line, WireOut* out, int fd) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {out->bytes, out->length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (out->is_cut) {
    errno = EMSGSIZE;
    return WIRE_BROKEN;
  }
  const uint32_t length = (uint32_t)out->length;
  memcpy(out->bytes + offsetof(WireHead, length), &length, sizeof length);
  if (fd >= 0) {
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  for (;;) {
    if (sendmsg(line, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)out->length) return WIRE_DONE;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_LATER : WIRE_BROKEN;
  }
}

/* The first descriptor of the message goes to `in`; the protocol has no more, so any others are closed. */
static void take_descriptors(struct msghdr* message, WireIn* in) {
  for (struct cmsghdr* c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
      int fd;
      memcpy(&fd, (char*)c + at, sizeof fd);
      if (in->fd < 0) {
        in->fd = fd;
      } else {
        close(fd);
      }
    }
  }
}

WireResult wire_receive(int line, WireIn* in) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {in->bytes, sizeof in->bytes};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  ssize_t size;
  in->length = in->at = 0;
  in->is_bad = false;
  in->fd = -1;
  do {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    size = recvmsg(line, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_LATER : WIRE_BROKEN;
  take_descriptors(&message, in);
  in->length = (size_t)size;
  in->at = sizeof(WireHead);
  if (in->length >= sizeof(WireHead) && (message.msg_flags & MSG_TRUNC) == 0 && wire_head(in).length == in->length)
    return WIRE_DONE;
  if (in->fd >= 0) close(in->fd);
  in->fd = -1;
  errno = size == 0 ? 0 : EPROTO;
  return WIRE_BROKEN;
}

bool wire_is_same_user(int line, int32_t* pid) {
  struct ucred who;
  socklen_t size = sizeof who;
  if (getsockopt(line, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return false;
  *pid = (int32_t)who.pid;
  return who.uid == geteuid();
}

int wire_connect(void) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  int32_t pid = 0;
  int error;
  const int line = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (line < 0) return -1;
  strcpy(where.sun_path, WIRE_SOCKET);
  errno = 0;
  if (connect(line, (struct sockaddr*)&where, sizeof where) == 0 && wire_is_same_user(line, &pid)) return line;
  error = errno != 0 ? errno : EPERM;
  close(line);
  errno = error;
  return -1;
}
