/* api/jwt.c: see api/jwt.h. */
#include "api/jwt.h"
#include "net/tls.h"

int jwt_sign(const struct key *k, const struct json *claims, struct buf *out, struct errbuf *err)
{
    struct buf text = BUF_INIT, sig = BUF_INIT;
    size_t     start = out->n;
    int        rc;

    buf_fmt(&text, "{\"alg\":\"%s\",\"kid\":\"%s\"}", key_alg(k), key_id(k));
    base64_encode(out, buf_str(&text), true);
    buf_char(out, '.');
    buf_clear(&text);
    json_write(&text, claims);
    base64_encode(out, buf_str(&text), true);
    rc = key_sign(k, str_make(out->p + start, out->n - start), &sig, err);
    buf_char(out, '.');
    base64_encode(out, buf_str(&sig), true);
    if (rc < 0)
        out->n = start;
    buf_release(&text);
    buf_release(&sig);
    return rc;
}

/* A part's bytes, in the arena. */
static int decode(struct arena *a, struct str part, struct str *ret)
{
    struct buf b = BUF_INIT;
    int        rc = base64_decode(&b, part, true);

    if (rc == 0)
        *ret = arena_str(a, buf_str(&b));
    buf_release(&b);
    return rc;
}

static int decode_object(struct arena *a, struct str part, struct json **ret)
{
    struct json_error why;
    struct str        text;

    if (decode(a, part, &text) < 0 || json_parse(a, text, ret, &why) < 0)
        return E_INVALID;
    return json_is(*ret, JSON_OBJECT) ? 0 : E_INVALID;
}

int jwt_parse(struct arena *a, struct str token, struct jwt *ret, struct errbuf *err)
{
    struct str   part[3], rest = token;
    struct json *header;
    unsigned     n = 0;

    if (token.n > JWT_MAX_BYTES)
        return err_set(err, E_INVALID, "the token is too long");
    while (n < 3 && str_split(&rest, '.', &part[n]))
        n++;
    if (n != 3 || rest.p != NULL)
        return err_set(err, E_INVALID, "the token is not of the form header.payload.signature");
    if (decode_object(a, part[0], &header) < 0 || decode(a, part[2], &ret->signature) < 0)
        return err_set(err, E_INVALID, "the token's header or signature cannot be read");
    if (json_getz(header, "crit") != NULL)
        return err_set(err, E_INVALID, "the token demands extensions that nobody knows here");
    if (decode_object(a, part[1], &ret->claims) < 0)
        return err_set(err, E_INVALID, "the token's claims cannot be read");
    ret->alg = json_str(json_getz(header, "alg"));
    ret->kid = json_str(json_getz(header, "kid"));
    ret->covered = str_make(token.p, part[0].n + 1 + part[1].n);
    return 0;
}
