/* node/atomic_dir.h: a directory of files that changes as a whole.
 *
 * Readers see either the old files or the new ones: the files live in a directory "..SERIAL", the symlink "..data" points to
 * the current one and is replaced by rename, and what readers open are symlinks through it. */
#ifndef NODE_ATOMIC_DIR_H
#define NODE_ATOMIC_DIR_H

#include "net/blob.h"
#include "net/err.h"

/* path: relative, may have directories.  gid: the file's group; 0: ours. */
struct atomic_file { struct str path; struct str data; unsigned mode; uint32_t gid; };
/* Nothing is written when all is as it should be already.  E_INVALID: a path that would leave the directory. */
int atomic_dir_write(const char *dir, const struct atomic_file *f, size_t n, struct errbuf *err);

#endif
