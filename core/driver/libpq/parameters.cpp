#include "driver/libpq/parameters.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "driver/libpq/types.hpp"
#include "statement/limits.hpp"

namespace tide::libpq {
namespace {

constexpr size_t kNumberBytesMax = 32;  // as text with its NUL
constexpr int64_t kExactRealMax = int64_t{1} << 53;

size_t room_for(const SqlValue& value) noexcept {
  return value.kind == SqlValue::Kind::text ? value.data.size() + 1 : kNumberBytesMax;
}

bool is_text_type(Oid type) noexcept {
  switch (static_cast<Type>(type)) {
    case Type::text:
    case Type::varchar:
    case Type::bpchar:
    case Type::json: return true;
    default: return false;
  }
}

bool fits_float4(double real) noexcept {
  return !std::isfinite(real) ||
         (std::abs(real) <= static_cast<double>(std::numeric_limits<float>::max()) &&
          (real == 0 || std::abs(real) >= static_cast<double>(std::numeric_limits<float>::min())));
}

}  // namespace

Status Parameters::set(std::span<const SqlValue> values, std::span<const Oid> types) {
  values_.clear();
  lengths_.clear();
  formats_.clear();
  types_.clear();
  has_types_ = false;
  buffer_.clear();
  if (values.empty()) return Status::ok();
  if (values.size() > static_cast<size_t>(kParametersMax)) {
    return Status::error(Code::bad_argument, std::to_string(values.size()) + " parameters were given, and at most " +
                                                 std::to_string(kParametersMax) + " are possible");
  }
  size_t room = 0;
  for (const SqlValue& value : values) room += room_for(value);
  buffer_.reserve(room);
  for (size_t i = 0; i < values.size(); ++i) {
    if (Status added = add(values[i], i < types.size() ? types[i] : 0, i + 1); !added) return added;
  }
  return Status::ok();
}

void Parameters::refer(const char* value, size_t length, bool is_binary) {
  values_.push_back(value);
  lengths_.push_back(static_cast<int>(length));
  formats_.push_back(is_binary ? 1 : 0);
  types_.push_back(0);
}

void Parameters::add_as_text(std::string_view text) {
  const size_t at = buffer_.size();
  buffer_.append(text);
  buffer_.push_back('\0');
  refer(buffer_.data() + at, text.size(), false);
}

// In network byte order.
template <typename Bits>
void Parameters::add_binary(Bits bits) {
  const size_t at = buffer_.size();
  for (size_t i = sizeof(Bits); i-- > 0;) buffer_.push_back(static_cast<char>((bits >> (8 * i)) & 0xff));
  refer(buffer_.data() + at, sizeof(Bits), true);
}

bool Parameters::add_binary_of(const SqlValue& value, Oid type) {
  const auto is_within = [&](auto limits) { return value.integer >= limits.min() && value.integer <= limits.max(); };
  const bool is_integer = value.kind == SqlValue::Kind::integer;
  const bool is_real = value.kind == SqlValue::Kind::real;
  switch (static_cast<Type>(type)) {
    case Type::boolean:
      if (value.kind != SqlValue::Kind::boolean) return false;
      add_binary(static_cast<uint8_t>(value.integer != 0));
      return true;
    case Type::int2:
      if (!is_integer || !is_within(std::numeric_limits<int16_t>())) return false;
      add_binary(static_cast<uint16_t>(value.integer));
      return true;
    case Type::int4:
      if (!is_integer || !is_within(std::numeric_limits<int32_t>())) return false;
      add_binary(static_cast<uint32_t>(value.integer));
      return true;
    case Type::int8:
      if (!is_integer) return false;
      add_binary(static_cast<uint64_t>(value.integer));
      return true;
    case Type::oid:
      if (!is_integer || !is_within(std::numeric_limits<uint32_t>())) return false;
      add_binary(static_cast<uint32_t>(value.integer));
      return true;
    case Type::float4:
      if (!is_real || !fits_float4(value.real)) return false;
      add_binary(std::bit_cast<uint32_t>(static_cast<float>(value.real)));
      return true;
    case Type::float8:
      if (is_integer && (value.integer > kExactRealMax || value.integer < -kExactRealMax)) return false;
      if (!is_integer && !is_real) return false;
      add_binary(std::bit_cast<uint64_t>(is_real ? value.real : static_cast<double>(value.integer)));
      return true;
    default: return false;
  }
}

Status Parameters::add(const SqlValue& value, Oid type, size_t number) {
  using Kind = SqlValue::Kind;
  if (type != 0 && add_binary_of(value, type)) return Status::ok();
  char digits[kNumberBytesMax];
  switch (value.kind) {
    case Kind::null: refer(nullptr, 0, false); break;
    case Kind::boolean: add_as_text(value.integer != 0 ? "true" : "false"); break;
    case Kind::integer: {
      const char* const end = std::to_chars(digits, digits + sizeof digits, value.integer).ptr;
      add_as_text({digits, static_cast<size_t>(end - digits)});
      break;
    }
    case Kind::real: {
      if (std::isnan(value.real)) {
        add_as_text("NaN");
      } else if (std::isinf(value.real)) {
        add_as_text(value.real > 0 ? "Infinity" : "-Infinity");
      } else {
        const char* const end = std::to_chars(digits, digits + sizeof digits, value.real).ptr;
        add_as_text({digits, static_cast<size_t>(end - digits)});
      }
      break;
    }
    case Kind::text:
    case Kind::bytes:
      if (value.data.size() > static_cast<size_t>(std::numeric_limits<int>::max() / 2)) {
        return Status::error(Code::bad_argument, "parameter " + std::to_string(number) + " is larger than 1 GiB");
      }
      if (value.kind == Kind::bytes) {
        refer(value.data.data() == nullptr ? "" : value.data.data(), value.data.size(), true);
        types_.back() = static_cast<Oid>(Type::bytea);
        has_types_ = true;
        break;
      }
      if (value.data.find('\0') != value.data.npos) {
        return Status::error(Code::bad_argument, "parameter " + std::to_string(number) + " is a text with a NUL byte",
                             "PostgreSQL cannot store a NUL byte in a text.",
                             "Pass it as bytes, for a column of type bytea.");
      }
      if (is_text_type(type) && value.data.data() != nullptr) {
        refer(value.data.data(), value.data.size(), true);
      } else {
        add_as_text(value.data);
      }
      break;
  }
  return Status::ok();
}

void Parameters::note_types(std::span<const SqlValue> values, std::string& out) {
  out.clear();
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].kind == SqlValue::Kind::bytes) out.append(std::to_string(i + 1)).push_back('b');
  }
}

}  // namespace tide::libpq
