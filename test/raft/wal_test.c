/* test/raft/wal_test.c: the log on a simulated disk: torn at every byte, a bit flipped in every byte,
 * crashes at any time, disks that fail or fill up.  What was reported durable is always there again, or
 * the damage is named. */
#include "net/sim.h"
#include "raft/crc32c.h"
#include "raft/wal.h"
#include "raft/wal_format.h"
#include "test/test.h"

#define STATES 4096
#define LOG_MAX 512

/* What a log amounts to. */
struct state { uint64_t term, vote, base, n; uint64_t value[LOG_MAX]; uint32_t of_term[LOG_MAX]; };

static struct rig {
    struct sim *sim;
    struct sim_machine *m;
    struct disk *disk;
    struct wal *wal;
    size_t segment;
    struct state found, *state;                  /* state[j]: after j records since the last opening */
    size_t n_states, acked;
    uint64_t durables, failures;
    int rc;
    struct wal_recovered rec;
    struct errbuf err;
    uint64_t next_value;
    /* For file surgery before opening. */
    char file[64];
    size_t at;
    unsigned char flip, *bytes;
    size_t used, last_batch, third_batch;
    enum { SURGERY_NONE, SURGERY_FLIP, SURGERY_TEAR_ZERO, SURGERY_TEAR_JUNK } surgery;
} rig;

static int on_base(void *arg, uint64_t index, uint64_t term, struct errbuf *err)
{
    rig.found.base = rig.found.n = index;
    return 0;
}

static int on_entry(void *arg, uint64_t index, uint64_t term, uint8_t type, struct str data, struct errbuf *err)
{
    uint64_t v = 0;

    if (index >= LOG_MAX || data.n < 8)
        return err_set(err, E_CORRUPT, "not what was written");
    memcpy(&v, data.p, 8);
    rig.found.n = index;
    rig.found.value[index] = v;
    rig.found.of_term[index] = (uint32_t)term;
    return 0;
}

static void on_durable(void *arg, struct raft_mark mark)
{
    CHECK(rig.failures == 0);
    rig.durables++;
    rig.acked = MAX_OF(rig.acked, mark.index);   /* the mark's index is our record count */
}

static void on_failed(void *arg, int err)
{
    CHECK(err == E_IO || err == E_FULL);
    rig.failures++;
}

static void rig_surgery(void)
{
    struct buf b = BUF_INIT;

    must_ok(disk_read_now(rig.disk, rig.file, &b, NULL));
    if (rig.surgery == SURGERY_FLIP)
        b.p[rig.at] ^= (char)rig.flip;
    else
        for (size_t i = rig.at; i < b.n; i++)
            b.p[i] = rig.surgery == SURGERY_TEAR_ZERO ? 0 : (char)(i * 37 + 11);
    must_ok(disk_replace_now(rig.disk, rig.file, buf_str(&b), NULL));
    buf_release(&b);
}

static void rig_do_open(void *arg)
{
    struct wal_opts o = { .loop = sim_machine_loop(rig.m), .cluster = 7, .head = 1, .segment_bytes = rig.segment,
                          .replay = { on_base, on_entry, NULL }, .durable = on_durable, .failed = on_failed };

    memset(&rig.found, 0, sizeof(rig.found));
    rig.wal = NULL;
    rig.durables = rig.failures = 0;
    must_ok(disk_open(o.loop, "data", &rig.disk, NULL));
    if (rig.surgery != SURGERY_NONE)
        rig_surgery();
    rig.surgery = SURGERY_NONE;
    o.disk = rig.disk;
    rig.rc = wal_open(&o, &rig.wal, &rig.rec, &rig.err);
    if (rig.rc == 0 && rig.rec.damaged) {        /* then nothing is written before wal_restart() */
        rig.rc = E_CORRUPT;
        rig.err = rig.rec.damage;
    }
    if (rig.rc != 0)
        return;
    rig.found.term = rig.rec.term;
    rig.found.vote = rig.rec.vote;
}

/* Opens what is on the disk; its state becomes state 0. */
static void rig_open(void)
{
    if (!sim_up(rig.m))
        sim_boot(rig.m);
    sim_do(rig.m, rig_do_open, NULL);
    if (rig.rc != 0)
        return;
    rig.state[0] = rig.found;
    rig.n_states = 1;
    rig.acked = 0;
}

