// Open files: the database files that this process has open through the library, which a child of fork() must not
// open.
//
// SQLite has one table of the files and locks of a process, and fork() copies it. If a child opens a file that was open in its
// parent, SQLite finds the file there and assumes locks that only the parent holds, and changes of the child are lost.
// According to SQLite, connections, and files with a connection, must not be carried into a child.
//
// Invariants: a file is identified by device and inode, whatever path or link leads to it; a file open at a fork remains
// forbidden in the child and its children, a file closed before is not. Files that the program opened directly with
// SQLite, or attached on native(), are not known here. Threads: any; the three functions for fork() are for its handlers.
// Failure: check_not_inherited() returns an error; without memory remember() throws
// std::bad_alloc.
#pragma once

#include <sqlite3.h>

#include <string>

#include "base/status.hpp"

namespace tide::sqlite {

// Files belong to a key: the address of their handle, or temporarily that of another live object.
// The file at this absolute path will be or was opened or attached; to be called again when it exists.
void remember_file(const void* key, const std::string& path, bool is_attached);
// Moves the files to another key. nullptr: none, and open until the process ends.
void move_files(const void* from, const void* to) noexcept;
void forget_files(const void* key) noexcept;
void forget_attached_files(const void* key) noexcept;
// TIDE_FORKED for a file that was open in the parent at the fork.
Status check_not_inherited(const std::string& path, const std::string& shown);
// Remembers the files attached to the handle. Detaches a file that was open in the parent, and returns an error.
Status remember_attached(sqlite3* handle);

// After the first pool was opened, no other thread may hold the list or the global mutexes of SQLite when the process
// forks, because the child would wait for that thread for ever.
void prepare_for_forks();
void hold_for_fork() noexcept;
void release_after_fork(bool is_child) noexcept;

}  // namespace tide::sqlite
