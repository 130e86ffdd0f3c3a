/* tools/check.c: coracle check DIR: every file of a data directory, every checksum, and whether it all fits
 * together.  Reads only. */
#include <stdio.h>
#include <stdlib.h>
#include "api/json.h"
#include "net/disk.h"
#include "raft/limits.h"
#include "raft/vote.h"
#include "raft/wal.h"
#include "store/saved.h"
#include "tools/flags.h"

#define REPAIR "with other heads it repairs itself when started; alone: coracle snapshot restore"

struct row {
    const char *kind;
    char     name[64], note[96];
    uint64_t size, used, first, last, records, rev, keys;
    bool     bad;
};
struct problem { char file[64]; uint64_t at; char what[200], consequence[160], todo[120]; };

struct check {
    struct loop *loop;
    struct disk *disk;
    bool in_use;
    uint64_t cluster, head;
    struct row *row; size_t n_rows;
    struct problem *problem; size_t n_problems;
    uint64_t snapshot;                           /* index of the newest good one */
    uint64_t base; bool based;                   /* where the log begins */
    uint64_t last, last_term, term;              /* of the log */
    uint64_t snapshot_term;
};

static struct row *check_row(struct check *c, const char *kind, const char *name, uint64_t size)
{
    c->row = mem_realloc(c->row, (c->n_rows + 1) * sizeof(*c->row));
    struct row *r = &c->row[c->n_rows++];
    *r = (struct row){ .kind = kind, .size = size };
    snprintf(r->name, sizeof r->name, "%s", name);
    return r;
}

static void check_problem(struct check *c, const char *file, uint64_t at, const char *consequence,
                          const char *what)
{
    c->problem = mem_realloc(c->problem, (c->n_problems + 1) * sizeof(*c->problem));
    struct problem *p = &c->problem[c->n_problems++];
    *p = (struct problem){ .at = at };
    snprintf(p->file, sizeof p->file, "%s", file);
    snprintf(p->what, sizeof p->what, "%s", what);
    snprintf(p->consequence, sizeof p->consequence, "%s", consequence);
    snprintf(p->todo, sizeof p->todo, "%s", REPAIR);
    for (size_t i = 0; i < c->n_rows; i++)
        c->row[i].bad |= strcmp(c->row[i].name, file) == 0;
}

/* Files of one directory belong to one head of one cluster. */
static void check_owner(struct check *c, const char *file, uint64_t cluster, uint64_t head)
{
    if (c->cluster == 0)
        c->cluster = cluster;
    if (c->head == 0)
        c->head = head;
    if ((cluster != 0 && cluster != c->cluster) || (head != 0 && head != c->head))
        check_problem(c, file, 0, "the head refuses to start",
                      "it belongs to another head or cluster than the files before it");
}

/* ---- Snapshots ------------------------------------------------------------------------------------- */

static void check_snapshot(struct check *c, const char *name, uint64_t size)
{
    struct row *r = check_row(c, "snapshot", name, size);
    struct store_load *l = store_load_new();
    struct store_saved s;
    struct errbuf err = { "" };
    struct buf file = BUF_INIT;
    uint64_t index = 0, term = 0;
    int rc = disk_read_now(c->disk, name, &file, &err);

    for (size_t at = 0; rc == 0 && at < file.n; at += RAFT_SNAPSHOT_SLICE)
        rc = store_load_data(l, str_make(file.p + at, MIN_OF(file.n - at, RAFT_SNAPSHOT_SLICE)), &err);
    if (rc == 0)
        rc = store_load_end(l, &s, &err);
    snapshot_name_parse(name, &index, &term);
    if (rc == 0 && (s.meta.index != index || s.meta.term != term))
        rc = err_set(&err, E_CORRUPT, "its name is not what it holds");
    r->last = index;
    if (rc == 0) {
        r->used = file.n;
        r->rev = s.rev;
        r->keys = s.keys;
        if (index > c->snapshot) {
            c->snapshot = index;
            c->snapshot_term = term;
        }
        check_owner(c, name, s.cluster, 0);
    } else {
        check_problem(c, name, 0, "an older one and the log, or another head, must stand in for it", err.s);
    }
    buf_release(&file);
    store_load_free(l);
}

/* ---- The log --------------------------------------------------------------------------------------- */

static void check_on_segment(void *arg, const struct wal_inspected *s)
{
    struct check *c = arg;
    struct row *r = check_row(c, "log", s->name, s->size);

    r->used = s->used;
    r->first = s->first;
    r->last = s->last;
    r->records = s->records;
    if (s->cluster != 0)
        check_owner(c, s->name, s->cluster, s->head);
    if (s->used == 0)
        snprintf(r->note, sizeof r->note, "made ahead, not used yet");
}

static void check_on_problem(void *arg, const char *name, uint64_t at, const char *what, uint64_t last)
{
    char consequence[120];

    snprintf(consequence, sizeof consequence, "entries behind %llu may be lost", (unsigned long long)last);
    check_problem(arg, name, at, consequence, what);
}

