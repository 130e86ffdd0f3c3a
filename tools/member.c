/* tools/member.c: coracle member: who the heads of a cluster are, and changes of that while it works.
 *
 * One request at a time to any head that answers; the loop runs until it is done. */
#include <stdio.h>
#include <stdlib.h>
#include "api/json.h"
#include "net/http_client.h"
#include "net/real_loop.h"
#include "tools/flags.h"
#include "tools/kubeconfig.h"

#define MEMBERS_PATH    "/coracle/v1/members"
#define MEMBER_CALL_MS  20000
#define MEMBER_WAIT_MS  10000                    /* how long a cluster without a leader is asked again */
#define MEMBER_AGAIN_MS 100

struct member {
    const char *kubeconfig, *context, *output, *peer_url, *name, *api_url, *by;
    struct flag_strings servers;
    struct arena arena;
    struct loop *loop;
    struct tls_ctx *tls;
    struct kubeconfig k;
    struct http_client *http;
    struct timer again;
    /* The last answer; status 0: none, reason says why. */
    int status;
    struct str body, reason;
};

/* ---- Requests ------------------------------------------------------------------------------------- */

static int member_connect(struct member *m, const struct str *url, size_t n, struct http_client **ret,
                          struct errbuf *err)
{
    const char *addr[FLAG_MAX_STRINGS];
    struct http_client_opts o = { .addrs = addr, .n_addrs = n };
    bool plain = false;
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = kubeconfig_address(&m->arena, url[i], &plain, &addr[i], err);
    if (rc != 0)
        return rc;
    o.tls = plain ? NULL : m->tls;
    o.tls_name = m->k.tls_name.n > 0 ? arena_cstr(&m->arena, m->k.tls_name) : NULL;
    return http_client_new(m->loop, &o, ret, err);
}

static void member_on_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                           struct str body)
{
    struct member *m = arg;

    m->status = err == 0 ? status : 0;
    m->body = arena_str(&m->arena, body);
    m->reason = arena_str(&m->arena, str_of(reason != NULL ? reason : err_text(err)));
    loop_stop(m->loop);
}

static void member_try(struct member *m, struct http_client *http, const char *method, struct str path,
                       struct str body)
{
    struct http_header h[2] = { { STR("Content-Type"), STR("application/json") } };
    struct http_call_opts o = { .method = method, .target = path, .headers = h, .n_headers = 1,
                                .timeout_ms = MEMBER_CALL_MS, .on_done = member_on_done, .arg = m };
    struct errbuf err;

    if (m->k.token.n > 0)
        h[o.n_headers++] = (struct http_header){ STR("Authorization"),
                                                 arena_fmt(&m->arena, "Bearer %.*s", STR_ARG(m->k.token)) };
    o.body = body.n > 0 ? blob_copy(body) : NULL;
    if (http_call(http, &o, NULL, &err) == 0) {
        loop_run(m->loop);
    } else {
        m->status = 0;
        m->reason = arena_str(&m->arena, str_of(err.s));
    }
    blob_unref(o.body);
}

static void member_on_again(struct timer *t)
{
    loop_stop(container_of(t, struct member, again)->loop);
}

/* A cluster that elects a leader, or a head that is going, is asked again: nothing was done yet. */
static void member_call(struct member *m, const char *method, struct str path, struct str body)
{
    uint64_t until = loop_now_ms(m->loop) + MEMBER_WAIT_MS;

    member_try(m, m->http, method, path, body);
    while (m->status == 503 && loop_now_ms(m->loop) < until) {
        timer_start(&m->again, MEMBER_AGAIN_MS);
        loop_run(m->loop);
        member_try(m, m->http, method, path, body);
    }
}

static struct json *member_answer(struct member *m)
{
    struct json_error bad;
    struct json *j = NULL;

    return json_parse(&m->arena, m->body, &j, &bad) == 0 ? j : NULL;
}

static int member_failed(struct member *m)
{
    struct str message = json_str(json_getz(member_answer(m), "message"));

    if (m->status == 0)
        return fail(&cmd_member, "no head answers: %.*s", STR_ARG(m->reason));
    if (message.n == 0)
        return fail(&cmd_member, "the head answers %d: %.*s", m->status, STR_ARG(m->body));
    return fail(&cmd_member, "%.*s", STR_ARG(message));
}

