#include "version.h"

#include "common/pg_compat.h"

#include <access/genam.h>
#include <access/htup_details.h>
#include <access/table.h>
#include <catalog/indexing.h>
#include <catalog/pg_extension.h>
#include <tidepool/base.h>
#include <utils/fmgroids.h>
#include <utils/rel.h>

PG_FUNCTION_INFO_V1(tidepool_version);

/* What CREATE or ALTER EXTENSION left in the catalogue; NULL outside of an extension. */
static char* script_version(void) {
  char* version = NULL;
  ScanKeyData key;
  Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
  SysScanDesc scan;
  HeapTuple found;
  ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("tidepool"));
  scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
  found = systable_getnext(scan);
  if (HeapTupleIsValid(found)) {
    bool is_null;
    Datum value = heap_getattr(found, Anum_pg_extension_extversion, RelationGetDescr(extensions), &is_null);
    if (!is_null) version = TextDatumGetCString(value);
  }
  systable_endscan(scan);
  table_close(extensions, AccessShareLock);
  return version;
}

void tidepool_check_version(void) {
  /* Not remembered: ALTER EXTENSION may come at any time, and one index look-up is cheap. */
  const char* script = script_version();
  if (script == NULL || strcmp(script, TIDEPOOL_SCRIPT_VERSION) == 0) return;
  ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                  errmsg("extension tidepool is at version %s, its library at %s", script, TIDEPOOL_SCRIPT_VERSION),
                  errdetail("The library is tidepool %s.", tide_version()),
                  errhint("Run ALTER EXTENSION tidepool UPDATE, or install the library of version %s and reconnect.",
                          script)));
}

/* The only entry that does not check: somebody whose versions differ wants to know by how much. */
Datum tidepool_version(PG_FUNCTION_ARGS) { PG_RETURN_TEXT_P(cstring_to_text(tide_version())); }
