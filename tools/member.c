/* tools/member.c: coracle member: who the heads of a cluster are, and changes of that while it works. */
#include <stdio.h>
#include "tools/admin.h"

struct member {
    struct admin admin;
    const char *output, *peer_url, *name, *api_url, *by;
};

/* ---- list ----------------------------------------------------------------------------------------- */

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
    struct arena *a = &m->admin.arena;

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
    struct json *j = admin_members(&m->admin);
    struct buf out = BUF_INIT;

    if (j == NULL)
        return admin_failed(&m->admin);
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
    if ((j = admin_members(&m->admin)) == NULL)
        return admin_failed(&m->admin);
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
    struct json *j = json_object(&m->admin.arena);

    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        if (text[i].value != NULL)
            json_setz(&m->admin.arena, j, text[i].key, json_string(&m->admin.arena, str_of(text[i].value)));
    if (by > 0)
        json_setz(&m->admin.arena, j, "by", json_int(&m->admin.arena, (int64_t)by));
    json_write(out, j);
}

/* method on .../members[/ID[/word]]; the id it was about in *ret_id. */
static int member_change(struct member *m, const char *method, uint64_t id, const char *word, uint64_t by,
                         uint64_t *ret_id)
{
    bool one = strcmp(method, "POST") != 0 || word != NULL;
    struct str path = !one ? STR(ADMIN_MEMBERS_PATH)
                    : arena_fmt(&m->admin.arena, ADMIN_MEMBERS_PATH "/%llu%s%s", (unsigned long long)id,
                                word != NULL ? "/" : "", word != NULL ? word : "");
    struct buf body = BUF_INIT;

    member_body(m, by, &body);
    admin_call(&m->admin, method, path, buf_str(&body));
    buf_release(&body);
    if (m->admin.status != 200 && m->admin.status != 201)
        return admin_failed(&m->admin);
    *ret_id = (uint64_t)json_path_i64(admin_answer(&m->admin), "id", 0);
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
    j = admin_members(&m->admin);
    printf("Head %llu (%s) is a learner of the cluster now.  Start it on its machine, with certificates "
           "as the other\nheads have them, then: coracle member promote %llu\n\n"
           "  coracle head --join --id=%llu --cluster=%s --name=%s --listen-peer=%s \\\n"
           "    --peer-trusted-ca-file=ca.crt --peer-cert-file=head.crt --peer-key-file=head.key \\\n"
           "    --client-ca-file=ca.crt --tls-cert-file=head.crt --tls-private-key-file=head.key \\\n"
           "    --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key "
           "--listen=HOST:6443\n",
           (unsigned long long)id, m->name, (unsigned long long)id, (unsigned long long)id,
           cell_text(&m->admin.arena, json_getz(j, "cluster")), m->name, addr);
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

static int member_run(int argc, char **argv)
{
    struct member m = { .output = NULL };
    const struct flag flags[] = {
        ADMIN_FLAGS(m.admin)
        { "peer-url", NULL, FLAG_STRING, &m.peer_url, "URL",
          "add, update: https://HOST:PORT where other heads reach it" },
        { "name", NULL, FLAG_STRING, &m.name, "NAME", "update: what people call it" },
        { "api-url", NULL, FLAG_STRING, &m.api_url, "URL", "update: where clients reach it" },
        { "by", NULL, FLAG_STRING, &m.by, "HEAD", "replace: the learner that takes its place" },
        { "output", "o", FLAG_STRING, &m.output, "FORMAT", "list: json" },
    };
    struct errbuf err = { "" };
    int n, status;

    admin_init(&m.admin, &cmd_member);
    n = flags_parse(&cmd_member, flags, ARRAY_LEN(flags), argc, argv);
    if (n < 1)
        return fail(&cmd_member,
                    "needs a word: list, add, promote, demote, remove, replace, update or move-leader");
    status = admin_open(&m.admin, &err) != 0 ? fail(&cmd_member, "%s", err.s) : member_go(&m, n, argv + 1);
    admin_close(&m.admin);
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
