/* net/spdy_block.c: see net/spdy_block.h. */
#include <zlib.h>
#include "net/spdy_block.h"

#define PACK_LEVEL  1
#define PACK_WINDOW 11                           /* what we send is short: 2 kB of window, 9 kB of state */
#define PACK_MEMORY 1

/* Words with their length before them, as they stand in a block, then what often stands inside values. */
static const char dictionary[] =
    "\0\0\0\007options" "\0\0\0\004head" "\0\0\0\004post" "\0\0\0\003put" "\0\0\0\006delete" "\0\0\0\005trace"
    "\0\0\0\006accept" "\0\0\0\016accept-charset" "\0\0\0\017accept-encoding" "\0\0\0\017accept-language"
    "\0\0\0\015accept-ranges" "\0\0\0\003age" "\0\0\0\005allow" "\0\0\0\015authorization"
    "\0\0\0\015cache-control"
    "\0\0\0\012connection" "\0\0\0\014content-base" "\0\0\0\020content-encoding" "\0\0\0\020content-language"
    "\0\0\0\016content-length" "\0\0\0\020content-location" "\0\0\0\013content-md5" "\0\0\0\015content-range"
    "\0\0\0\014content-type" "\0\0\0\004date" "\0\0\0\004etag" "\0\0\0\006expect" "\0\0\0\007expires"
    "\0\0\0\004from"
    "\0\0\0\004host" "\0\0\0\010if-match" "\0\0\0\021if-modified-since" "\0\0\0\015if-none-match"
    "\0\0\0\010if-range"
    "\0\0\0\023if-unmodified-since" "\0\0\0\015last-modified" "\0\0\0\010location" "\0\0\0\014max-forwards"
    "\0\0\0\006pragma" "\0\0\0\022proxy-authenticate" "\0\0\0\023proxy-authorization" "\0\0\0\005range"
    "\0\0\0\007referer" "\0\0\0\013retry-after" "\0\0\0\006server" "\0\0\0\002te" "\0\0\0\007trailer"
    "\0\0\0\021transfer-encoding" "\0\0\0\007upgrade" "\0\0\0\012user-agent" "\0\0\0\004vary" "\0\0\0\003via"
    "\0\0\0\007warning" "\0\0\0\020www-authenticate" "\0\0\0\006method" "\0\0\0\003get" "\0\0\0\006status"
    "\0\0\0\006" "200 OK" "\0\0\0\007version" "\0\0\0\010HTTP/1.1" "\0\0\0\003url" "\0\0\0\006public"
    "\0\0\0\012set-cookie" "\0\0\0\012keep-alive" "\0\0\0\006origin"
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information" "204 No Content" "301 Moved Permanently" "400 Bad Request"
    "401 Unauthorized"
    "403 Forbidden" "404 Not Found" "500 Internal Server Error" "501 Not Implemented"
    "503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec" " 00:00:00" " Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,"
    "text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
#define DICTIONARY_SIZE (sizeof dictionary - 1)

struct spdy_packer { z_stream z; struct buf plain; };
struct spdy_unpacker { z_stream z; bool broken; };

static void *zip_alloc(void *arg, unsigned n, unsigned size) { return mem_zalloc((size_t)n * size); }
static void  zip_free(void *arg, void *p) { mem_free(p); }

/* ---- out ---------------------------------------------------------------------------------------- */

struct spdy_packer *spdy_packer_new(void)
{
    struct spdy_packer *p = mem_new(struct spdy_packer);

    p->z.zalloc = zip_alloc;
    p->z.zfree = zip_free;
    must(deflateInit2(&p->z, PACK_LEVEL, Z_DEFLATED, PACK_WINDOW, PACK_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK);
    must(deflateSetDictionary(&p->z, (const Bytef *)dictionary, DICTIONARY_SIZE) == Z_OK);
    return p;
}

void spdy_packer_free(struct spdy_packer *p)
{
    if (p == NULL)
        return;
    deflateEnd(&p->z);
    buf_release(&p->plain);
    mem_free(p);
}

static void put_be32(struct buf *b, uint32_t v)
{
    unsigned char x[4] = { v >> 24, v >> 16, v >> 8, v };
    buf_add(b, x, 4);
}

static void put_lower(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_char(b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i]);
}

