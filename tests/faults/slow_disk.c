#define _XOPEN_SOURCE 700
#include "slow_disk.h"

#include <poll.h>
#include <sqlite3.h>
#include <string.h>

struct slow_disk slow_disk;

/* SQLite's own file follows this struct. */
struct slow_file {
  sqlite3_file base;
  int is_slow;
};

static sqlite3_vfs* below;

static sqlite3_file* under(sqlite3_file* file) { return (sqlite3_file*)(void*)((struct slow_file*)(void*)file + 1); }

static void pass(int is_slow, int kind) {
  int looks;
  if (!is_slow) return;
  __atomic_add_fetch(&slow_disk.inside[kind], 1, __ATOMIC_SEQ_CST);
  for (looks = 0; looks < 20000 && __atomic_load_n(&slow_disk.is_shut[kind], __ATOMIC_SEQ_CST); looks++)
    poll(NULL, 0, 1);
  __atomic_add_fetch(&slow_disk.inside[kind], -1, __ATOMIC_SEQ_CST);
}

static int is_slow(const sqlite3_file* file) { return ((const struct slow_file*)(const void*)file)->is_slow; }

static int f_close(sqlite3_file* f) { return under(f)->pMethods->xClose(under(f)); }
static int f_read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  pass(is_slow(f), SLOW_READ);
  return under(f)->pMethods->xRead(under(f), to, n, at);
}
static int f_write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  return under(f)->pMethods->xWrite(under(f), from, n, at);
}
static int f_truncate(sqlite3_file* f, sqlite3_int64 n) { return under(f)->pMethods->xTruncate(under(f), n); }
static int f_sync(sqlite3_file* f, int flags) {
  pass(is_slow(f), SLOW_SYNC);
  return under(f)->pMethods->xSync(under(f), flags);
}
static int f_size(sqlite3_file* f, sqlite3_int64* n) { return under(f)->pMethods->xFileSize(under(f), n); }
static int f_lock(sqlite3_file* f, int level) { return under(f)->pMethods->xLock(under(f), level); }
static int f_unlock(sqlite3_file* f, int level) { return under(f)->pMethods->xUnlock(under(f), level); }
static int f_reserved(sqlite3_file* f, int* out) { return under(f)->pMethods->xCheckReservedLock(under(f), out); }
static int f_control(sqlite3_file* f, int op, void* arg) { return under(f)->pMethods->xFileControl(under(f), op, arg); }
static int f_sector(sqlite3_file* f) { return under(f)->pMethods->xSectorSize(under(f)); }
static int f_device(sqlite3_file* f) { return under(f)->pMethods->xDeviceCharacteristics(under(f)); }
static int f_shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return under(f)->pMethods->xShmMap(under(f), page, size, extend, out);
}
static int f_shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  if (flags & SQLITE_SHM_UNLOCK) pass(is_slow(f), SLOW_UNLOCK);
  return under(f)->pMethods->xShmLock(under(f), offset, n, flags);
}
static void f_shm_barrier(sqlite3_file* f) { under(f)->pMethods->xShmBarrier(under(f)); }
static int f_shm_unmap(sqlite3_file* f, int remove) { return under(f)->pMethods->xShmUnmap(under(f), remove); }

static const sqlite3_io_methods methods = {
    2,         f_close,  f_read,   f_write,   f_truncate, f_sync,        f_size,      f_lock, f_unlock, f_reserved,
    f_control, f_sector, f_device, f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap, NULL,   NULL};

static int slow_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
  struct slow_file* slow = (struct slow_file*)(void*)file;
  int code;
  (void)vfs;
  file->pMethods = NULL;
  slow->is_slow = name != NULL && strstr(name, slow_disk.word) != NULL;
  pass(slow->is_slow, SLOW_OPEN);
  code = below->xOpen(below, name, under(file), flags, out);
  if (under(file)->pMethods != NULL) file->pMethods = &methods;
  return code;
}

void install_slow_disk(const char* word) {
  static sqlite3_vfs vfs;
  sqlite3_initialize();
  slow_disk.word = word;
  below = sqlite3_vfs_find(NULL);
  vfs = *below;
  vfs.zName = "slow-disk";
  vfs.pNext = NULL;
  vfs.szOsFile = (int)sizeof(struct slow_file) + below->szOsFile;
  vfs.xOpen = slow_open;
  sqlite3_vfs_register(&vfs, 1);
}
