/* test/net/base_test.c: strings, arenas, the heap and its domains, blobs, buffers, maps, errors. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "net/arena.h"
#include "net/err.h"
#include "net/log.h"
#include "net/map.h"
#include "test/test.h"

/* ---- errors ------------------------------------------------------------------------------------ */

TEST(errors)
{
    struct errbuf e;
    char longer[sizeof e.s * 3 / 2];

    CHECK_STR(str_of(err_text(E_NOTFOUND)), "not found");
    CHECK_STR(str_of(err_text(12345)), "unknown error");
    CHECK_INT(err_set(&e, E_STALE, "rev %d", 7), E_STALE);
    CHECK_INT(err_wrap(&e, E_CORRUPT, "segment %d", 3), E_CORRUPT);
    CHECK_STR(str_of(e.s), "segment 3: rev 7");
    CHECK_INT(err_sys(&e, ENOSPC, "write %s", "f"), E_FULL);
    CHECK_STR(str_of(e.s), "write f: No space left on device");
    CHECK_INT(err_sys(NULL, ENOENT, "x"), E_NOTFOUND);
    CHECK_INT(err_set(NULL, E_IO, "x"), E_IO);
    CHECK_INT(err_wrap(NULL, E_IO, "x"), E_IO);
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    for (int cut = (int)sizeof e.s / 2 - 16; cut < (int)sizeof e.s + 16; cut++) {    /* around the buffer's end: bounded, terminated */
        err_set(&e, E_IO, "%s", longer);
        CHECK_INT(strlen(e.s), sizeof e.s - 1);
        err_wrap(&e, E_IO, "%.*s", cut, longer);
        CHECK(strlen(e.s) < sizeof e.s);
        err_sys(&e, EIO, "%.*s", cut, longer);
        CHECK(strlen(e.s) < sizeof e.s);
    }
}

static long long fixed_clock(void *arg)
{
    return *(long long *)arg;
}

/* One line whatever is logged, at the given time, cut with a mark; nothing below the level. */
TEST(log_lines)
{
    long long ns = 1767323045678999999;
    char got[16384], big[8000];
    int fd[2], was = dup(STDERR_FILENO);

    memset(big, 'b', sizeof big);
    big[sizeof big - 1] = '\0';
    CHECK(pipe(fd) == 0);
    dup2(fd[1], STDERR_FILENO);
    log_clock(fixed_clock, &ns);
    log_info("part", "text %d\nE fake: line\x1b[2J", 7);
    log_debug("part", "unseen");
    log_write(LOG_DEBUG, "part", "unseen");
    log_error("part", "%s", big);
    log_clock(NULL, NULL);
    dup2(was, STDERR_FILENO);
    close(was);
    close(fd[1]);
    ssize_t n = read(fd[0], got, sizeof got - 1);
    close(fd[0]);
    CHECK(n > 0);
    got[n > 0 ? n : 0] = '\0';
    struct str rest = str_of(got), line;
    CHECK(str_split(&rest, '\n', &line));
    CHECK_STR(line, "2026-01-02T03:04:05.678Z I part: text 7|E fake: line?[2J");
    CHECK(str_split(&rest, '\n', &line));
    CHECK(str_starts(line, STR("2026-01-02T03:04:05.678Z E part: bbb")) && str_ends(line, STR("bbb...")) && line.n < 4096);
    CHECK_INT(rest.n, 0);
}

/* ---- strings ----------------------------------------------------------------------------------- */

TEST(split)
{
    struct str rest = STR("a,,b,"), part;
    char got[64] = "";

    while (str_split(&rest, ',', &part)) {
        strncat(got, part.p, part.n);
        strcat(got, "|");
    }
    CHECK_STR(str_of(got), "a||b||");
    rest = STR_NONE;
    CHECK(!str_split(&rest, ',', &part));
    rest = STR("");
    CHECK(str_split(&rest, ',', &part) && part.n == 0);
    CHECK(!str_split(&rest, ',', &part));
}

