/* Objects of the extension, identified by membership: any user can create a schema or a function of the same name. */
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
