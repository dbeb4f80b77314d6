// Open files: which database files this process has open through us, so that a child of fork() knows what it must not
// open.
//
// SQLite keeps one table of the files and locks of a process, and fork() copies it. A child that opens a file which was
// open in its parent finds it in there, believes to hold locks that only the parent has, and its changes are lost.
// SQLite's own rule is that a connection, or a file that has one, is never carried into a child.
//
// Invariants: a file is told by device and inode, so another path, a symbolic or a hard link leads to the same one;
// what was open at a fork stays forbidden in the child and in its children, what was closed before is not. Files that
// the program opened with SQLite itself, or attached on native(), are not known here. Threads: any; the three functions
// about fork() belong to its handlers. Failure: check_not_inherited() refuses; without memory remember() throws
// std::bad_alloc.
#pragma once

#include <sqlite3.h>

#include <string>

#include "base/status.hpp"

namespace tide::sqlite {

// Files belong to a key: their handle's address, or for a time that of anything else that lives.
// The file at this absolute path is going to be opened or attached, or has been: called again once it exists.
void remember_file(const void* key, const std::string& path, bool is_attached);
// They are another key's now. nullptr: nobody's, and open as long as the process lives.
void move_files(const void* from, const void* to) noexcept;
void forget_files(const void* key) noexcept;
void forget_attached_files(const void* key) noexcept;
// TIDE_FORKED for a file that was open in the parent at the fork.
Status check_not_inherited(const std::string& path, const std::string& shown);
// The files that are attached to the handle now are remembered. Refuses and detaches one that was open in the parent.
Status remember_attached(sqlite3* handle);

// From the first pool on: our list, and SQLite's own global mutexes, must not be another thread's when the process
// forks, since the child would wait for that thread for ever.
void prepare_for_forks();
void hold_for_fork() noexcept;
void release_after_fork(bool is_child) noexcept;

}  // namespace tide::sqlite
