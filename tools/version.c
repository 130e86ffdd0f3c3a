/* tools/version.c: coracle version. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <uv.h>
#include "tools/flags.h"
#include "tools/version.h"

static int version_run(int argc, char **argv)
{
    flags_parse(&cmd_version, NULL, 0, argc, argv);
    printf("coracle %s (Kubernetes API %s)\nlibuv %s, %s\n", CORACLE_VERSION, CORACLE_GIT_VERSION,
           uv_version_string(), OpenSSL_version(OPENSSL_VERSION));
    return 0;
}

const struct command cmd_version = {
    "version",
    "version",
    "Print the version",
    "Prints the versions of Coracle, of the Kubernetes API it serves and of its libraries.",
    version_run,
};