static int check_on_base(void *arg, uint64_t index, uint64_t term, struct errbuf *err)
{
    struct check *c = arg;

    (void)err;
    if (!c->based)
        c->base = index;
    c->based = true;
    c->last = index;
    c->last_term = term;
    return 0;
}

static int check_on_entry(void *arg, uint64_t index, uint64_t term, uint8_t type, struct str data,
                          struct errbuf *err)
{
    struct check *c = arg;

    (void)type, (void)data, (void)err;
    c->last = index;
    c->last_term = term;
    return 0;
}

static void check_on_closed(void *arg) { (void)arg; }

/* What the head itself found out at its last start and is about to mend. */
static void check_doubt(struct check *c, const struct raft_doubt *d)
{
    if (d->lost)
        check_problem(c, VOTE_NAME, 0, "it neither votes nor acknowledges before it heard from them",
                      "the head has lost its log and asks all others");
    else if (!raft_up_to_date(c->last_term, c->last, d->term, d->index)
             && !raft_up_to_date(c->snapshot_term, c->snapshot, d->term, d->index))
        check_problem(c, VOTE_NAME, 0, "it does not lead before it has them again",
                      "the head is fetching entries that it lost");
}

static void check_log(struct check *c)
{
    const struct wal_inspect look = { check_on_segment, check_on_problem, c };
    struct wal_opts o = { .loop = c->loop, .disk = c->disk, .inspect = &look,
                          .replay = { check_on_base, check_on_entry, c } };
    struct wal_recovered found = { 0 };
    struct errbuf err = { "" };
    struct wal *w;

    if (wal_open(&o, &w, &found, &err) != 0) {
        check_problem(c, "wal", 0, "the head refuses to start", err.s);
        return;
    }
    c->term = found.term;
    if (found.torn_bytes > 0 && c->n_rows > 0)
        snprintf(c->row[c->n_rows - 1].note, sizeof c->row[0].note,
                 "%llu bytes of an unfinished write behind it",
                 (unsigned long long)found.torn_bytes);
    check_doubt(c, &found.doubt);
    if (c->based && c->base > c->snapshot)
        check_problem(c, "wal", 0, "the entries between them are lost",
                      "the log begins behind the newest good snapshot");
    buf_release(&found.config);
    wal_close(w, check_on_closed, NULL);
    loop_run(c->loop);
}

static void check_vote(struct check *c)
{
    struct vote v = { .term = 0 };
    struct errbuf err = { "" };
    unsigned copies = 0;
    int rc = vote_read_now(c->disk, 0, 0, &v, &copies, &err);

    if (rc == E_NOTFOUND) {
        if (c->n_rows > 0)
            check_problem(c, VOTE_NAME, 0, "term and vote are known from the log only",
                          "the file is missing");
        return;
    }
    struct row *r = check_row(c, "vote", VOTE_NAME, VOTE_BYTES);
    r->used = copies * (uint64_t)VOTE_PAGE;
    if (rc != 0)
        check_problem(c, VOTE_NAME, 0, "term and vote are known from the log only", err.s);
    else if (copies < 2)
        check_problem(c, VOTE_NAME, 0, "none: the other copy is good",
                      "one of its two copies does not verify");
    if (rc == 0)
        check_owner(c, VOTE_NAME, v.cluster, v.head);
}

/* ---- All files --------------------------------------------------------------------------------------- */

struct name { char s[64]; uint64_t size; };
struct names { struct name *at; size_t n; };

static void names_on_file(void *arg, const char *name, uint64_t size)
{
    struct names *l = arg;

    l->at = mem_realloc(l->at, (l->n + 1) * sizeof(*l->at));
    snprintf(l->at[l->n].s, sizeof l->at[0].s, "%s", name);
    l->at[l->n++].size = size;
}

static int names_order(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->s, ((const struct name *)b)->s);
}

static int check_files(struct check *c, struct errbuf *err)
{
    struct names l = { NULL, 0 };
    uint64_t index, term;
    int rc = disk_list_now(c->disk, names_on_file, &l, err);

    if (l.n > 0)
        qsort(l.at, l.n, sizeof *l.at, names_order);
    for (size_t i = 0; i < l.n; i++) {
        if (snapshot_name_parse(l.at[i].s, &index, &term))
            check_snapshot(c, l.at[i].s, l.at[i].size);
        else if (strncmp(l.at[i].s, RAFT_ASIDE, strlen(RAFT_ASIDE)) == 0)
            snprintf(check_row(c, "aside", l.at[i].s, l.at[i].size)->note, 96,
                     "damaged once, kept until the head is well");
        else if (strncmp(l.at[i].s, "snapshot.", 9) == 0)
            snprintf(check_row(c, "part", l.at[i].s, l.at[i].size)->note, 96, "unfinished, of no use");
    }
    mem_free(l.at);
    if (rc == 0) {
        check_log(c);
        check_vote(c);
    }
    return rc;
}

/* ---- Printing ---------------------------------------------------------------------------------------- */

