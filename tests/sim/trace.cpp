#include "trace.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace tide::sim {

void Trace::keep(const char* text) {
  std::array<char, kLineBytesMax>& line = last_[lines_++ % kKept];
  std::snprintf(line.data(), line.size(), "%7llu %12.3f ms  %s", static_cast<unsigned long long>(step_),
                static_cast<double>(now_.ns()) / 1e6, text);
  for (const char* c = line.data(); *c != '\0'; ++c)
    hash_ = (hash_ ^ static_cast<unsigned char>(*c)) * 1099511628211ULL;
  if (is_shown_) std::puts(line.data());
}

void Trace::say(const char* format, ...) {
  char text[kLineBytesMax];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  keep(text);
}

void Trace::complain(const char* invariant, const char* format, ...) {
  char text[kLineBytesMax];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  const std::string complaint = std::string(invariant) + " broken: " + text;
  keep(complaint.c_str());
  if (!complaint_.empty()) return;
  broken_ = invariant;
  complaint_ = "step " + std::to_string(step_) + ": " + complaint;
}

void Trace::report() const {
  const uint64_t kept = std::min<uint64_t>(lines_, kKept);
  for (uint64_t i = lines_ - kept; i < lines_; ++i) std::fprintf(stderr, "%s\n", last_[i % kKept].data());
  std::fprintf(stderr, "%s\n", complaint_.empty() ? "stopped without a complaint" : complaint_.c_str());
}

}  // namespace tide::sim