static void rig_new(uint64_t seed, size_t segment)
{
    memset(&rig, 0, sizeof(rig));
    rig.sim = sim_new(seed);
    rig.m = sim_machine_new(rig.sim, "a");
    rig.segment = segment;
    rig.state = mem_zalloc(STATES * sizeof(*rig.state));
    if (!sim_up(rig.m))
        sim_boot(rig.m);
    rig_open();
    CHECK_INT(rig.rc, 0);
}

static void rig_free(void)
{
    if (sim_up(rig.m))
        sim_crash(rig.m);
    sim_free(rig.sim);
    mem_free(rig.state);
    mem_free(rig.bytes);
}

/* ---- Writing, and the model of it ------------------------------------------------------------------ */

static struct state *rig_next_state(void)
{
    struct state *s = &rig.state[rig.n_states];

    must(rig.n_states < STATES);
    *s = rig.state[rig.n_states - 1];
    rig.n_states++;
    return s;
}

static void put_hard(uint64_t term, uint64_t vote)
{
    struct state *s = rig_next_state();

    s->term = term;
    s->vote = vote;
    wal_hard(rig.wal, term, vote, &(struct raft_doubt){ 0 });
}

static void put_entry(uint64_t index, size_t size)
{
    struct state *s = rig_next_state();
    char data[2048];
    uint64_t v = ++rig.next_value;
    struct raft_entry e = { .term = s->term, .type = RAFT_ENTRY_COMMAND, .p = data, .len = (uint32_t)MAX_OF(size, 9) };

    memset(data, 'x', sizeof(data));             /* never 0 at the end: script_look() finds it by that */
    memcpy(data, &v, 8);
    s->n = index;
    s->value[index] = v;
    s->of_term[index] = (uint32_t)s->term;
    wal_entry(rig.wal, index, &e);
}

static void put_flush(void)
{
    wal_flush(rig.wal, (struct raft_mark){ .index = rig.n_states - 1 });
}

static bool hard_equal(const struct state *a, const struct state *b) { return a->term == b->term && a->vote == b->vote; }

/* Equal as far as both reach back. */
static bool log_equal(const struct state *a, const struct state *b)
{
    if (a->n != b->n)
        return false;
    for (uint64_t i = MAX_OF(a->base, b->base) + 1; i <= a->n; i++)
        if (a->value[i] != b->value[i] || a->of_term[i] != b->of_term[i])
            return false;
    return true;
}

/* Is what was found the state after at least `from` of the records written?  Term and vote may be newer than the
 * log: they are in a file of their own, too. */
static bool found_is_one_of(const struct state *state, size_t from, size_t n)
{
    for (size_t j = from; j < n; j++)
        for (size_t k = j; log_equal(&rig.found, &state[j]) && k < n; k++)
            if (hard_equal(&rig.found, &state[k]))
                return true;
    return false;
}

/* ---- One small log, cut and flipped everywhere ----------------------------------------------------- */

static void script_batch(void *arg)
{
    switch (*(int *)arg) {
    case 0: put_hard(1, 1); put_entry(1, 20); put_entry(2, 8); put_entry(3, 33); break;
    case 1: put_entry(4, 8); put_entry(5, 64); break;
    case 2: put_hard(2, 3); put_entry(4, 17); put_entry(5, 9); break;
    default: wal_commit(rig.wal, 5); put_entry(6, 8); put_entry(7, 41); put_entry(8, 100); break;
    }
    put_flush();
}

static void on_listed(void *arg, const char *name, uint64_t size) { snprintf(rig.file, sizeof(rig.file), "%s", name); }

static void script_look(void *arg)
{
    struct buf b = BUF_INIT;

    must_ok(disk_list_now(rig.disk, on_listed, NULL, NULL));
    must_ok(disk_read_now(rig.disk, rig.file, &b, NULL));
    rig.used = b.n;
    while (rig.used > 0 && b.p[rig.used - 1] == 0)
        rig.used--;
    rig.used = wal_padded(rig.used);
    buf_release(&b);
}

/* Writes the script; *ret: where each batch ends in states, last_batch: where the last one begins in the
 * file. */