/* ---- list ----------------------------------------------------------------------------------------- */

/* How far each has come only the leader knows; NULL: failed, m says why. */
static struct json *member_fetch(struct member *m)
{
    struct http_client *http;
    struct json *j, *better;
    struct str url = STR_NONE;

    member_call(m, "GET", STR(MEMBERS_PATH), STR_NONE);
    j = m->status == 200 ? member_answer(m) : NULL;
    if (j == NULL || json_path_i64(j, "self", 0) == json_path_i64(j, "leader", 0))
        return j;
    json_each(it, json_getz(j, "members"))
        if (json_true(json_getz(it, "leader")))
            url = json_str(json_getz(it, "apiURL"));
    if (url.n == 0 || member_connect(m, &url, 1, &http, NULL) != 0)
        return j;
    member_try(m, http, "GET", STR(MEMBERS_PATH), STR_NONE);
    better = m->status == 200 ? member_answer(m) : NULL;
    http_client_free(http);
    return better != NULL ? better : j;
}

static const char *cell_number(struct arena *a, const struct json *v)
{
    int64_t n;

    return json_i64(v, &n) ? arena_fmt(a, "%lld", (long long)n).p : "-";
}

static const char *cell_text(struct arena *a, const struct json *v)
{
    return json_str(v).n > 0 ? arena_cstr(a, json_str(v)) : "-";
}

static const char *cell_role(struct arena *a, const struct json *member)
{
    return json_true(json_getz(member, "leader")) ? "leader" : cell_text(a, json_getz(member, "role"));
}

#define COLUMNS 7
static void member_row(struct member *m, const struct json *it, const char *cell[COLUMNS])
{
    struct arena *a = &m->arena;

    cell[0] = cell_number(a, json_getz(it, "id"));
    cell[1] = cell_text(a, json_getz(it, "name"));
    cell[2] = cell_role(a, it);
    cell[3] = json_true(json_getz(it, "connected")) ? "yes" : "no";
    cell[4] = cell_number(a, json_getz(it, "lag"));
    cell[5] = cell_text(a, json_getz(it, "peerURL"));
    cell[6] = cell_text(a, json_getz(it, "apiURL"));
}

static int member_list(struct member *m, int argc, char **argv)
{
    static const char *const head[COLUMNS] = { "ID", "NAME", "ROLE", "CONNECTED", "LAG", "PEER", "API" };
    const char *cell[COLUMNS];
    size_t width[COLUMNS];
    struct json *j = member_fetch(m);
    struct buf out = BUF_INIT;

    if (j == NULL)
        return member_failed(m);
    if (m->output != NULL && strcmp(m->output, "json") == 0) {
        json_write_pretty(&out, j, 2);
        printf("%.*s\n", STR_ARG(buf_str(&out)));
        buf_release(&out);
        return 0;
    }
    for (unsigned i = 0; i < COLUMNS; i++)
        width[i] = strlen(head[i]);
    json_each(it, json_getz(j, "members")) {
        member_row(m, it, cell);
        for (unsigned i = 0; i < COLUMNS; i++)
            width[i] = MAX_OF(width[i], strlen(cell[i]));
    }
    for (unsigned i = 0; i < COLUMNS; i++)
        printf("%-*s%s", i + 1 < COLUMNS ? (int)width[i] : 0, head[i], i + 1 < COLUMNS ? "   " : "\n");
    json_each(it, json_getz(j, "members")) {
        member_row(m, it, cell);
        for (unsigned i = 0; i < COLUMNS; i++)
            printf("%-*s%s", i + 1 < COLUMNS ? (int)width[i] : 0, cell[i], i + 1 < COLUMNS ? "   " : "\n");
    }
    return 0;
}

/* ---- Changes -------------------------------------------------------------------------------------- */

/* A number, or a name that the cluster knows. */
static int member_find(struct member *m, const char *who, uint64_t *ret)
{
    struct json *j;

    if (str_u64(str_of(who), ret))
        return 0;
    if ((j = member_fetch(m)) == NULL)
        return member_failed(m);
    json_each(it, json_getz(j, "members")) {
        if (!str_is(json_str(json_getz(it, "name")), who))
            continue;
        *ret = (uint64_t)json_path_i64(it, "id", 0);
        return 0;
    }
    return fail(&cmd_member, "there is no head \"%s\"", who);
}

