/* test/fuzz/fuzz_layer.c: image layers and names from strangers.  The first byte chooses: a layer to unpack (nothing may
 * appear beside its directory), a reference (the whole form of a whole form is itself), or a mountinfo text. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "node/cgroup.h"
#include "node/files.h"
#include "node/image_ref.h"
#include "node/layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_one(void *arg, const char *name)
{
    ++*(unsigned *)arg;
    return 0;
}

static char base[64];                            /* of this process; empty but for the layer at hand */

static void remove_base(void)
{
    file_remove_tree(base, NULL);
}

static void try_layer(struct str in)
{
    char dir[96];
    struct layer_limits lim = { 1 << 20, 200 };
    struct layer_result res;
    struct errbuf err = { "" };
    unsigned beside = 0;

    if (base[0] == '\0') {
        snprintf(base, sizeof base, "/tmp/coracle-fuzz-%d", (int)getpid());
        must(mkdir(base, 0700) == 0);
        atexit(remove_base);
    }
    snprintf(dir, sizeof dir, "%s/layer", base);
    must(mkdir(dir, 0700) == 0);
    int fd = memfd_create("layer", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, in.p, in.n) == (ssize_t)in.n && lseek(fd, 0, SEEK_SET) == 0);
    if (layer_unpack(fd, dir, &lim, &res, &err) < 0)
        must(err.s[0] != '\0');
    close(fd);
    must_ok(file_each(base, count_one, &beside, NULL));
    must(beside == 1);
    must_ok(file_remove_tree(dir, NULL));
}

static void try_ref(struct str in)
{
    struct image_ref ref, again;

    if (image_ref_normalize(in, &ref, NULL) < 0)
        return;
    must_ok(image_ref_normalize(str_of(ref.s), &again, NULL));
    must(strcmp(ref.s, again.s) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cgroup_fs fs;

    if (size == 0)
        return 0;
    struct str in = str_make((const char *)data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:  try_layer(in); break;
    case 1:  try_ref(in); break;
    default: cgroup_fs_parse(&fs, in, NULL); break;
    }
    return 0;
}
