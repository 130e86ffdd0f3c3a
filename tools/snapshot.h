/* tools/snapshot.h: the parts of `coracle snapshot`. */
#ifndef TOOLS_SNAPSHOT_H
#define TOOLS_SNAPSHOT_H

#include "store/saved.h"
#include "tools/flags.h"

int snapshot_save_run(int argc, char **argv);
int snapshot_status_run(int argc, char **argv);
int snapshot_restore_run(int argc, char **argv);

/* Reads and verifies a whole file, piece by piece. */
int snapshot_file_load(const char *path, struct store_load **ret, struct store_saved *ret_saved,
                       struct errbuf *err);

#endif