static size_t script_write(bool seal)
{
    size_t before_last = 0;

    for (int i = 0; i < 4; i++) {
        uint64_t want = rig.durables + 1;
        if (i == 2) {
            sim_do(rig.m, script_look, NULL);
            rig.third_batch = rig.used;
        }
        if (i == 3) {
            sim_do(rig.m, script_look, NULL);
            rig.last_batch = rig.used;
            before_last = rig.n_states - 1;
        }
        sim_do(rig.m, script_batch, &i);
        while (rig.durables < want && sim_step(rig.sim))
            ;
        CHECK_INT(rig.durables, want);
    }
    if (seal) {
        sim_run_for(rig.sim, 1000000000);
        sim_do(rig.m, script_look, NULL);
    }
    sim_do(rig.m, script_look, NULL);
    return before_last;
}

/* One case in a world of its own: surgery at `at`, then reopen. */
static size_t case_run(bool seal, int surgery, size_t at, unsigned char flip, size_t *ret_before_last)
{
    rig_new(1, 4096);
    *ret_before_last = script_write(seal);
    size_t n = rig.n_states, used = rig.used, last = rig.last_batch;
    struct state *state = mem_alloc(n * sizeof(*state));
    memcpy(state, rig.state, n * sizeof(*state));
    sim_crash(rig.m);
    rig.surgery = surgery;
    rig.at = at;
    rig.flip = flip;
    rig_open();
    bool last_hit = at >= last;
    if (surgery == SURGERY_FLIP && !last_hit && at < used) {
        if (rig.rc != E_CORRUPT)
            test_fail(__FILE__, __LINE__, "flip at %zu (last batch at %zu) is not noticed: %d", at, last, rig.rc);
        else
            CHECK(strstr(rig.err.s, "wal-") != NULL);
    } else if (surgery == SURGERY_FLIP && seal && at < used) {
        /* only the seal itself may be lost */
        if (rig.rc != E_CORRUPT && !(log_equal(&rig.found, &state[n - 1]) && hard_equal(&rig.found, &state[n - 1])))
            test_fail(__FILE__, __LINE__, "flip at %zu behind a seal loses entries", at);
    } else {
        if (rig.rc != 0)
            test_fail(__FILE__, __LINE__, "case %d at %zu: %s", surgery, at, rig.err.s);
        else if (!found_is_one_of(state, at >= used ? n - 1 : *ret_before_last, n))
            test_fail(__FILE__, __LINE__, "case %d at %zu: not a state that was written", surgery, at);
    }
    mem_free(state);
    rig_free();
    return used;
}

TEST(torn_at_every_byte_of_the_last_write)
{
    size_t before_last, used = case_run(false, SURGERY_TEAR_ZERO, 100000, 0, &before_last);
    size_t last = rig.last_batch;

    CHECK(last > 0 && used > last + 200);
    for (size_t at = last; at <= used; at++) {
        case_run(false, SURGERY_TEAR_ZERO, at, 0, &before_last);
        case_run(false, SURGERY_TEAR_JUNK, at, 0, &before_last);
    }
}

TEST(a_flipped_bit_in_every_byte)
{
    size_t before_last, used = case_run(false, SURGERY_TEAR_ZERO, 100000, 0, &before_last);

    for (size_t at = 0; at < used + 64; at++)
        case_run(false, SURGERY_FLIP, at, (unsigned char)(1u << (at % 8)), &before_last);
}

/* A head whose log is gone has lived all the same, which a damaged vote file says, or a segment without one, be it
 * blank or garbage: it is no new head, which would vote for anybody. */
TEST(a_log_that_is_gone_is_no_new_one)
{
    static const struct { enum sim_damage vote; int segment; } way[] = {
        { SIM_GARBAGE, -1 }, { SIM_GARBAGE, SURGERY_TEAR_ZERO }, { SIM_GARBAGE, SURGERY_TEAR_JUNK },
        { SIM_GONE, SURGERY_TEAR_ZERO }, { SIM_GONE, SURGERY_TEAR_JUNK },
    };

    for (size_t i = 0; i < ARRAY_LEN(way); i++) {
        rig_new(1, 4096);
        script_write(false);
        sim_crash(rig.m);
        CHECK(sim_disk_damage(rig.m, "vote", 0, way[i].vote));
        if (way[i].segment < 0)
            CHECK(sim_disk_damage(rig.m, "wal", 0, SIM_GONE));
        else
            rig.surgery = way[i].segment;
        rig.at = 0;
        rig_open();
        CHECK_INT(rig.rc, E_CORRUPT);
        CHECK(rig.rec.doubt.lost);
        rig_free();
    }
}

