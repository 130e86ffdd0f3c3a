/* test/fuzz/fuzz_jwt.c: bytes as a token, and as a key set: what is taken apart fits together again, and no signature that
 * was not made verifies. */
#include "api/key_set.h"
#include "net/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key_set *own_keys(void)
{
    static struct key_set *keys;
    struct buf key = BUF_INIT, pub = BUF_INIT;

    if (keys == NULL) {
        must_ok(pki_new_key(&key, &pub, NULL));
        must_ok(key_set_from_pem(buf_str(&pub), &keys, NULL));
        buf_release(&key);
        buf_release(&pub);
    }
    return keys;
}

static void as_token(struct arena *a, struct str text)
{
    struct jwt t;

    if (jwt_parse(a, text, &t, NULL) < 0)
        return;
    must(json_is(t.claims, JSON_OBJECT));
    must(str_starts(text, t.covered) && text.n > t.covered.n && text.p[t.covered.n] == '.');
    must(!key_set_verify(own_keys(), &t));       /* its key has signed nothing */
}

static void as_keys(struct arena *a, struct str text)
{
    struct json    *j;
    struct key_set *keys, *again;

    if (json_parse(a, text, &j, NULL) < 0 || key_set_from_json(j, &keys, NULL) < 0)
        return;
    must_ok(key_set_from_json(key_set_json(keys, a), &again, NULL));
    must(again->n == keys->n);
    for (size_t i = 0; i < keys->n; i++)
        must(strcmp(key_id(keys->key[i]), key_id(again->key[i])) == 0);
    key_set_unref(keys);
    key_set_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct str   text = str_make((const char *)data, size);

    as_token(&a, text);
    as_keys(&a, text);
    arena_release(&a);
    return 0;
}
