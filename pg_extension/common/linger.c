/* Lingering leases: the shared memory of their state words, and the clock that both sides use. */
#include "common/linger.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int64_t linger_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static LingerBoard* map(int fd) {
  void* memory = mmap(NULL, sizeof(LingerBoard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

LingerBoard* linger_board_make(int* fd) {
  *fd = memfd_create("tidepool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (*fd < 0 || ftruncate(*fd, sizeof(LingerBoard)) != 0 ||
      fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return NULL;
  return map(*fd);
}

LingerBoard* linger_board_map(int fd) {
  if (fd < 0 || (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0) return NULL;
  return lseek(fd, 0, SEEK_END) < (off_t)sizeof(LingerBoard) ? NULL : map(fd);
}

void linger_board_unmap(LingerBoard* board) {
  if (board != NULL) (void)munmap(board, sizeof *board);
}