static void print_table(const struct check *c)
{
    printf("%-10s%-46s%12s%12s%22s%12s%10s  %s\n", "KIND", "FILE", "SIZE", "USED", "ENTRIES", "REVISION",
           "KEYS", "STATE");
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct row *r = &c->row[i];
        char entries[48] = "", rev[24] = "", keys[24] = "";
        if (r->last > 0 && r->first > 0)
            snprintf(entries, sizeof entries, "%llu-%llu", (unsigned long long)r->first,
                     (unsigned long long)r->last);
        else if (r->last > 0)
            snprintf(entries, sizeof entries, "up to %llu", (unsigned long long)r->last);
        if (r->rev > 0) {
            snprintf(rev, sizeof rev, "%llu", (unsigned long long)r->rev);
            snprintf(keys, sizeof keys, "%llu", (unsigned long long)r->keys);
        }
        printf("%-10s%-46s%12llu%12llu%22s%12s%10s  %s%s%s\n", r->kind, r->name, (unsigned long long)r->size,
               (unsigned long long)r->used, entries, rev, keys, r->bad ? "DAMAGED" : "ok",
               r->note[0] != '\0' ? ", " : "", r->note);
    }
    if (c->in_use)
        printf("\nA head is using this directory: its newest entries may be younger than this table.\n");
    printf("\nterm %llu, log up to entry %llu\n", (unsigned long long)c->term, (unsigned long long)c->last);
    for (size_t i = 0; i < c->n_problems; i++) {
        const struct problem *p = &c->problem[i];
        printf("\nPROBLEM: %s at byte %llu: %s\n  consequence: %s\n  what to do:  %s\n", p->file,
               (unsigned long long)p->at, p->what,
               p->consequence, p->todo);
    }
    printf("\n%s\n", c->n_problems == 0 ? "everything verifies" : "this directory is damaged");
}

static void json_field(struct buf *b, const char *name, const char *text)
{
    buf_fmt(b, "\"%s\":", name);
    json_write_string(b, str_of(text));
    buf_char(b, ',');
}

static void print_json(const struct check *c)
{
    struct buf b = BUF_INIT;

    buf_fmt(&b, "{\"ok\":%s,\"inUse\":%s,\"term\":%llu,\"last\":%llu,\"files\":[",
            c->n_problems == 0 ? "true" : "false",
            c->in_use ? "true" : "false", (unsigned long long)c->term, (unsigned long long)c->last);
    for (size_t i = 0; i < c->n_rows; i++) {
        const struct row *r = &c->row[i];
        buf_z(&b, i > 0 ? ",{" : "{");
        json_field(&b, "kind", r->kind);
        json_field(&b, "file", r->name);
        buf_fmt(&b, "\"size\":%llu,\"used\":%llu,\"first\":%llu,\"last\":%llu,\"revision\":%llu,"
                "\"keys\":%llu,\"ok\":%s}",
                (unsigned long long)r->size, (unsigned long long)r->used, (unsigned long long)r->first,
                (unsigned long long)r->last, (unsigned long long)r->rev, (unsigned long long)r->keys,
                r->bad ? "false" : "true");
    }
    buf_z(&b, "],\"problems\":[");
    for (size_t i = 0; i < c->n_problems; i++) {
        const struct problem *p = &c->problem[i];
        buf_z(&b, i > 0 ? ",{" : "{");
        json_field(&b, "file", p->file);
        json_field(&b, "what", p->what);
        json_field(&b, "consequence", p->consequence);
        json_field(&b, "todo", p->todo);
        buf_fmt(&b, "\"offset\":%llu}", (unsigned long long)p->at);
    }
    buf_z(&b, "]}\n");
    fwrite(b.p, 1, b.n, stdout);
    buf_release(&b);
}

static int check_run(int argc, char **argv)
{
    const char *output = "table";
    const struct flag flags[] = {
        { "output", "o", FLAG_STRING, &output, "FORMAT", "table or json" },
    };
    struct check c = { .loop = NULL };
    struct errbuf err = { "" };
    int rc;

    if (flags_parse(&cmd_check, flags, ARRAY_LEN(flags), argc, argv) != 1)
        return fail(&cmd_check, "takes one data directory");
    c.loop = loop_new_real();
    rc = disk_open_read(c.loop, argv[1], &c.disk, &c.in_use, &err);
    if (rc == 0)
        rc = check_files(&c, &err);
    if (rc != 0)
        return fail(&cmd_check, "%s", err.s);
    if (strcmp(output, "json") == 0)
        print_json(&c);
    else
        print_table(&c);
    rc = c.n_problems > 0;
    disk_close(c.disk);
    loop_free(c.loop);
    mem_free(c.row);
    mem_free(c.problem);
    return rc;
}

const struct command cmd_check = {
    "check", "check DIR [flags]", "Verify a head's data directory",
    "Verifies a data directory of a head: every checksum of log, vote file and snapshots, that\n"
    "entries and terms follow on each other, and that the snapshots hold a state that makes sense.\n"
    "Reads only; a head may be running on it.\n"
    "Exit status 0: everything verifies; 1: it does not, and what that means is printed.",
    check_run,
};