static void member_body(struct member *m, uint64_t by, struct buf *out)
{
    const struct { const char *key, *value; } text[] = {
        { "peerURL", m->peer_url }, { "name", m->name }, { "apiURL", m->api_url },
    };
    struct json *j = json_object(&m->arena);

    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        if (text[i].value != NULL)
            json_setz(&m->arena, j, text[i].key, json_string(&m->arena, str_of(text[i].value)));
    if (by > 0)
        json_setz(&m->arena, j, "by", json_int(&m->arena, (int64_t)by));
    json_write(out, j);
}

/* method on .../members[/ID[/word]]; the id it was about in *ret_id. */
static int member_change(struct member *m, const char *method, uint64_t id, const char *word, uint64_t by,
                         uint64_t *ret_id)
{
    bool one = strcmp(method, "POST") != 0 || word != NULL;
    struct str path = !one ? STR(MEMBERS_PATH)
                    : arena_fmt(&m->arena, MEMBERS_PATH "/%llu%s%s", (unsigned long long)id,
                                word != NULL ? "/" : "", word != NULL ? word : "");
    struct buf body = BUF_INIT;

    member_body(m, by, &body);
    member_call(m, method, path, buf_str(&body));
    buf_release(&body);
    if (m->status != 200 && m->status != 201)
        return member_failed(m);
    *ret_id = (uint64_t)json_path_i64(member_answer(m), "id", 0);
    return 0;
}

static int member_add(struct member *m, int argc, char **argv)
{
    struct json *j;
    uint64_t id;

    if (m->peer_url == NULL)
        return fail(&cmd_member, "add needs --peer-url: where the other heads reach the new one");
    m->name = argv[0];
    if (member_change(m, "POST", 0, NULL, 0, &id) != 0)
        return 1;
    const char *addr = strncmp(m->peer_url, "https://", 8) == 0 ? m->peer_url + 8 : m->peer_url;
    j = member_fetch(m);
    printf("Head %llu (%s) is a learner of the cluster now.  Start it on its machine, with certificates "
           "as the other\nheads have them, then: coracle member promote %llu\n\n"
           "  coracle head --join --id=%llu --cluster=%s --name=%s --listen-peer=%s \\\n"
           "    --peer-trusted-ca-file=ca.crt --peer-cert-file=head.crt --peer-key-file=head.key \\\n"
           "    --client-ca-file=ca.crt --tls-cert-file=head.crt --tls-private-key-file=head.key \\\n"
           "    --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key "
           "--listen=HOST:6443\n",
           (unsigned long long)id, m->name, (unsigned long long)id, (unsigned long long)id,
           cell_text(&m->arena, json_getz(j, "cluster")), m->name, addr);
    return 0;
}

/* The words that are about one head, and what is said when it is done. */
static const struct member_word { const char *name, *method, *word, *said; } words[] = {
    { "promote", "POST", "promote", "votes now" },
    { "demote", "POST", "demote", "is a learner now" },
    { "remove", "DELETE", NULL, "is removed from the cluster" },
    { "update", "PATCH", NULL, "is updated" },
    { "replace", "POST", "replace", "is replaced" },
    { "move-leader", "POST", "lead", "leads now" },
};

static int member_one(struct member *m, const struct member_word *w, const char *who)
{
    uint64_t id = 0, by = 0;

    if (strcmp(w->name, "replace") == 0 && m->by == NULL)
        return fail(&cmd_member, "replace needs --by: the learner that takes its place");
    if ((who != NULL && member_find(m, who, &id) != 0) || (m->by != NULL && member_find(m, m->by, &by) != 0))
        return 1;
    if (member_change(m, w->method, id, w->word, by, &id) != 0)
        return 1;
    printf("Head %llu %s.\n", (unsigned long long)id, w->said);
    return 0;
}