static void batch_of_a_second_life(void *arg)
{
    put_hard(3, 1);
    put_entry(9, 20);
    put_flush();
}

/* The log goes on in a second segment, of which nothing is readable: it might be a torn first write, if the first
 * segment were not gone, or shorter than it was, of which then only the vote file tells. */
TEST(a_segment_lost_before_one_that_is_torn)
{
    static const struct { enum sim_damage first; int second; } way[] = {
        { SIM_GONE, SURGERY_TEAR_ZERO }, { SIM_GONE, SURGERY_TEAR_JUNK },
        { SIM_CUT, SURGERY_TEAR_ZERO }, { SIM_CUT, SURGERY_TEAR_JUNK },
    };

    for (size_t i = 0; i < ARRAY_LEN(way); i++) {
        rig_new(1, 4096);
        script_write(false);
        sim_crash(rig.m);
        rig_open();
        CHECK_INT(rig.rc, 0);
        sim_do(rig.m, batch_of_a_second_life, NULL);
        while (rig.durables < 1 && sim_step(rig.sim))
            ;
        sim_do(rig.m, script_look, NULL);
        sim_crash(rig.m);
        CHECK(sim_disk_damage(rig.m, "wal", 0, way[i].first));
        rig.surgery = way[i].second;
        rig.at = 0;
        rig_open();
        CHECK_INT(rig.rc, E_CORRUPT);
        CHECK(rig.rec.doubt.lost);
        rig_free();
    }
}

/* What is known to be committed behind damage are the entries that are damaged, not those they replaced. */
TEST(a_commit_behind_damage_is_of_other_entries)
{
    rig_new(1, 4096);
    script_write(false);
    sim_crash(rig.m);
    rig.surgery = SURGERY_FLIP;
    rig.at = rig.third_batch;
    rig.flip = 1;
    rig_open();
    CHECK_INT(rig.rc, E_CORRUPT);
    CHECK_INT(rig.found.n, 5);                   /* of term 1, of which 4 and 5 are in dispute */
    CHECK(rig.rec.commit <= 3);
    rig_free();
}

TEST(a_flipped_bit_in_every_byte_of_a_sealed_log)
{
    size_t before_last, used = case_run(true, SURGERY_TEAR_ZERO, 100000, 0, &before_last);
    size_t unsealed = case_run(false, SURGERY_TEAR_ZERO, 100000, 0, &before_last);

    CHECK(used > unsealed);
    for (size_t at = 0; at < used; at++)
        case_run(true, SURGERY_FLIP, at, (unsigned char)(1u << (at * 3 % 8)), &before_last);
}

/* ---- Random lives ---------------------------------------------------------------------------------- */

static void life_write(void *arg)
{
    struct state *s = &rig.state[rig.n_states - 1];
    unsigned n = 1 + (unsigned)sim_below(rig.sim, 6);

    if (rig.failures > 0 || rig.n_states + 16 > STATES)
        return;
    if (s->term == 0 || sim_below(rig.sim, 8) == 0)
        put_hard(s->term + 1, 1 + sim_below(rig.sim, 3));
    for (unsigned i = 0; i < n; i++) {
        s = &rig.state[rig.n_states - 1];
        uint64_t index = s->n + 1;
        if (i == 0 && s->n > s->base + 2 && sim_below(rig.sim, 5) == 0 && s->n - 1 > s->base)
            index = s->n - 1;                    /* replaces a suffix */
        if (index >= LOG_MAX)
            return;
        put_entry(index, 8 + sim_below(rig.sim, 1500));
    }
    put_flush();
}

static void life_trim(void *arg)
{
    if (rig.failures == 0 && rig.state[rig.acked].n > 20)
        wal_trim(rig.wal, rig.state[rig.acked].n - 20);
}

