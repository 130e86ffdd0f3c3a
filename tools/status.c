/* tools/status.c: coracle status: what the heads are doing, asked of each at once.
 *
 * Who they are is asked of any head that answers (or said by --endpoints); then each tells its own figures.
 * What is counted a second needs two questions, so the first picture takes half a second. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "node/files.h"
#include "tools/admin.h"
#include "tools/cluster.h"
#include "tools/status.h"

#define STATUS_ASK_MS    2000
#define STATUS_FIRST_MS  500
#define STATUS_BODY_MAX  (16u << 20)

struct ask { struct status *status; struct status_head *head; struct http_client *http; double at_s; };

struct status {
    struct admin admin;
    const char *output, *cluster, *ca, *cert, *key;
    struct flag_strings endpoints;
    bool watch;
    uint64_t interval_ms;
    struct status_heads heads;
    struct ask ask[STATUS_HEADS];
    unsigned waiting;
    struct timer next;
};

static double clock_s(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- One round: all heads at once ------------------------------------------------------------------ */

static void status_answered(struct status *s)
{
    must(s->waiting > 0);
    if (--s->waiting == 0)
        loop_stop(s->admin.loop);
}

static void ask_failed(struct ask *a, const char *reason)
{
    a->head->up = a->head->had_before = false;
    snprintf(a->head->reason, sizeof a->head->reason, "%s", reason);
}

static void ask_on_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                        struct str body)
{
    struct ask *a = arg;
    struct status_head *h = a->head;
    char answer[40];

    if (err != 0) {
        ask_failed(a, reason != NULL ? reason : err_text(err));
    } else if (status != 200) {
        snprintf(answer, sizeof answer, "it answers %d", status);
        ask_failed(a, answer);
    } else {
        h->before = h->now;
        h->had_before = h->up;
        h->up = true;
        status_read(body, &h->now);
        h->now.at_s = a->at_s;
        if (h->id == 0)
            h->id = h->now.id;
        if (h->now.name[0] != '\0')
            snprintf(h->name, sizeof h->name, "%s", h->now.name);
    }
    status_answered(a->status);
}

static void ask_begin(struct ask *a)
{
    const struct admin *admin = &a->status->admin;
    struct http_call_opts o = { .method = "GET", .target = STR("/metrics"), .headers = admin->headers,
                                .n_headers = admin->n_headers, .timeout_ms = STATUS_ASK_MS,
                                .max_body = STATUS_BODY_MAX, .on_done = ask_on_done, .arg = a };
    struct errbuf err = { "" };

    a->at_s = clock_s(CLOCK_MONOTONIC);
    if (a->http == NULL)
        ask_failed(a, "its address is not known");
    else if (http_call(a->http, &o, NULL, &err) == 0)
        a->status->waiting++;
    else
        ask_failed(a, err.s);
}

static void status_round(struct status *s)
{
    s->waiting = 1;
    for (unsigned i = 0; i < s->heads.n; i++)
        ask_begin(&s->ask[i]);
    if (--s->waiting > 0)
        loop_run(s->admin.loop);
    s->heads.wall_s = clock_s(CLOCK_REALTIME);
}

static void status_on_next(struct timer *t)
{
    loop_stop(container_of(t, struct status, next)->admin.loop);
}

static void status_wait(struct status *s, uint64_t ms)
{
    timer_start(&s->next, ms);
    loop_run(s->admin.loop);
}

/* ---- Who is asked ---------------------------------------------------------------------------------- */