void spdy_pack(struct spdy_packer *p, const struct http_header *h, size_t n, struct buf *out)
{
    buf_clear(&p->plain);
    put_be32(&p->plain, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        put_be32(&p->plain, (uint32_t)h[i].name.n);
        put_lower(&p->plain, h[i].name);
        put_be32(&p->plain, (uint32_t)h[i].value.n);
        buf_str_add(&p->plain, h[i].value);
    }
    p->z.next_in = (Bytef *)p->plain.p;
    p->z.avail_in = (unsigned)p->plain.n;
    do {                                         /* the flush is whole when room is left */
        buf_reserve(out, 256);
        p->z.next_out = (Bytef *)out->p + out->n;
        p->z.avail_out = (unsigned)MIN_OF(out->cap - out->n, (size_t)UINT32_MAX);
        out->n += p->z.avail_out;
        int rc = deflate(&p->z, Z_SYNC_FLUSH);
        must(rc == Z_OK || rc == Z_BUF_ERROR);
        out->n -= p->z.avail_out;
    } while (p->z.avail_out == 0);
    must(p->z.avail_in == 0);
}

/* ---- in ----------------------------------------------------------------------------------------- */

struct spdy_unpacker *spdy_unpacker_new(void)
{
    struct spdy_unpacker *u = mem_new(struct spdy_unpacker);

    u->z.zalloc = zip_alloc;
    u->z.zfree = zip_free;
    must(inflateInit(&u->z) == Z_OK);
    return u;
}

void spdy_unpacker_free(struct spdy_unpacker *u)
{
    if (u == NULL)
        return;
    inflateEnd(&u->z);
    mem_free(u);
}

/* One block into plain; a bomb ends at SPDY_BLOCK_MAX. */
static int inflate_block(struct spdy_unpacker *u, struct str block, struct buf *plain, struct errbuf *err)
{
    int rc;

    u->z.next_in = (Bytef *)block.p;
    u->z.avail_in = (unsigned)block.n;
    do {
        if (plain->n > SPDY_BLOCK_MAX)
            return err_set(err, E_TOOBIG, "a header block is too long");
        buf_reserve(plain, 1024);
        u->z.next_out = (Bytef *)plain->p + plain->n;
        u->z.avail_out = (unsigned)MIN_OF(plain->cap - plain->n, SPDY_BLOCK_MAX + 1 - plain->n);
        size_t room = u->z.avail_out;
        rc = inflate(&u->z, Z_SYNC_FLUSH);
        plain->n += room - u->z.avail_out;
        if (rc == Z_NEED_DICT)
            rc = inflateSetDictionary(&u->z, (const Bytef *)dictionary, DICTIONARY_SIZE);
    } while (rc == Z_OK && (u->z.avail_in > 0 || u->z.avail_out == 0));
    /* Z_BUF_ERROR: nothing more to do, the block was read to its end */
    if ((rc != Z_OK && rc != Z_BUF_ERROR) || u->z.avail_in > 0)
        return err_set(err, E_INVALID, "a header block does not unpack");
    return 0;
}

static bool take_be32(struct str *s, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s->p;

    if (s->n < 4)
        return false;
    *ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    *s = str_from(*s, 4);
    return true;
}

static bool take_text(struct str *s, struct str *ret)
{
    uint32_t n;

    if (!take_be32(s, &n) || n > s->n)
        return false;
    *ret = str_upto(*s, n);
    *s = str_from(*s, n);
    return true;
}

static bool name_ok(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 0x20 || (unsigned char)name.p[i] >= 0x7f || (name.p[i] >= 'A' && name.p[i] <= 'Z'))
            return false;
    return name.n > 0;
}

static int read_block(struct str plain, struct http_header *h, uint32_t n, struct errbuf *err)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!take_text(&plain, &h[i].name) || !take_text(&plain, &h[i].value) || !name_ok(h[i].name))
            return err_set(err, E_INVALID, "a header block is malformed");
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(h[k].name, h[i].name))
                return err_set(err, E_INVALID, "a header comes twice");
    }
    return plain.n == 0 ? 0 : err_set(err, E_INVALID, "a header block has a tail");
}

int spdy_unpack(struct spdy_unpacker *u, struct str block, struct arena *a, struct http_header **ret,
                size_t *ret_n,
                struct errbuf *err)
{
    struct buf plain = BUF_INIT;
    struct str s;
    uint32_t n = 0;
    int rc = u->broken ? err_set(err, E_INVALID, "a header block before did not unpack")
                       : inflate_block(u, block, &plain, err);

    u->broken = rc != 0;
    if (rc == 0) {
        s = arena_str(a, buf_str(&plain));
        if (!take_be32(&s, &n) || n > SPDY_HEADERS_MAX)
            rc = err_set(err, E_INVALID, "a header block with no or too many headers");
    }
    buf_release(&plain);
    if (rc != 0)
        return rc;
    struct http_header *h = arena_alloc(a, (n + 1) * sizeof *h);
    rc = read_block(s, h, n, err);
    if (rc == 0) {
        *ret = h;
        *ret_n = n;
    }
    return rc;
}
