/* api/members.c: see api/members.h. */
#include "api/json.h"
#include "api/members.h"
#include "store/member.h"

/* A change under way; it goes on when its client does not. */
struct member_request {
    struct raft_change change;
    struct call *call;                           /* NULL: gone */
};

static void members_respond(struct call *c, int code, const struct json *j)
{
    struct buf b = BUF_INIT;
    struct blob *body;

    json_write(&b, j);
    buf_char(&b, '\n');
    body = buf_to_blob(&b);
    buf_release(&b);
    call_respond(c, code, "application/json", body);
}

/* ---- Who there is -------------------------------------------------------------------------------- */

static const char *member_role(const struct raft_member *m)
{
    return m->voter ? "voter" : m->learner ? "learner" : "leaving";
}

static void member_text(struct arena *a, struct json *j, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_setz(a, j, key, json_string(a, str_of(text)));
}

static struct json *member_json(struct arena *a, const struct raft_member *m, bool know_all)
{
    struct json *j = json_object(a);

    json_setz(a, j, "id", json_int(a, (int64_t)m->id));
    member_text(a, j, "name", m->name);
    json_setz(a, j, "peerURL", json_string(a, store_member_peer_url(a, m)));
    member_text(a, j, "apiURL", m->api);
    member_text(a, j, "clientURL", m->client);
    json_setz(a, j, "role", json_string(a, str_of(member_role(m))));
    json_setz(a, j, "leader", json_bool(a, m->leader));
    json_setz(a, j, "connected", json_bool(a, m->connected));
    if (!know_all)
        return j;
    json_setz(a, j, "match", json_int(a, (int64_t)m->match));
    json_setz(a, j, "lag", json_int(a, (int64_t)m->lag));
    if (m->heard)
        json_setz(a, j, "heardMillisecondsAgo", json_int(a, (int64_t)m->heard_ms_ago));
    return j;
}

static void members_list(struct call *c)
{
    struct arena *a = c->arena;
    struct json *j = json_object(a), *items;
    struct raft_status st;

    store_member_list(c->api->store, &st);
    if (c->api->cluster != NULL)
        json_setz(a, j, "cluster", json_string(a, str_of(c->api->cluster)));
    json_setz(a, j, "self", json_int(a, (int64_t)st.id));
    json_setz(a, j, "leader", json_int(a, (int64_t)st.leader));
    json_setz(a, j, "term", json_int(a, (int64_t)st.term));
    json_setz(a, j, "changing", json_bool(a, st.changing));
    items = json_setz(a, j, "members", json_array(a));
    for (unsigned i = 0; i < st.n_heads; i++)
        json_push(items, member_json(a, &st.head[i], st.is_leader));
    members_respond(c, 200, j);
}

/* ---- Changes ------------------------------------------------------------------------------------- */

static void members_fail(struct call *c, int err, const char *reason)
{
    static const struct { int err, code; const char *reason; } row[] = {
        { E_NOTFOUND, 404, REASON_NOT_FOUND }, { E_EXISTS, 409, REASON_ALREADY_EXISTS },
        { E_CONFLICT, 409, REASON_CONFLICT }, { E_AGAIN, 409, REASON_CONFLICT },
        { E_INVALID, 400, REASON_BAD_REQUEST }, { E_FULL, 400, REASON_BAD_REQUEST },
        { E_TOOBIG, 400, REASON_BAD_REQUEST }, { E_NOLEADER, 503, REASON_UNAVAILABLE },
        { E_TIMEOUT, 504, REASON_TIMEOUT }, { E_UNKNOWN, 504, REASON_TIMEOUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        if (row[i].err == err) {
            call_fail(c, row[i].code, row[i].reason, "%s", reason);
            return;
        }
    }
    call_fail(c, 500, REASON_INTERNAL, "%s", reason);
}

static void member_on_cancel(struct call *c)
{
    ((struct member_request *)c->state)->call = NULL;
}

static void member_on_done(struct raft_change *change, int err, const char *reason, uint64_t id)
{
    struct member_request *m = container_of(change, struct member_request, change);
    struct call *c = m->call;
    bool added = change->spec.op == RAFT_ADD;

    if (c != NULL)
        c->cancel = NULL;
    mem_free(m);
    if (c == NULL)
        return;
    if (err != 0) {
        members_fail(c, err, reason);
        return;
    }
    struct json *j = json_object(c->arena);
    json_setz(c->arena, j, "id", json_int(c->arena, (int64_t)id));
    members_respond(c, added ? 201 : 200, j);
}

static void members_change(struct call *c, const struct raft_change_spec *spec)
{
    struct member_request *m = mem_new(struct member_request);
    struct errbuf err;

    m->call = c;
    m->change.done = member_on_done;
    if (store_member_change(c->api->store, &m->change, spec, &err) != 0) {
        mem_free(m);
        call_bad_request(c, "%s", err.s);
        return;
    }
    c->state = m;
    c->cancel = member_on_cancel;
}

/* ---- Requests ------------------------------------------------------------------------------------ */

static const char *body_text(struct call *c, const struct json *body, const char *key)
{
    const struct json *v = json_getz(body, key);

    return json_is(v, JSON_STRING) ? arena_cstr(c->arena, v->s) : NULL;
}

/* The texts of a body, which may be empty.  False: answered. */
static bool members_body(struct call *c, struct raft_change_spec *s)
{
    struct json *body = NULL;
    struct json_error bad;

    if (c->x->body.n == 0)
        return true;
    if (json_parse(c->arena, c->x->body, &body, &bad) != 0 || !json_is(body, JSON_OBJECT)) {
        call_bad_request(c, "the body is no JSON object");
        return false;
    }
    s->addr = body_text(c, body, "peerURL");
    s->name = body_text(c, body, "name");
    s->api = body_text(c, body, "apiURL");
    s->client = body_text(c, body, "clientURL");
    s->by = (uint64_t)MAX_OF(json_i64_or(json_getz(body, "by"), 0), 0);
    return true;
}

/* What is asked of one member, or (no id) of all. */
static const struct member_verb { const char *method, *word; bool id; enum raft_change_op op; } verbs[] = {
    { "POST",   "",        false, RAFT_ADD },
    { "PATCH",  "",        true,  RAFT_UPDATE },
    { "DELETE", "",        true,  RAFT_REMOVE },
    { "POST",   "promote", true,  RAFT_PROMOTE },
    { "POST",   "demote",  true,  RAFT_DEMOTE },
    { "POST",   "replace", true,  RAFT_REPLACE },
    { "POST",   "lead",    true,  RAFT_TRANSFER },
};

static bool members_path(const struct str *seg, unsigned n)
{
    return n >= 3 && n <= 5 && str_is(seg[0], "coracle") && str_is(seg[1], "v1") && str_is(seg[2], "members");
}

bool members_serve(struct call *c, const struct str *seg, unsigned n)
{
    struct str method = c->x->method, word = n == 5 ? seg[4] : STR("");
    struct raft_change_spec s = { .id = 0 };

    if (!members_path(seg, n) || (n >= 4 && !str_u64(seg[3], &s.id)))
        return false;
    if (n == 3 && (str_is(method, "GET") || str_is(method, "HEAD"))) {
        members_list(c);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (verbs[i].id != (n > 3) || !str_is(method, verbs[i].method) || !str_is(word, verbs[i].word))
            continue;
        s.op = verbs[i].op;
        if (members_body(c, &s))
            members_change(c, &s);
        return true;
    }
    call_method_not_allowed(c);
    return true;
}