static void status_add(struct status *s, struct str url, uint64_t id, struct str name, struct str role)
{
    struct arena *arena = &s->admin.arena;
    struct status_head *h = &s->heads.head[s->heads.n];
    struct ask *a = &s->ask[s->heads.n];
    struct errbuf err = { "" };

    if (s->heads.n == STATUS_HEADS)
        return;
    s->heads.n++;
    *h = (struct status_head){ .id = id, .url = arena_cstr(arena, url),
                               .role = role.n > 0 ? arena_cstr(arena, role) : NULL };
    if (name.n > 0 || id == 0)
        snprintf(h->name, sizeof h->name, "%.*s", STR_ARG(name.n > 0 ? name : url));
    else
        snprintf(h->name, sizeof h->name, "head-%llu", (unsigned long long)id);
    *a = (struct ask){ .status = s, .head = h };
    if (url.n > 0 && admin_connect(&s->admin, &url, 1, &a->http, &err) != 0)
        a->http = NULL;
}

static void status_forget(struct status *s)
{
    while (s->heads.n > 0) {
        struct ask *a = &s->ask[--s->heads.n];
        if (a->http != NULL)
            http_client_free(a->http);
    }
}

static int status_members(struct status *s)
{
    struct json *j = admin_members(&s->admin);

    if (j == NULL)
        return admin_failed(&s->admin);
    json_each(it, json_getz(j, "members"))
        status_add(s, json_str(json_getz(it, "apiURL")), (uint64_t)json_path_i64(it, "id", 0),
                   json_str(json_getz(it, "name")), json_str(json_getz(it, "role")));
    return 0;
}

/* A head that has just started may not have told the others yet where it is reached. */
static void status_ask_again(struct status *s)
{
    bool all = true;

    for (unsigned i = 0; i < s->heads.n; i++)
        all = all && s->ask[i].http != NULL;
    if (all)
        return;
    status_forget(s);
    status_members(s);
}

/* Of a cluster that `coracle up` made here: its kubeconfig, and all its heads, so that any may be down. */
static int status_local(struct status *s, struct errbuf *err)
{
    struct arena *arena = &s->admin.arena;
    struct cluster c = { 0 };
    struct cluster_text path;
    struct json_error bad;
    struct buf text = BUF_INIT;
    struct json *j;
    int rc = cluster_init(&c, s->cluster, NULL, err);

    if (rc != 0)
        return rc;
    s->admin.kubeconfig = arena_cstr(arena, str_of(cluster_path(&c, &path, "/admin.kubeconfig")));
    rc = file_read(cluster_path(&c, &path, "/cluster.json"), TOOLS_FILE_MAX, &text, err);
    if (rc == 0 && s->admin.servers.n == 0
        && json_parse(arena, arena_str(arena, buf_str(&text)), &j, &bad) == 0)
        json_each(it, json_getz(j, "ports"))
            if (s->admin.servers.n < FLAG_MAX_STRINGS)
                s->admin.servers.v[s->admin.servers.n++] =
                    arena_fmt(arena, "https://127.0.0.1:%d", (int)json_path_i64(it, "api", 0)).p;
    buf_release(&text);
    return rc;
}

/* --endpoints with certificates by flags, as etcdctl has them. */
static int status_files(struct status *s, struct errbuf *err)
{
    const struct { const char *path; struct str *to; } file[] = {
        { s->ca, &s->admin.k.ca_pem }, { s->cert, &s->admin.k.cert_pem }, { s->key, &s->admin.k.key_pem },
    };
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(file) && rc == 0; i++) {
        struct buf text = BUF_INIT;
        if (file[i].path != NULL && (rc = file_read(file[i].path, TOOLS_FILE_MAX, &text, err)) == 0)
            *file[i].to = arena_str(&s->admin.arena, buf_str(&text));
        buf_release(&text);
    }
    return rc;
}

static int status_open(struct status *s, struct errbuf *err)
{
    bool files = s->ca != NULL || s->cert != NULL || s->key != NULL;
    int rc = 0;

    if (s->endpoints.n > 0 && (files || s->admin.kubeconfig == NULL)) {
        s->admin.kubeconfig = NULL;
        rc = status_files(s, err);
    } else if (s->cluster != NULL || s->admin.kubeconfig == NULL) {
        s->cluster = s->cluster != NULL ? s->cluster : "up";
        rc = status_local(s, err);
    }
    if (s->endpoints.n > 0)
        s->admin.servers = s->endpoints;
    return rc == 0 ? admin_open(&s->admin, err) : rc;
}

