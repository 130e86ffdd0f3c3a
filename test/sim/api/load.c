/* test/sim/api/load.c: requests and what came of them. */
#include <stdlib.h>
#include "test/sim/api/world.h"

#define PATH "/api/v1/namespaces/default/configmaps"

static const char *const kind_name[REQUEST_KINDS] = { "create", "update", "patch", "delete", "get", "list" };

/* ---- The history ------------------------------------------------------------------------------------ */

static void record(struct world *w, const struct linear_op *op)
{
    if (w->h.n_op == MAX_OPS)
        return;
    w->h.op[w->h.n_op] = *op;
    w->h.op[w->h.n_op].id = w->h.n_op;
    w->h.n_op++;
    w->max_rev = op->rev > w->max_rev ? op->rev : w->max_rev;
}

/* What the kinds of requests mean for the checker; a patch of what is not there found out that it is not there. */
static void request_record(struct request *q, enum linear_outcome outcome, uint64_t seen, uint64_t rev)
{
    static const enum linear_kind kind[] = { LINEAR_CAS, LINEAR_CAS, LINEAR_PUT, LINEAR_DELETE, LINEAR_GET };
    struct linear_op op = { .key = q->key + 1, .kind = kind[q->kind], .outcome = outcome, .rev = rev,
                            .asked = q->asked, .answered = outcome == LINEAR_UNKNOWN ? LINEAR_NEVER : q->answered };

    op.value = q->kind == GET || q->kind == DELETE ? 0 : q->value;
    op.seen = q->kind == GET ? seen : q->kind == UPDATE ? q->expect : 0;
    if (q->kind == PATCH && outcome == LINEAR_LOST) {
        op.kind = LINEAR_GET;
        op.outcome = LINEAR_DONE;
        op.value = 0;
    }
    if (q->kind != GET || outcome == LINEAR_DONE)
        record(q->w, &op);
}

/* ---- Answers ---------------------------------------------------------------------------------------- */

uint64_t object_number(const struct json *obj, const char *path)
{
    struct str s = json_path_str(obj, path);
    uint64_t v = 0;

    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        v = 10 * v + (uint64_t)(s.p[i] - '0');
    return v;
}

unsigned object_key(const struct json *obj)
{
    struct str name = json_path_str(obj, "metadata.name");

    return name.n == 2 && name.p[0] == 'k' ? (unsigned)(name.p[1] - '0') + 1 : 0;
}

static void request_end(struct request *q, const char *how, uint64_t rev)
{
    trace(q->w, "  %s k%u at h%u: %s %" PRIu64, kind_name[q->kind], q->key, q->head + 1, how, rev);
    q->busy = false;
}

static void request_done(struct request *q, const struct json *obj)
{
    struct world *w = q->w;
    uint64_t rev = object_number(obj, "metadata.resourceVersion");
    uint64_t value = object_number(obj, "data.v");

    if (q->kind == DELETE)
        rev = 0;                                 /* of the object as it was */
    else if (rev == 0 || value == 0 || (q->kind != GET && value != q->value))
        broken(w, "%s of k%u by %" PRIu64 " was answered with value %" PRIu64 " at %" PRIu64, kind_name[q->kind],
               q->key, q->value, value, rev);
    else if (rev >= w->known[q->key].rv) {
        w->known[q->key].value = value;
        w->known[q->key].rv = rev;
    }
    *(q->kind == GET ? &w->reads : &w->writes) += 1;
    request_record(q, LINEAR_DONE, value, rev);
    request_end(q, "done", rev);
}

static void request_on_done(void *arg, const struct client_result *r)
{
    struct request *q = arg;
    struct world   *w = q->w;
    bool refused = r->err == 0 && (r->status == 409 || r->status == 404);

    q->answered = sim_now_ns(w->s);
    if (r->ok) {
        request_done(q, r->obj);
    } else if (refused && q->kind == GET) {
        w->reads++;
        request_record(q, LINEAR_DONE, 0, 0);
        request_end(q, "nothing there", 0);
    } else if (refused) {
        w->lost++;
        request_record(q, LINEAR_LOST, 0, 0);
        request_end(q, r->reason, 0);
    } else if (r->err == 0 && r->status >= 400 && r->status < 500 && r->status != 429 && r->status != 408) {
        broken(w, "%s of k%u at h%u: status %d: %.*s", kind_name[q->kind], q->key, q->head + 1, r->status,
               STR_ARG(r->message));
    } else {
        w->unknown += q->kind != GET;
        request_record(q, LINEAR_UNKNOWN, 0, 0);
        request_end(q, "unknown", (uint64_t)r->status);
    }
}

/* ---- Lists, page by page: one state, whoever gives the pages ----------------------------------------- */

static void list_ask(struct request *q, struct str more);

static void list_page(struct request *q, const struct json *obj)
{
    struct world *w = q->w;
    const struct json *items = json_getz(obj, "items");
    uint64_t at = object_number(obj, "metadata.resourceVersion");

    if (at == 0 || (q->at != 0 && at != q->at))
        broken(w, "a list at %" PRIu64 " goes on at %" PRIu64, q->at, at);
    q->at = at;
    for (size_t i = 0; json_at(items, i) != NULL; i++) {
        const struct json *o = json_at(items, i);
        unsigned k = object_key(o);
        if (k == 0)
            continue;
        if (k <= q->last || k > KEYS)
            broken(w, "a list of %" PRIu64 " names k%u again, or out of order", at, k - 1);
        q->last = k;
        q->seen[k - 1] = object_number(o, "data.v");
        q->rev[k - 1] = object_number(o, "metadata.resourceVersion");
    }
}

