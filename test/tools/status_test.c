/* test/tools/status_test.c: figures read from metrics, whatever those are, and shown. */
#include <stdlib.h>
#include "test/test.h"
#include "tools/status.h"

static const char sample[] =
    "# HELP coracle_raft_term Current term.\n# TYPE coracle_raft_term gauge\ncoracle_raft_term 7\n"
    "coracle_head_info{id=\"2\",name=\"b\\\"x\",version=\"v1\"} 1\n"
    "coracle_raft_is_leader 1\ncoracle_store_keys 12\n"
    "coracle_raft_peer_lag{peer=\"1\"} 0\ncoracle_raft_peer_lag{peer=\"3\"} 41\n"
    "coracle_requests_total 100\ncoracle_store_bytes 1234567\n"
    "coracle_alarm{member=\"3\",alarm=\"NOSPACE\",reason=\"quota\"} 1\n"
    "coracle_raft_fsync_seconds_count 4\ncoracle_raft_fsync_seconds_sum 0.002000000\n";

TEST(figures_are_read)
{
    struct status_sample s;

    status_read(STR(sample), &s);
    CHECK_INT(s.id, 2);
    CHECK_INT(s.v[STATUS_TERM], 7);
    CHECK(s.there[STATUS_KEYS] && !s.there[STATUS_REVISION]);
    CHECK_INT(s.n_lag, 2);
    CHECK_INT(s.lag[1].peer, 3);
    CHECK_INT(s.lag[1].lag, 41);
    CHECK_STR(str_of(s.alarms), "NOSPACE(3)");
    CHECK_STR(str_of(s.version), "v1");
}

/* What is no metrics text, or cut anywhere, or too much, is survived. */
TEST(anything_is_survived)
{
    struct status_sample s;
    struct buf many = BUF_INIT;

    for (size_t n = 0; n < sizeof sample; n++)
        status_read(str_make(sample, n), &s);
    status_read(STR("coracle_raft_term nan\ncoracle_store_keys 1e300\n \n{} 1\n} { 1\nx{ 1\n=\" 2\n"), &s);
    CHECK(!s.there[STATUS_TERM] && !s.there[STATUS_KEYS]);
    for (unsigned i = 0; i < 1000; i++)
        buf_fmt(&many, "coracle_alarm{member=\"%u\",alarm=\"A\"} 1\ncoracle_raft_peer_lag{peer=\"%u\"} 1\n", i, i);
    status_read(buf_str(&many), &s);
    CHECK_INT(s.n_lag, RAFT_MAX_HEADS);
    CHECK(strlen(s.alarms) < sizeof s.alarms);
    buf_release(&many);
}

static char *shown(void (*show)(FILE *to, const struct status_heads *h), const struct status_heads *h)
{
    char  *text = NULL;
    size_t n;
    FILE  *f = open_memstream(&text, &n);

    show(f, h);
    fclose(f);
    return text;
}

static void show_json(FILE *to, const struct status_heads *h) { status_show_json(to, h, false); }

TEST(heads_are_shown_side_by_side)
{
    struct status_heads h = { .n = 2, .wall_s = 1000 };
    char *text;

    h.head[0] = (struct status_head){ .id = 3, .name = "gone", .url = "https://h3:1", .reason = "refused" };
    h.head[1] = (struct status_head){ .id = 2, .name = "b", .url = "https://h2:1", .up = true,
                                      .had_before = true };
    status_read(STR(sample), &h.head[1].now);
    h.head[1].now.at_s = 12;
    h.head[1].before = h.head[1].now;
    h.head[1].before.at_s = 10;
    h.head[1].before.v[STATUS_REQUESTS] = 50;
    text = shown(show_json, &h);
    CHECK(strstr(text, "{\"id\":3,\"name\":\"gone\",\"url\":\"https://h3:1\",\"up\":false,"
                       "\"reason\":\"refused\"}") != NULL);
    CHECK(strstr(text, "\"requestsPerSecond\":25.000000") != NULL);
    CHECK(strstr(text, "\"meanFsyncSeconds\":0.000500") != NULL);
    CHECK(strstr(text, "\"role\":\"leader\"") != NULL);
    free(text);
    text = shown(status_show_table, &h);
    CHECK(strstr(text, "DOWN") != NULL);
    CHECK(strstr(text, "gone does not answer at https://h3:1: refused\n") != NULL);
    CHECK(strstr(text, "1.2 MB") != NULL);
    free(text);
    text = shown(status_show_lines, &h);
    CHECK(strstr(text, " b id=2 url=\"https://h2:1\" up=true role=\"leader\" term=7") != NULL);
    free(text);
}
