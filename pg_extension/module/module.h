/* What the files of tidepool.so share: its settings, and whether library and script belong together. */
#ifndef TIDEPOOL_MODULE_H
#define TIDEPOOL_MODULE_H

/* tidepool.dir in UTF-8, or NULL for the default segment directory. */
extern const char* tidepool_directory(void);

/* Fails unless the extension of this database was made by the script of this library's version. Every entry but version()
 * calls it. */
extern void tidepool_check_version(void);

#endif
