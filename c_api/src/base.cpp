// tide_status_name, tide_version, tide_free.
#include <tidepool/base.h>

#include <cstdlib>

#include "base/status.hpp"

const char* tide_status_name(tide_status status) { return tide::code_name(static_cast<tide::Code>(status)); }

const char* tide_version(void) { return TIDE_VERSION_TEXT; }

void tide_free(void* memory) { std::free(memory); }
