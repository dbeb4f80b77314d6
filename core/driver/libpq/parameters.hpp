// Parameters: values as libpq sends them.
//
// Where the type of a parameter is known (the statement is prepared and was described), a value that fits it is sent in
// binary; everything else is sent as text, so that the server converts it, or reports why it cannot. Bytes are always
// sent in binary.
// Threads: none of its own. Texts and bytes that need no conversion stay the caller's.
// Failure: bad_argument that names the parameter.
#pragma once

#include <libpq-fe.h>

#include <span>
#include <string>
#include <vector>

#include "base/status.hpp"
#include "pool/sql_value.hpp"

namespace tide::libpq {

class Parameters {
 public:
  // `types`: of the statement; empty: unknown.
  Status set(std::span<const SqlValue> values, std::span<const Oid> types);

  int count() const noexcept { return static_cast<int>(values_.size()); }
  const char* const* values() const noexcept { return values_.data(); }
  const int* lengths() const noexcept { return lengths_.data(); }
  const int* formats() const noexcept { return formats_.data(); }
  // For the server: 0 where it finds out. nullptr: all of them, and how many there are.
  const Oid* types() const noexcept { return has_types_ ? types_.data() : nullptr; }

  // Which of the values are bytes, whose type is told to the server, so that it may be another statement. Empty: none.
  static void note_types(std::span<const SqlValue> values, std::string& out);

 private:
  Status add(const SqlValue& value, Oid type, size_t number);
  void add_as_text(std::string_view text);
  template <typename Bits>
  void add_binary(Bits bits);
  bool add_binary_of(const SqlValue& value, Oid type);
  void refer(const char* value, size_t length, bool is_binary);

  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::vector<Oid> types_;
  bool has_types_ = false;
  std::string buffer_;  // converted values; large enough from the beginning, so that pointers into it stay valid
};

}  // namespace tide::libpq