static void list_record(struct request *q)
{
    for (unsigned k = 0; k < KEYS; k++)
        record(q->w, &(struct linear_op){ .key = k + 1, .kind = LINEAR_GET, .outcome = LINEAR_DONE,
                                          .seen = q->seen[k], .rev = q->rev[k], .at = q->at, .asked = q->asked,
                                          .answered = q->answered });
    q->w->lists++;
    q->w->max_rev = q->at > q->w->max_rev ? q->at : q->w->max_rev;
}

static void list_on_done(void *arg, const struct client_result *r)
{
    struct request *q = arg;
    struct str more;

    if (!r->ok) {                                /* 410 is an answer, too: the state of the first page is history */
        request_end(q, "given up", (uint64_t)r->status);
        return;
    }
    if (q->pages++ == 0)
        q->answered = sim_now_ns(q->w->s);
    list_page(q, r->obj);
    more = json_path_str(r->obj, "metadata.continue");
    if (more.n > 0) {
        q->head = (q->head + 1) % q->w->n_heads; /* the next page from another head */
        list_ask(q, more);
        return;
    }
    list_record(q);
    request_end(q, "done", q->at);
}

static void list_ask(struct request *q, struct str more)
{
    char query[1024];
    struct client_req r = { .method = "GET", .res = CLIENT_CONFIGMAPS, .ns = STR("default"), .timeout_ms = 5000,
                            .done = list_on_done, .arg = q };

    r.query = str_make(query, (size_t)snprintf(query, sizeof query, "limit=%d%s%.*s", PAGE,
                                               more.n > 0 ? "&continue=" : "", STR_ARG(more)));
    if (client_send(q->w->head[q->head].client, &r) == NULL)
        request_end(q, "not sent", 0);
}

/* ---- Requests ---------------------------------------------------------------------------------------- */

static void request_body(struct request *q)
{
    struct world *w = q->w;

    if (q->kind == UPDATE)
        snprintf(q->body, sizeof q->body, "{\"metadata\":{\"name\":\"k%u\",\"resourceVersion\":\"%" PRIu64 "\"},"
                 "\"data\":{\"v\":\"%" PRIu64 "\"}}", q->key, w->known[q->key].rv, q->value);
    else
        snprintf(q->body, sizeof q->body, "{\"metadata\":{\"name\":\"k%u\"},\"data\":{\"v\":\"%" PRIu64 "\"}}", q->key,
                 q->value);
}

static void request_send(void *arg)
{
    static const char *const method[] = { "POST", "PUT", "PATCH", "DELETE", "GET" };
    struct request *q = arg;
    char name[8];
    struct client_req r = { .res = CLIENT_CONFIGMAPS, .ns = STR("default"), .timeout_ms = 5000,
                            .done = request_on_done, .arg = q };

    if (q->kind == LIST) {
        list_ask(q, STR_NONE);
        return;
    }
    snprintf(name, sizeof name, "k%u", q->key);
    r.method = method[q->kind];
    r.name = q->kind == CREATE ? STR_NONE : str_of(name);
    if (q->kind <= PATCH)
        r.body_text = str_of(q->body);
    if (q->kind == PATCH)
        r.content_type = CLIENT_MERGE_PATCH;
    if (client_send(q->w->head[q->head].client, &r) == NULL)
        broken(q->w, "a request cannot be sent");
}

static void request_begin(struct world *w, struct request *q, enum request_kind kind, unsigned key, unsigned head)
{
    *q = (struct request){ .w = w, .busy = true, .kind = kind, .key = key, .head = head,
                           .asked = sim_now_ns(w->s), .value = ++w->values };
    if (kind == UPDATE && w->known[key].value == 0)
        q->kind = CREATE;
    q->expect = w->known[key].value;
    request_body(q);
    sim_do(w->clients, request_send, q);
}

static struct request *slot_free(struct world *w)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (!w->slot[i].busy)
            return &w->slot[i];
    return NULL;
}

void load_step(struct world *w)
{
    struct request *q = slot_free(w);
    uint64_t dice = sim_below(w->s, 16);

    if (q != NULL && w->h.n_op + 4 * KEYS < MAX_OPS)
        request_begin(w, q, dice < 3 ? CREATE : dice < 7 ? UPDATE : dice < 9 ? PATCH : dice < 11 ? DELETE
                      : dice < 15 ? GET : LIST, (unsigned)sim_below(w->s, KEYS), (unsigned)sim_below(w->s, w->n_heads));
}

void load_write_through(struct world *w, unsigned head)
{
    struct request *q = slot_free(w);

    if (q != NULL)
        request_begin(w, q, sim_below(w->s, 2) ? PATCH : CREATE, 0, head);
}

unsigned load_busy(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SLOTS; i++)
        n += w->slot[i].busy;
    return n;
}

static void load_open_in(void *arg)
{
    struct world *w = arg;

    for (unsigned i = 0; i < w->n_heads; i++) {
        const char *server = w->head[i].api_addr;
        struct client_http_opts o = { .loop = sim_machine_loop(w->clients), .servers = &server, .n_servers = 1,
                                      .bearer_token = "secret", .user_agent = "sim" };
        must_ok(client_new_http(&o, &w->head[i].client, NULL));
    }
}

void load_open(struct world *w)
{
    w->clients = sim_machine_new(w->s, "clients");
    sim_do(w->clients, load_open_in, w);
}

static void load_close_in(void *arg)
{
    struct world *w = arg;

    for (unsigned i = 0; i < w->n_heads; i++)
        client_free(w->head[i].client);
}

void load_close(struct world *w) { sim_do(w->clients, load_close_in, w); }