static int member_go(struct member *m, int n, char **argv)
{
    if (n == 1 && strcmp(argv[0], "list") == 0)
        return member_list(m, 0, NULL);
    if (n == 2 && strcmp(argv[0], "add") == 0)
        return member_add(m, n - 1, argv + 1);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(argv[0], words[i].name) == 0 &&
            (n == 2 || (n == 1 && strcmp(argv[0], "move-leader") == 0)))
            return member_one(m, &words[i], n == 2 ? argv[1] : NULL);
    return fail(&cmd_member, "cannot make out what to do (see coracle member --help)");
}

/* ---- Where to ------------------------------------------------------------------------------------- */

static int member_open(struct member *m, struct errbuf *err)
{
    struct tls_opts o = { 0 };
    struct str url[FLAG_MAX_STRINGS];
    int rc;

    if (m->kubeconfig == NULL)
        return err_set(err, E_INVALID, "needs --kubeconfig (or KUBECONFIG) of an administrator");
    if ((rc = kubeconfig_load(&m->arena, m->kubeconfig, m->context, &m->k, err)) != 0)
        return rc;
    o.ca_pem = m->k.insecure ? STR_NONE : m->k.ca_pem;
    o.cert_pem = m->k.cert_pem;
    o.key_pem = m->k.key_pem;
    if ((rc = tls_ctx_new(&o, &m->tls, err)) != 0)
        return err_wrap(err, rc, "%s", m->kubeconfig);
    url[0] = m->k.server;
    for (unsigned i = 0; i < m->servers.n; i++)
        url[i] = str_of(m->servers.v[i]);
    m->loop = loop_new_real();
    timer_init(&m->again, m->loop, member_on_again);
    return member_connect(m, url, MAX_OF(m->servers.n, 1u), &m->http, err);
}

static int member_run(int argc, char **argv)
{
    struct member m = { .kubeconfig = getenv("KUBECONFIG") };
    const struct flag flags[] = {
        { "kubeconfig", NULL, FLAG_STRING, &m.kubeconfig, "FILE",
          "how to reach a head, as an administrator" },
        { "context", NULL, FLAG_STRING, &m.context, "NAME",
          "the kubeconfig's context, if not its current one" },
        { "server", NULL, FLAG_STRINGS, &m.servers, "URL",
          "instead of the kubeconfig's; the next if one does not answer" },
        { "peer-url", NULL, FLAG_STRING, &m.peer_url, "URL",
          "add, update: https://HOST:PORT where other heads reach it" },
        { "name", NULL, FLAG_STRING, &m.name, "NAME", "update: what people call it" },
        { "api-url", NULL, FLAG_STRING, &m.api_url, "URL", "update: where clients reach it" },
        { "by", NULL, FLAG_STRING, &m.by, "HEAD", "replace: the learner that takes its place" },
        { "output", "o", FLAG_STRING, &m.output, "FORMAT", "list: json" },
    };
    struct errbuf err = { "" };
    int n = flags_parse(&cmd_member, flags, ARRAY_LEN(flags), argc, argv), status;

    if (n < 1)
        return fail(&cmd_member,
                    "needs a word: list, add, promote, demote, remove, replace, update or move-leader");
    arena_init(&m.arena);
    status = member_open(&m, &err) != 0 ? fail(&cmd_member, "%s", err.s) : member_go(&m, n, argv + 1);
    if (m.http != NULL)
        http_client_free(m.http);
    tls_ctx_free(m.tls);
    arena_release(&m.arena);
    return status;
}

const struct command cmd_member = {
    "member", "member WORD [HEAD] [flags]", "Show and change which heads a cluster has",
    "Shows which heads make up a cluster's control plane, and changes that while it works.\n"
    "HEAD is a number or a name.\n\n"
    "  list               who they are, who leads, and how many entries each lags behind\n"
    "  add NAME           a new head at --peer-url, as a learner: it follows, but has no vote; says how to\n"
    "                     start it\n"
    "  promote HEAD       a learner that has caught up votes from now on\n"
    "  demote HEAD        a voter becomes a learner\n"
    "  remove HEAD        for good; a leader hands over first\n"
    "  replace HEAD       the learner --by takes its place, in one step\n"
    "  update HEAD        --peer-url, --name, --api-url\n"
    "  move-leader [HEAD] lets another head lead; without HEAD the most up to date one",
    member_run,
};