TEST(numbers)
{
    static const struct { const char *s; bool u, i; uint64_t uv; int64_t iv; } t[] = {
        { "0", true, true, 0, 0 }, { "", false, false, 0, 0 }, { "-", false, false, 0, 0 }, { "+1", false, false, 0, 0 },
        { "18446744073709551615", true, false, UINT64_MAX, 0 }, { "18446744073709551616", false, false, 0, 0 },
        { "99999999999999999999999", false, false, 0, 0 }, { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", true, false, 9223372036854775808u, 0 },
        { "-9223372036854775808", false, true, 0, INT64_MIN }, { "-9223372036854775809", false, false, 0, 0 },
        { " 1", false, false, 0, 0 }, { "1 ", false, false, 0, 0 }, { "1a", false, false, 0, 0 }, { "007", true, true, 7, 7 },
        { "--1", false, false, 0, 0 }, { "-0", false, true, 0, 0 },
    };
    for (size_t n = 0; n < ARRAY_LEN(t); n++) {
        uint64_t u = 0;
        int64_t  i = 0;
        CHECK_INT(str_u64(str_of(t[n].s), &u), t[n].u);
        CHECK_INT(str_i64(str_of(t[n].s), &i), t[n].i);
        CHECK(u == t[n].uv);
        CHECK(i == t[n].iv);
    }
}

TEST(comparing)
{
    CHECK(str_ieq(STR("Content-Length"), STR("cONTENT-lENGTH")));
    CHECK(!str_ieq(STR("a["), STR("A{")));               /* 0x20 apart, but no letters */
    CHECK(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0 && str_cmp(STR_NONE, STR("")) == 0);
    CHECK(str_cmp(STR("\xff"), STR("a")) > 0);
    CHECK_STR(str_trim(STR(" \t x y\r\n ")), "x y");
    CHECK_INT(str_trim(STR("   ")).n, 0);
    CHECK(str_starts(STR("abc"), STR_NONE) && str_ends(STR("abc"), STR("bc")) && !str_ends(STR("c"), STR("bc")));
    CHECK_INT(str_find(STR_NONE, 'x'), -1);
}

TEST(hash_spreads)
{
    unsigned bucket[64] = { 0 };
    char key[32];

    for (int i = 0; i < 6400; i++) {
        int n = snprintf(key, sizeof key, "/registry/pods/default/p%d", i);
        bucket[str_hash(str_make(key, (size_t)n)) % 64]++;
    }
    for (int i = 0; i < 64; i++)
        CHECK(bucket[i] > 40 && bucket[i] < 200);
    /* Every length and byte counts. */
    char zeros[40] = { 0 };
    for (size_t n = 0; n < 39; n++)
        CHECK(str_hash(str_make(zeros, n)) != str_hash(str_make(zeros, n + 1)));
    for (size_t i = 0; i < sizeof zeros; i++) {
        uint64_t h = str_hash(str_make(zeros, sizeof zeros));
        zeros[i] ^= 1;
        CHECK(h != str_hash(str_make(zeros, sizeof zeros)));
        zeros[i] ^= 1;
    }
}

/* ---- memory ------------------------------------------------------------------------------------- */

TEST(arena)
{
    long live = mem_live();
    struct arena a;

    arena_init(&a);
    CHECK_INT(mem_live(), live);                         /* init never allocates */
    arena_release(&a);
    for (int round = 0; round < 3; round++) {
        char  *p[200];
        size_t sum = 0;
        for (size_t i = 0; i < ARRAY_LEN(p); i++) {
            size_t n = i * i % 5000;
            p[i] = arena_alloc(&a, n);
            CHECK((uintptr_t)p[i] % 16 == 0);
            memset(p[i], (int)i, n);
            sum += n;
        }
        CHECK(arena_used(&a) >= sum && arena_used(&a) < sum + 16 * ARRAY_LEN(p) + 16);
        for (size_t i = 0; i < ARRAY_LEN(p); i++)
            for (size_t j = 0; j < i * i % 5000; j++)
                if (p[i][j] != (char)i)
                    test_fail(__FILE__, __LINE__, "block %zu is damaged", i);
        arena_reset(&a);
        CHECK_INT(arena_used(&a), 0);
        CHECK_INT(mem_live(), live + 1);
    }
    CHECK_STR(arena_fmt(&a, "%s-%d", "x", 7), "x-7");
    struct str s = arena_str(&a, STR("abc"));
    CHECK(s.n == 3 && s.p[3] == '\0');
    char *big = arena_alloc(&a, 1 << 20), *small = arena_alloc(&a, 8);
    memset(big, 1, 1 << 20);
    memset(small, 2, 8);
    CHECK(big[(1 << 20) - 1] == 1);
    CHECK(arena_zalloc(&a, 0) != NULL);
    arena_release(&a);
    CHECK_INT(mem_live(), live);
}

/* Domains need headers from the first block on: before any other test allocates. */
__attribute__((constructor)) static void track(void)
{
    mem_track();
    mem_track();
}

TEST(domains)
{
    long live = mem_live();
    struct mem_domain a, b;

    mem_domain_init(&a);
    mem_domain_init(&b);
    void *outside = mem_alloc(10);
    CHECK(mem_domain_enter(&a) == NULL);
    void *kept = mem_alloc(100);
    for (int i = 0; i < 50; i++)
        (void)!mem_zalloc((size_t)i);
    CHECK(mem_domain_enter(&b) == &a);
    void *in_b = mem_strdup("b");
    kept = mem_realloc(kept, 100000);                    /* stays a's */
    memset(kept, 7, 100000);
    outside = mem_realloc(outside, 20);                  /* stays nobody's */
    mem_domain_enter(NULL);
    CHECK_INT(a.n_blocks, 51);
    CHECK_INT(b.n_blocks, 1);
    mem_free(in_b);                                      /* from outside */
    CHECK_INT(b.n_blocks, 0);
    mem_domain_drop(&a);
    CHECK_INT(a.n_blocks, 0);
    CHECK_INT(mem_live(), live + 1);
    mem_free(outside);
    mem_free(NULL);
    mem_domain_enter(&a);                                /* usable again */
    CHECK((uintptr_t)mem_alloc(1) % 16 == 0);
    mem_domain_enter(NULL);
    mem_domain_drop(&a);
    CHECK_INT(mem_live(), live);
}

/* ---- blobs and buffers --------------------------------------------------------------------------- */

TEST(blobs)
{
    long live = mem_live();
    struct blob *b = blob_copy(STR("abc"));
    CHECK(blob_ref(b) == b && b->refs == 2);
    CHECK_STR(blob_str(b), "abc");
    CHECK(blob_unref(b) == NULL);
    CHECK_INT(b->refs, 1);
    blob_unref(b);
    blob_unref(NULL);
    blob_unref(blob_new(0));
    CHECK_INT(mem_live(), live);
}

TEST(buffers)
{
    long live = mem_live();
    struct buf b = BUF_INIT;

    buf_add(&b, NULL, 0);
    CHECK(b.p == NULL);
    for (int i = 0; i < 1000; i++)
        buf_fmt(&b, "%d,", i);
    CHECK_INT(b.n, 10 * 2 + 90 * 3 + 900 * 4);
    buf_drop(&b, b.n - 4);
    CHECK_STR(buf_str(&b), "999,");
    buf_clear(&b);
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_z(&b, " ");
    buf_i64(&b, 0);
    CHECK_STR(buf_str(&b), "18446744073709551615 -9223372036854775808 0");
    struct blob *o = buf_to_blob(&b);
    CHECK(b.n == 0 && b.cap > 0 && o->len == 43);
    blob_unref(o);
    buf_release(&b);
    CHECK_INT(mem_live(), live);
}

TEST(integers_on_the_wire)
{
    static const uint64_t v[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, 1ull << 62, 1ull << 63, UINT64_MAX };
    struct buf b = BUF_INIT;
    uint64_t u;
    uint32_t w;

    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        buf_varint(&b, v[i]);
        buf_le64(&b, v[i]);
        buf_le32(&b, (uint32_t)v[i]);
    }
    struct str s = buf_str(&b);
    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        CHECK(str_varint(&s, &u) && u == v[i]);
        CHECK(str_le64(&s, &u) && u == v[i]);
        CHECK(str_le32(&s, &w) && w == (uint32_t)v[i]);
    }
    CHECK_INT(s.n, 0);
    CHECK(!str_varint(&s, &u) && !str_le32(&s, &w) && !str_le64(&s, &u));
    s = STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"); /* 65 bits */
    CHECK(!str_varint(&s, &u));
    s = STR("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");     /* eleven bytes */
    CHECK(!str_varint(&s, &u));
    s = STR("\x80\x80");                                 /* cut */
    CHECK(!str_varint(&s, &u));
    buf_clear(&b);
    buf_le32(&b, 0x04030201);
    CHECK_STR(buf_str(&b), "\x01\x02\x03\x04");
    buf_release(&b);
}

