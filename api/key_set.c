/* api/key_set.c: see api/key_set.h. */
#include "api/key_set.h"
#include "net/arena.h"
#include "net/tls.h"

static struct key_set *key_set_new(void)
{
    struct key_set *s = mem_new(struct key_set);

    s->refs = 1;
    return s;
}

struct key_set *key_set_ref(struct key_set *s)
{
    must(s->refs > 0);
    s->refs++;
    return s;
}

void key_set_unref(struct key_set *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    for (size_t i = 0; i < s->n; i++) {
        key_free(s->key[i]);
        mem_free(s->kid[i]);
    }
    mem_free(s);
}

int key_set_from_pem(struct str pem, struct key_set **ret, struct errbuf *err)
{
    struct key_set *s = key_set_new();
    int             rc = key_read_all(pem, s->key, KEY_SET_MAX, &s->n, err);

    for (size_t i = 0; i < s->n; i++)
        s->kid[i] = mem_strdup(key_id(s->key[i]));
    if (rc < 0) {
        key_set_unref(s);
        return rc;
    }
    *ret = s;
    return 0;
}

static struct key *key_of(const struct json *jwk)
{
    struct buf  one = BUF_INIT, two = BUF_INIT;
    bool        rsa = str_is(json_str(json_getz(jwk, "kty")), "RSA");
    bool        ec = str_is(json_str(json_getz(jwk, "kty")), "EC");
    struct str  use = json_str(json_getz(jwk, "use"));
    struct key *k = NULL;

    if ((rsa || ec) && (use.n == 0 || str_is(use, "sig")) &&
        base64_decode(&one, json_str(json_getz(jwk, rsa ? "n" : "x")), true) == 0 &&
        base64_decode(&two, json_str(json_getz(jwk, rsa ? "e" : "y")), true) == 0 &&
        (rsa ? key_from_rsa(buf_str(&one), buf_str(&two), &k)
             : key_from_ec(json_str(json_getz(jwk, "crv")), buf_str(&one), buf_str(&two), &k)) < 0)
        k = NULL;
    buf_release(&one);
    buf_release(&two);
    return k;
}

int key_set_from_json(const struct json *jwks, struct key_set **ret, struct errbuf *err)
{
    struct key_set *s = key_set_new();

    json_each(it, json_getz(jwks, "keys")) {
        struct key *k = s->n < KEY_SET_MAX ? key_of(it) : NULL;

        if (k == NULL)
            continue;
        s->kid[s->n] = mem_strndup(json_str(json_getz(it, "kid")));
        s->key[s->n++] = k;
    }
    if (s->n == 0) {
        key_set_unref(s);
        return err_set(err, E_INVALID, "the key set has no key that signs tokens");
    }
    *ret = s;
    return 0;
}

bool key_set_has(const struct key_set *s, struct str kid)
{
    for (size_t i = 0; i < s->n; i++)
        if (kid.n > 0 && str_is(kid, s->kid[i]))
            return true;
    return false;
}

bool key_set_verify(const struct key_set *s, const struct jwt *t)
{
    bool named = key_set_has(s, t->kid);

    for (size_t i = 0; i < s->n; i++)
        if ((!named || str_is(t->kid, s->kid[i])) && key_verify(s->key[i], t->alg, t->covered, t->signature))
            return true;
    return false;
}

static void number(struct arena *a, struct json *in, const struct key *k, const char *name)
{
    struct buf b = BUF_INIT;

    if (key_number(k, name[0], &b) == 0)
        json_setz(a, in, name, json_string(a, buf_str(&b)));
    buf_release(&b);
}

struct json *key_set_json(const struct key_set *s, struct arena *a)
{
    struct json *top = json_object(a), *keys = json_setz(a, top, "keys", json_array(a));

    for (size_t i = 0; i < s->n; i++) {
        const struct key *k = s->key[i];
        struct json      *jwk = json_push(keys, json_object(a));
        bool              ec = key_curve(k) != NULL;

        json_setf(a, jwk, "use", "sig");
        json_setf(a, jwk, "kty", "%s", key_type(k));
        json_setf(a, jwk, "kid", "%s", s->kid[i]);
        json_setf(a, jwk, "alg", "%s", key_alg(k));
        if (ec)
            json_setf(a, jwk, "crv", "%s", key_curve(k));
        number(a, jwk, k, ec ? "x" : "n");
        number(a, jwk, k, ec ? "y" : "e");
    }
    return top;
}
