/* What belongs to the extension: told by membership, because anybody may give a schema or a function its name. */
#ifndef TIDEPOOL_EXTENSION_H
#define TIDEPOOL_EXTENSION_H

#include "common/pg_compat.h"

#include <catalog/dependency.h>
#include <commands/extension.h>

static inline bool tidepool_is_own(Oid class, Oid object) {
  const Oid extension = get_extension_oid("tidepool", true);
  return OidIsValid(extension) && getExtensionOfObject(class, object) == extension;
}

#endif
