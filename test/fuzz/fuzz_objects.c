/* test/fuzz/fuzz_objects.c: any kind's object, grown and damaged as the bytes say, through the whole API in every encoding;
 * what must hold is in test/api/object_trial.h.  One head serves all runs: each leaves it as it was. */
#include <stdarg.h>
#include "net/tls.h"
#include "test/api/object_trial.h"

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rig *rig;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct buf key, pub;
    struct api_opts   opts = { 0 };

    (void)argc;
    (void)argv;
    must_ok(pki_new_key(&key, &pub, NULL));
    opts.service_account_key_pem = buf_str(&key);
    opts.service_account_pub_pem = buf_str(&pub);
    rig = rig_open_with(&opts);
    CALL(rig, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dice d = { .bytes = str_make((const char *)data, size) };

    trial_run(rig, &DICE_PICK(&d, samples), &d, 0);
    return 0;
}
