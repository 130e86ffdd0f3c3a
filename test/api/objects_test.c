/* test/api/objects_test.c: random objects of every kind through the whole API (test/api/object_trial.h).
 *
 * OBJECTS=n rounds over all kinds instead of the usual few, OBJECT_SEED=s from another seed. */
#include "net/tls.h"
#include "test/api/object_trial.h"

static unsigned long long number_of(const char *name, unsigned long long otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

TEST(random_objects_of_every_kind_keep_what_the_api_promises)
{
    unsigned long long rounds = number_of("OBJECTS", 4), first = number_of("OBJECT_SEED", 1);
    unsigned           grown = 0, trials = 0;
    struct buf         key = BUF_INIT, pub = BUF_INIT;
    struct api_opts    opts = { 0 };

    must_ok(pki_new_key(&key, &pub, NULL));
    opts.service_account_key_pem = buf_str(&key);
    opts.service_account_pub_pem = buf_str(&pub);
    for (unsigned long long seed = first; seed < first + rounds; seed++) {
        struct rig *r = rig_open_with(&opts);

        CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
        for (size_t i = 0; i < ARRAY_LEN(samples); i++, trials++) {
            struct dice d = { .state = seed * 1000003 + i };

            grown += trial_run(r, &samples[i], &d, seed);
        }
        rig_close(r);
    }
    buf_release(&key);
    buf_release(&pub);
    if (grown < trials / 2)
        test_fail(__FILE__, __LINE__, "only %u of %u objects were more than samples", grown, trials);
}
