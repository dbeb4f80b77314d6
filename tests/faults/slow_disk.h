/* A file system for SQLite that blocks on request: calls for files whose name contains a word do not return while their
   gate is shut. It becomes the process's default. */
#ifndef TIDEPOOL_TESTS_SLOW_DISK_H
#define TIDEPOOL_TESTS_SLOW_DISK_H

enum { SLOW_OPEN, SLOW_READ, SLOW_SYNC, SLOW_UNLOCK, SLOW_KINDS };

struct slow_disk {
  const char* word;
  int is_shut[SLOW_KINDS];
  int inside[SLOW_KINDS];
};
extern struct slow_disk slow_disk;

void install_slow_disk(const char* word);

#endif
