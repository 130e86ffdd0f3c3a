/* test/fuzz/fuzz_store.c: hostile commands (as a peer's log could bring them) and hostile snapshots.  The bytes are
 * a row of pieces, each with a length in front; the first byte says whether they are commands for one state machine
 * or pieces of one snapshot.  Whatever they are, the state stays sound and everything is given back. */
#include "store/snapshot.h"
#include "store/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cut a piece off; an exact copy, so that a read past its end is seen. */
static bool piece(const uint8_t **data, size_t *size, struct str *ret)
{
    size_t n;
    char  *p;

    if (*size < 2)
        return false;
    n = MIN_OF((size_t)(*data)[0] | (size_t)(*data)[1] << 8, *size - 2);
    p = mem_alloc(n > 0 ? n : 1);
    memcpy(p, *data + 2, n);
    *data += 2 + n;
    *size -= 2 + n;
    *ret = str_make(p, n);
    return true;
}

static void feed_commands(struct state *s, const uint8_t *data, size_t size)
{
    struct arena results = ARENA_INIT;
    struct state_result res;
    struct image past;
    struct str   c;
    uint64_t     rev;

    while (piece(&data, &size, &c)) {
        rev = s->now.rev;
        arena_reset(&results);
        state_apply(s, c, 1, &results, &res);
        must(s->now.rev == rev || (res.err == 0 && s->now.rev == rev + 1));
        must(res.err != 0 || res.rev == s->now.rev);
        mem_free((void *)(uintptr_t)c.p);
    }
    image_check(&s->now);
    must_ok(state_rewind(s, &s->now, 0, &past));
    must(btree_len(&past.keys) == 0);
    image_release(&past);
    arena_release(&results);
}

static void feed_snapshot(struct state *s, const uint8_t *data, size_t size)
{
    struct snapshot_reader *r = snapshot_reader_new(&s->pool);
    struct image m;
    struct str   c;

    while (piece(&data, &size, &c)) {
        snapshot_reader_data(r, c);
        mem_free((void *)(uintptr_t)c.p);
    }
    if (snapshot_reader_take(r, &m) == 0) {
        image_check(&m);
        state_replace(s, &m);
        image_check(&s->now);
    }
    snapshot_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    long live = mem_live();
    struct state s;

    if (size == 0)
        return 0;
    state_init(&s, UINT64_MAX, UINT64_MAX);
    if (data[0] % 4 != 0)
        feed_commands(&s, data + 1, size - 1);
    else
        feed_snapshot(&s, data + 1, size - 1);
    state_release(&s);
    must(mem_live() == live);
    return 0;
}
