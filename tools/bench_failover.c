/* tools/bench_failover.c: see tools/bench.h: remembers every acknowledged create, measures the longest time
 * between two, and at the end reads the whole list and compares. */
#include "tools/bench.h"

#define VERIFY_PAGE 1000

static bool bit_get(const struct bench_failover *f, uint64_t key)
{
    return key / 8 < f->cap && (f->acked[key / 8] >> (key % 8) & 1) != 0;
}

static void bit_flip(struct bench_failover *f, uint64_t key)
{
    if (key / 8 >= f->cap) {
        size_t cap = MAX_OF((size_t)(key / 8) + 1, f->cap * 2 + 4096);
        f->acked = mem_realloc(f->acked, cap);
        memset(f->acked + f->cap, 0, cap - f->cap);
        f->cap = cap;
    }
    f->acked[key / 8] ^= (uint8_t)(1u << (key % 8));
}

void failover_start(struct bench *b)
{
    b->failover.last_ns = loop_hires_ns(b->loop);
}

static void note_gap(struct bench_failover *f, uint64_t now_ns)
{
    if (now_ns <= f->last_ns)
        return;                                  /* an answer that came after the end counts no gap */
    if (now_ns - f->last_ns > f->gap_ns) {
        f->gap_ns = now_ns - f->last_ns;
        f->gap_at_ns = f->last_ns;
    }
    f->last_ns = now_ns;
}

void failover_acked(struct bench *b, uint64_t key, uint64_t now_ns)
{
    struct bench_failover *f = &b->failover;

    must(!bit_get(f, key));
    bit_flip(f, key);
    f->n_acked++;
    if (b->phase != PHASE_MEASURE)
        return;
    note_gap(f, now_ns);
}

void failover_end(struct bench *b, uint64_t now_ns)
{
    note_gap(&b->failover, now_ns);
}

/* ---- Verifying ---------------------------------------------------------------------------------- */

static void verify_page(struct bench *b, struct str cont);

static void verify_names(struct bench *b, struct str body)
{
    struct bench_failover *f = &b->failover;
    struct arena a = ARENA_INIT;
    struct str prefix = requests_name_prefix(b, &a);
    const char *at;

    while ((at = memmem(body.p, body.n, prefix.p, prefix.n)) != NULL) {
        body = str_from(body, (size_t)(at - body.p));
        uint64_t key = requests_find(body, prefix);
        body = str_from(body, prefix.n);
        if (key == BENCH_NO_KEY)
            continue;
        if (bit_get(f, key)) {
            bit_flip(f, key);
            f->found++;
        } else {
            f->strangers++;                      /* its answer was lost, not the object */
        }
    }
    arena_release(&a);
}

static struct str continue_of(struct str body)
{
    static const char mark[] = "\"continue\":\"";
    const char *at = memmem(body.p, MIN_OF(body.n, 4096), mark, sizeof mark - 1);
    ptrdiff_t end;

    if (at == NULL)
        return STR_NONE;
    body = str_from(body, (size_t)(at - body.p) + sizeof mark - 1);
    end = str_find(body, '"');
    return end < 0 ? STR_NONE : str_upto(body, (size_t)end);
}

static void verify_on_page(struct bench *b, int status, struct str body)
{
    struct bench_failover *f = &b->failover;

    if (status != 200) {
        f->done(b, "the list to verify with was refused");
        return;
    }
    verify_names(b, body);
    if (continue_of(body).n > 0) {
        verify_page(b, continue_of(body));
        return;
    }
    f->lost = f->n_acked - f->found;
    f->done(b, f->lost > 0 ? "acknowledged objects are lost" : NULL);
}

static void verify_page(struct bench *b, struct str cont)
{
    struct arena a = ARENA_INIT;
    struct str path = arena_fmt(&a, "/api/v1/namespaces/%s/pods?limit=%d%s%.*s", b->cfg.ns, VERIFY_PAGE,
                                cont.n > 0 ? "&continue=" : "", STR_ARG(cont));
    control_send(b, "GET", path, STR_NONE, verify_on_page);
    arena_release(&a);
}

void failover_verify(struct bench *b, void (*done)(struct bench *b, const char *error))
{
    b->failover.done = done;
    verify_page(b, STR_NONE);
}

void failover_release(struct bench *b)
{
    mem_free(b->failover.acked);
}