/* ---- The command ----------------------------------------------------------------------------------- */

static void status_show(struct status *s)
{
    bool json = s->output != NULL;

    if (json)
        status_show_json(stdout, &s->heads, !s->watch);
    else if (s->watch && !isatty(STDOUT_FILENO))
        status_show_lines(stdout, &s->heads);
    else
        status_show_table(stdout, &s->heads);
    fflush(stdout);
}

static int status_go(struct status *s)
{
    bool terminal = s->watch && s->output == NULL && isatty(STDOUT_FILENO);

    timer_init(&s->next, s->admin.loop, status_on_next);
    for (unsigned i = 0; i < s->endpoints.n; i++)
        status_add(s, str_of(s->endpoints.v[i]), 0, STR_NONE, STR_NONE);
    if (s->endpoints.n == 0 && status_members(s) != 0)
        return 1;
    status_round(s);
    status_wait(s, STATUS_FIRST_MS);
    status_ask_again(s);
    status_round(s);
    if (terminal)
        printf("\033[2J");
    status_show(s);
    while (s->watch && !ferror(stdout)) {
        status_wait(s, s->interval_ms);
        status_ask_again(s);
        status_round(s);
        if (terminal)
            printf("\033[H\033[J");              /* up and clear: the new picture replaces the old */
        status_show(s);
    }
    for (unsigned i = 0; i < s->heads.n; i++)
        if (!s->heads.head[i].up)
            return 1;
    return 0;
}

static int status_run(int argc, char **argv)
{
    struct status s = { .interval_ms = 1000 };
    const struct flag flags[] = {
        ADMIN_FLAGS(s.admin)
        { "name", NULL, FLAG_STRING, &s.cluster, "NAME",
          "a cluster that coracle up runs here (\"up\", if no kubeconfig is named)" },
        { "endpoints", NULL, FLAG_STRINGS, &s.endpoints, "URL",
          "ask these instead: also heads that serve etcd's API alone" },
        { "cacert", NULL, FLAG_STRING, &s.ca, "FILE", "with --endpoints: whom to trust" },
        { "cert", NULL, FLAG_STRING, &s.cert, "FILE", "with --endpoints: the certificate to show" },
        { "key", NULL, FLAG_STRING, &s.key, "FILE", "with --endpoints: its key" },
        { "watch", "w", FLAG_BOOL, &s.watch, NULL,
          "go on: redrawn on a terminal, else a line for each head" },
        { "interval", NULL, FLAG_DURATION_MS, &s.interval_ms, "TIME", "between pictures (default 1s)" },
        { "output", "o", FLAG_STRING, &s.output, "FORMAT", "json" },
    };
    struct errbuf err = { "" };
    int status;

    admin_init(&s.admin, &cmd_status);
    if (flags_parse(&cmd_status, flags, ARRAY_LEN(flags), argc, argv) > 0)
        return fail(&cmd_status, "takes no arguments, got \"%s\"", argv[1]);
    if (s.output != NULL && strcmp(s.output, "json") != 0)
        return fail(&cmd_status, "--output %s: json is the only form", s.output);
    if (s.interval_ms == 0)
        return fail(&cmd_status, "--interval must be above 0");
    status = status_open(&s, &err) != 0 ? fail(&cmd_status, "%s", err.s) : status_go(&s);
    status_forget(&s);
    admin_close(&s.admin);
    return status;
}

const struct command cmd_status = {
    "status", "status [flags]", "Show what the heads of a cluster are doing",
    "Shows all heads side by side: who leads, how far each has come, what is stored, memory, watches,\n"
    "requests and events a second, the longest slice of the loop in the last minutes, disk and alarms.\n"
    "A head that does not answer is shown as down, and the exit status is 1.",
    status_run,
};
