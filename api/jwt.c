/* api/jwt.c: see api/jwt.h. */
#include "api/jwt.h"
#include "net/tls.h"

static const char jwt_header[] = "{\"alg\":\"ES256\",\"typ\":\"JWT\"}";

int jwt_sign(struct str key_pem, const struct json *claims, struct buf *out, struct errbuf *err)
{
    struct buf    payload = BUF_INIT;
    size_t        start = out->n;
    unsigned char sig[64];
    int           rc;

    json_write(&payload, claims);
    base64_encode(out, STR(jwt_header), true);
    buf_char(out, '.');
    base64_encode(out, buf_str(&payload), true);
    buf_release(&payload);
    rc = pki_sign(key_pem, str_make(out->p + start, out->n - start), sig, err);
    if (rc < 0) {
        out->n = start;
        return rc;
    }
    buf_char(out, '.');
    base64_encode(out, str_make((char *)sig, sizeof(sig)), true);
    return 0;
}

/* base64url JSON in the arena. */
static int decode_part(struct arena *a, struct str part, struct json **ret)
{
    struct buf        b = BUF_INIT;
    struct json_error why;
    int               rc = base64_decode(&b, part, true);

    if (rc == 0)
        rc = json_parse(a, arena_str(a, buf_str(&b)), ret, &why);
    buf_release(&b);
    return rc == 0 && json_is(*ret, JSON_OBJECT) ? 0 : E_INVALID;
}

static int decode_signature(struct str part, unsigned char sig[64])
{
    struct buf b = BUF_INIT;
    int        rc = base64_decode(&b, part, true);

    if (rc == 0 && b.n == 64)
        memcpy(sig, b.p, 64);
    else
        rc = E_INVALID;
    buf_release(&b);
    return rc;
}

int jwt_verify(struct str pub_pem, struct str token, struct arena *a, struct json **ret_claims,
               struct errbuf *err)
{
    struct str    part[3], rest = token;
    struct json  *header, *claims;
    unsigned char sig[64];
    unsigned      n = 0;

    if (token.n > JWT_MAX_BYTES)
        return err_set(err, E_INVALID, "the token is too long");
    while (n < 3 && str_split(&rest, '.', &part[n]))
        n++;
    if (n != 3 || rest.p != NULL)
        return err_set(err, E_INVALID, "the token is not of the form header.payload.signature");
    if (decode_part(a, part[0], &header) < 0 || decode_signature(part[2], sig) < 0)
        return err_set(err, E_INVALID, "the token's header or signature cannot be read");
    /* The algorithm is ours to choose: whatever else the header claims is refused. */
    if (!str_is(json_str(json_getz(header, "alg")), "ES256"))
        return err_set(err, E_DENIED, "the token is not signed with ES256");
    if (pki_verify(pub_pem, str_make(token.p, part[0].n + 1 + part[1].n), sig) != 0)
        return err_set(err, E_DENIED, "the token's signature does not verify");
    if (decode_part(a, part[1], &claims) < 0)
        return err_set(err, E_INVALID, "the token's claims cannot be read");
    *ret_claims = claims;
    return 0;
}
