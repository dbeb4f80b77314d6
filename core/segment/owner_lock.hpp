// The lock that marks the owner of a file as alive, and opening files in directories that others may write.
//
// An open-file-description lock, because a process-wide one would be dropped by any close() of the same file elsewhere
// in the process. Whoever has opened a file before locking it must check is_named(): it may have lost its name since.
//
// Threads: any; nothing is kept.
#pragma once

#include <string>

#include "base/status.hpp"
#include "os/descriptor.hpp"

namespace tide {

// False: another process, or another descriptor of this one, holds it; errno says so.
bool hold_owner_lock(int fd);
// For a file that this process has created. Whoever cleans up holds the lock only while it unlinks the file; but it may
// be descheduled in between, and a child that it forks also holds the lock until it calls exec().
bool gain_owner_lock(int fd);
// The file still has a name.
bool is_named(int fd);

// Opens a regular file of this user for reading and writing; follows no symbolic link, and does not block.
// Code::not_found: there is none. The message is the reason alone.
Result<Descriptor> open_own_file(const std::string& path);
// Everything in it, unless that is more than `bytes_max`. The message is the reason alone.
Result<std::string> read_whole(int fd, uint64_t bytes_max);
// False, with errno.
bool write_whole(int fd, const std::string& bytes);

}  // namespace tide
