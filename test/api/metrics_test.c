/* test/api/metrics_test.c: what /metrics says is well-formed and counts what happened. */
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

/* The value of a series whose line begins with `head`; -1: there is none. */
static double value_of(struct str text, const char *head)
{
    struct str line;

    while (str_split(&text, '\n', &line))
        if (str_starts(line, str_of(head)) && line.n > strlen(head)) {
            char num[64];
            snprintf(num, sizeof num, "%.*s", (int)(line.n - strlen(head)), line.p + strlen(head));
            return atof(num);
        }
    return -1;
}

static bool name_is_good(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '_')
            return false;
    return name.n > 0 && !isdigit((unsigned char)name.p[0]);
}

/* Each name announced once, before its series; every line a name, labels and a number. */
static void check_form(struct str text)
{
    struct str line, announced = STR_NONE, all = text;

    while (str_split(&text, '\n', &line)) {
        ptrdiff_t space = str_find(line, ' '), brace = str_find(line, '{');
        struct str name = str_upto(line, (size_t)(brace >= 0 ? brace : space >= 0 ? space : 0));
        char *end, number[64];
        if (line.n == 0)
            continue;
        if (str_starts(line, STR("# HELP "))) {
            line = str_from(line, 7);
            announced = str_upto(line, (size_t)str_find(line, ' '));
            CHECK(name_is_good(announced));
            continue;
        }
        if (str_starts(line, STR("# TYPE ")))
            continue;
        CHECK(name_is_good(name));
        CHECK(str_starts(name, announced));
        for (space = (ptrdiff_t)line.n; space > 0 && line.p[space - 1] != ' '; )
            space--;
        snprintf(number, sizeof number, "%.*s", (int)(line.n - (size_t)space), line.p + space);
        strtod(number, &end);
        CHECK(space > 0 && end != number && *end == '\0');
    }
    CHECK(all.n > 0 && all.p[all.n - 1] == '\n');
}

/* Asks until it is there: the text lives in *t. */
static struct str scrape(struct rig *r, struct talk **t)
{
    *t = talk_open(r, "GET", "/metrics", NULL);
    rig_run(r, 100);
    CHECK_INT((*t)->status, 200);
    check_form(buf_str(&(*t)->body));
    return buf_str(&(*t)->body);
}

TEST(metrics_count_what_happened)
{
    static const char counted[] = "apiserver_request_total{code=\"%d\",component=\"apiserver\",group=\"\","
                                  "resource=\"configmaps\",scope=\"%s\",subresource=\"\",verb=\"%s\","
                                  "version=\"v1\"} ";
    static const struct { int code; const char *scope, *verb; int n; } row[] = {
        { 201, "namespace", "POST", 5 }, { 200, "namespace", "LIST", 1 }, { 404, "resource", "GET", 1 },
        { 200, "resource", "GET", -1 },
    };
    struct rig *r = rig_open();
    struct talk *t;
    struct str text;
    char head[300];

    for (int i = 0; i < 5; i++)
        CALL(r, 201, "POST", CM, "{'metadata':{'generateName':'a-'}}");
    CALL(r, 200, "GET", CM, NULL);
    CALL(r, 404, "GET", CM "/none", NULL);
    text = scrape(r, &t);
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        snprintf(head, sizeof head, counted, row[i].code, row[i].scope, row[i].verb);
        CHECK_INT(value_of(text, head), row[i].n);
    }
    CHECK(value_of(text, "apiserver_storage_objects{resource=\"configmaps\"} ") >= 5);
    CHECK_INT(value_of(text, "apiserver_current_inflight_requests{request_kind=\"readOnly\"} "), 1);
    CHECK_INT(value_of(text, "apiserver_current_inflight_requests{request_kind=\"mutating\"} "), 0);
    CHECK(value_of(text, "coracle_raft_proposal_seconds_count ") >= 5);
    CHECK(value_of(text, "coracle_raft_fsync_seconds_count ") >= 1);
    CHECK(value_of(text, "coracle_store_revision ") >= 6);
    CHECK_INT(value_of(text, "coracle_raft_is_leader "), 1);
    CHECK(value_of(text, "process_resident_memory_bytes ") > 1000000);
    talk_close(t);
    rig_close(r);
}

#define CONFIGMAPS "{group=\"\",version=\"v1\",resource=\"configmaps\",kind=\"ConfigMap\"} "
TEST(watches_are_counted_while_they_are_open)
{
    struct rig *r = rig_open();
    struct talk *w = talk_open(r, "GET", CM "?watch=1", NULL), *t;
    struct str text;

    rig_run(r, 100);
    CALL(r, 201, "POST", CM, "{'metadata':{'name':'a'}}");
    text = scrape(r, &t);
    CHECK_INT(value_of(text, "apiserver_longrunning_requests" CONFIGMAPS), 1);
    CHECK(value_of(text, "apiserver_watch_events_total" CONFIGMAPS) >= 1);
    talk_close(t);
    talk_close(w);
    text = scrape(r, &t);
    CHECK_INT(value_of(text, "apiserver_longrunning_requests" CONFIGMAPS), -1);
    CHECK(value_of(text, "apiserver_watch_events_total" CONFIGMAPS) >= 1);
    talk_close(t);
    rig_close(r);
}

/* A client's words never make a series: neither methods nor paths. */
TEST(hostile_words_make_no_series)
{
    struct rig *r = rig_open();
    struct talk *t;
    struct str text;
    char path[64];

    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "/apis/%d.io/v1/x%d", i, i);
        talk_close(talk_open(r, "BREW", path, NULL));
    }
    text = scrape(r, &t);
    for (struct str line; str_split(&text, '\n', &line); )
        CHECK(str_find(line, '%') < 0 && memmem(line.p, line.n, ".io\",resource=\"x", 17) == NULL);
    talk_close(t);
    rig_close(r);
}