/* ---- maps ---------------------------------------------------------------------------------------- */

/* Against a plain array, through growth, tombstones and shrinking. */
TEST(map_against_a_model)
{
    enum { KEYS = 500 };
    long live = mem_live();
    static char one[KEYS];
    bool in[KEYS] = { false };
    struct map m = MAP_INIT;
    uint64_t seed = 42;
    size_t n = 0;

    CHECK(map_get(&m, STR("x")) == NULL && map_del(&m, STR("x")) == NULL);
    for (int step = 0; step < 60000; step++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned k = (unsigned)(seed >> 33) % KEYS, what = (unsigned)(seed >> 60);
        char text[16];
        struct str key = str_make(text, (size_t)snprintf(text, sizeof text, "k%u", k));
        if (what < (step / 10000 % 2 ? 4u : 9u)) {
            CHECK(map_put(&m, key, &one[k]) == (in[k] ? &one[k] : NULL));
            n += !in[k];
            in[k] = true;
        } else if (what < 14) {
            CHECK(map_del(&m, key) == (in[k] ? &one[k] : NULL));
            n -= in[k];
            in[k] = false;
        }
        CHECK(map_get(&m, key) == (in[k] ? &one[k] : NULL));
        CHECK(m.n == n);
    }
    struct str key;
    void *val;
    size_t seen = 0;
    for (size_t i = 0; map_next(&m, &i, &key, &val); seen++)
        if (seen % 2)
            CHECK(map_del(&m, key) == val);              /* of the entry at hand */
    CHECK_INT(seen, n);
    CHECK_INT(m.n, n - n / 2);
    CHECK(map_put(&m, STR(""), one) == NULL && map_get(&m, STR_NONE) == one);
    CHECK(map_put(&m, str_make("a\0b", 3), one) == NULL && map_get(&m, STR("a")) == NULL);
    map_release(&m);
    CHECK_INT(mem_live(), live);
}