static void life_reopen(uint64_t seed)
{
    size_t n = rig.n_states, acked = rig.acked;
    struct state *before = mem_alloc(n * sizeof(*before));

    memcpy(before, rig.state, n * sizeof(*before));
    rig_open();
    if (rig.rc != 0)
        test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, rig.err.s);
    else if (!found_is_one_of(before, acked, n))
        test_fail(__FILE__, __LINE__, "seed %llu: acknowledged records are gone (%zu of %zu; found n %llu term %llu)",
                  (unsigned long long)seed, acked, n - 1, (unsigned long long)rig.found.n,
                  (unsigned long long)rig.found.term);
    mem_free(before);
}

static void lives(uint64_t seed, const struct sim_disk_opts *disk)
{
    struct sim_disk_opts healthy = { .op_min_ns = 50000, .op_max_ns = 3000000 };

    rig_new(seed, 4096 + seed % 3 * 4096);
    for (int life = 0; life < 6 && rig.rc == 0; life++) {
        sim_disk(rig.m, disk);
        for (uint64_t i = 0, turns = 5 + sim_below(rig.sim, 40); i < turns; i++) {
            sim_do(rig.m, life_write, NULL);
            if (sim_below(rig.sim, 10) == 0)
                sim_do(rig.m, life_trim, NULL);
            sim_run_for(rig.sim, sim_below(rig.sim, 4000000));
        }
        if (sim_below(rig.sim, 3) == 0)
            sim_run_for(rig.sim, 1000000000);    /* let it be sealed */
        sim_crash(rig.m);
        sim_disk(rig.m, &healthy);
        life_reopen(seed);
    }
    rig_free();
}

TEST(crashes_lose_nothing_acknowledged)
{
    struct sim_disk_opts d = { .op_min_ns = 50000, .op_max_ns = 3000000 };

    for (uint64_t seed = 1; seed <= 150; seed++)
        lives(seed, &d);
}

TEST(failing_disks_lose_nothing_acknowledged)
{
    struct sim_disk_opts d = { .op_min_ns = 50000, .op_max_ns = 3000000, .fail_per_million = 30000 };

    for (uint64_t seed = 1000; seed <= 1100; seed++)
        lives(seed, &d);
}

TEST(full_disks_lose_nothing_acknowledged)
{
    for (uint64_t seed = 2000; seed <= 2060; seed++) {
        struct sim_disk_opts d = { .op_min_ns = 50000, .op_max_ns = 3000000, .capacity = 20000 + seed % 7 * 9000 };
        lives(seed, &d);
    }
}

static void fill_some(void *arg)
{
    uint64_t *index = arg;

    if (*index == 0)
        put_hard(1, 1);
    for (unsigned i = 0; i < 4; i++)
        put_entry(++*index, 200);
    put_flush();
}

/* No room for the next segment is no failure: the log waits for it, and goes on by itself when there is. */
TEST(a_full_disk_is_waited_out)
{
    struct sim_disk_opts d = { .op_min_ns = 50000, .op_max_ns = 300000, .capacity = 12000 };
    uint64_t index = 0;

    rig_new(3, 4096);
    sim_disk(rig.m, &d);
    for (unsigned i = 0; i < 12; i++) {          /* some 10 kB of entries: three segments and more */
        sim_do(rig.m, fill_some, &index);
        sim_run_for(rig.sim, 50000000);
    }
    CHECK(wal_starved(rig.wal));
    CHECK_INT(rig.failures, 0);
    CHECK(rig.acked > 0 && rig.acked < rig.n_states - 1);
    sim_run_for(rig.sim, 10000000000ull);
    CHECK_INT(rig.failures, 0);
    d.capacity = 0;
    sim_disk(rig.m, &d);
    sim_run_for(rig.sim, 3000000000ull);
    CHECK(!wal_starved(rig.wal));
    CHECK_INT(rig.failures, 0);
    CHECK_INT(rig.acked, rig.n_states - 1);
    rig_free();
}

TEST(crc_by_instruction_and_by_table_agree)
{
    char b[2400];                                /* three times the lanes that the instruction takes side by side */

    CHECK_INT(crc32c(0, "123456789", 9), 0xe3069283);
    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = (char)(i * i * 131 + i / 7);
    for (size_t from = 0; from < 16; from += 5)
        for (size_t n = 0; n + from < sizeof(b); n++)
            CHECK(crc32c((uint32_t)n, b + from, n) == crc32c_portable((uint32_t)n, b + from, n));
}
