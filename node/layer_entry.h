/* node/layer_entry.h: make one tar entry below a directory; the inner half of layer.h. */
#ifndef NODE_LAYER_ENTRY_H
#define NODE_LAYER_ENTRY_H

#include "net/arena.h"
#include "node/layer.h"

struct archive_entry;

/* The directory, and the parent of the last entry (tars list a directory's files in a row). */
struct layer_target { int root, parent; char parent_path[4096]; };

int  layer_target_open(struct layer_target *t, const char *dir, struct errbuf *err);
void layer_target_release(struct layer_target *t);
/* *ret_fd: open for the contents of a regular file, else -1. */
int  layer_entry_make(struct layer_target *t, struct archive_entry *e, int *ret_fd, struct errbuf *err);
/* After the contents: owner, mode, attributes and time of a regular file. */
int  layer_entry_finish(int fd, struct archive_entry *e, struct errbuf *err);

#endif
