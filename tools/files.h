/* tools/files.h: blocking file helpers for start-up and for short-lived subcommands. */
#ifndef TOOLS_FILES_H
#define TOOLS_FILES_H

#include "net/blob.h"
#include "net/err.h"

int file_read(const char *path, struct buf *out, struct errbuf *err);
int file_write(const char *path, struct str data, unsigned mode, struct errbuf *err);   /* replaced atomically */
int dir_make(const char *path, unsigned mode, struct errbuf *err);                      /* with parents; existing is fine */
int dir_remove(const char *path, struct errbuf *err);     /* with all below it, without crossing into mounts; absent is fine */

#endif
