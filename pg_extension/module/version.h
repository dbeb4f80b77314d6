/* The library and the SQL script of the extension belong together; this tells when they do not. */
#ifndef TIDEPOOL_VERSION_H
#define TIDEPOOL_VERSION_H

/* The script this library serves: tidepool--0.1.sql. */
#define TIDEPOOL_SCRIPT_VERSION "0.1"

/* Fails unless the extension of this database was made by the script of this version. Every entry but version() calls
 * it. */
extern void tidepool_check_version(void);

#endif
