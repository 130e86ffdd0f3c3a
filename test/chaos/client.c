/* test/chaos/client.c: clients that read and write a few keys through all heads, one request at a time. */
#include <inttypes.h>
#include <stdlib.h>
#include "test/chaos/chaos.h"

static const struct { const char *method, *name; unsigned share; bool writes; } ops[CHAOS_OPS] = {
    [CHAOS_GET] = { "GET", "get", 30, false },       [CHAOS_LIST] = { "GET", "list", 8, false },
    [CHAOS_CREATE] = { "POST", "create", 12, true }, [CHAOS_CAS] = { "PUT", "cas", 28, true },
    [CHAOS_PUT] = { "PUT", "put", 10, true },        [CHAOS_DELETE] = { "DELETE", "delete", 7, true },
    [CHAOS_CAS_DELETE] = { "DELETE", "cas", 5, true },
};
static const char *const results[] = { "ok", "lost", "unknown", "failed" };

bool chaos_key(struct str name, unsigned *ret)
{
    uint64_t n;

    if (name.n < 2 || name.p[0] != 'k' || !str_u64(str_from(name, 1), &n) || n > CHAOS_FENCE)
        return false;
    *ret = (unsigned)n;
    return true;
}

static void keep(char to[CHAOS_TEXT], struct str s)
{
    size_t n = MIN_OF(s.n, CHAOS_TEXT - 1);

    if (n > 0)
        memcpy(to, s.p, n);
    to[n] = '\0';
}

static void know(struct chaos_client *cl, unsigned key, struct str value, struct str rev)
{
    keep(cl->known[key].value, value);
    keep(cl->known[key].rev, rev);
}

/* ---- What is written down ------------------------------------------------------------------------- */

/* Everything but what differs by kind: `fields` holds that, with a comma in front. */
static void record(struct chaos_client *cl, const char *op, unsigned key, int result, const char *fields)
{
    FILE *f = cl->c->out;

    fprintf(f, "{\"client\":\"c%u\",\"op\":\"%s\",\"key\":\"k%u\",\"result\":\"%s\",\"start\":%" PRIu64,
            cl->number, op, key, results[result], cl->start_ns);
    if (result != CHAOS_UNKNOWN)
        fprintf(f, ",\"end\":%" PRIu64, loop_hires_ns(cl->c->loop));
    fprintf(f, "%s}\n", fields);
}

static void record_seen(struct chaos_client *cl, unsigned key, struct str value, struct str rev,
                        struct str at)
{
    char fields[160];
    int n = snprintf(fields, sizeof fields, ",\"value\":\"%.*s\"", STR_ARG(value));

    if (rev.n > 0)
        n += snprintf(fields + n, sizeof fields - (size_t)n, ",\"rev\":%.*s", STR_ARG(rev));
    if (at.n > 0)
        snprintf(fields + n, sizeof fields - (size_t)n, ",\"at\":%.*s", STR_ARG(at));
    record(cl, "get", key, CHAOS_OK, fields);
    know(cl, key, value, rev);
}

static void record_list(struct chaos_client *cl, const struct json *list)
{
    const struct json *found[CHAOS_KEYS + 1] = { NULL };
    struct str at = json_path_str(list, "metadata.resourceVersion");

    json_each(item, json_getz(list, "items")) {
        unsigned key;
        if (chaos_key(json_path_str(item, "metadata.name"), &key))
            found[key] = item;
    }
    for (unsigned k = 0; k <= CHAOS_KEYS; k++)
        record_seen(cl, k, json_path_str(found[k], "data.v"),
                    json_path_str(found[k], "metadata.resourceVersion"), at);
}

static void record_write(struct chaos_client *cl, int result, struct str rev)
{
    bool cas = cl->op == CHAOS_CAS || cl->op == CHAOS_CAS_DELETE;
    char fields[160] = "";
    int n = 0;

    if (cl->op != CHAOS_DELETE)
        n = snprintf(fields, sizeof fields, ",\"value\":\"%s\"", cl->value);
    if (cas)
        n += snprintf(fields + n, sizeof fields - (size_t)n, ",\"expect\":\"%s\"", cl->known[cl->key].value);
    if (rev.n > 0)
        snprintf(fields + n, sizeof fields - (size_t)n, ",\"rev\":%.*s", STR_ARG(rev));
    record(cl, ops[cl->op].name, cl->key, result, fields);
    if (result == CHAOS_OK && rev.n > 0)
        know(cl, cl->key, str_of(cl->value), rev);
    else if (result == CHAOS_OK || result == CHAOS_LOST)
        know(cl, cl->key, STR_NONE, STR_NONE);
}

/* ---- Answers ---------------------------------------------------------------------------------------- */

static bool says(struct str text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

static int judge(struct chaos_client *cl, const struct client_result *r)
{
    if (r->err != 0)
        return CHAOS_UNKNOWN;
    if (r->ok)
        return CHAOS_OK;
    switch (r->status) {
    case 409:
        return cl->op == CHAOS_PUT ? CHAOS_FAILED : CHAOS_LOST;
    case 404:
        if (cl->op != CHAOS_LIST && cl->op != CHAOS_CREATE)
            return CHAOS_LOST;
        break;
    case 429:
        return CHAOS_FAILED;
    case 503: case 507:
        return says(r->message, "nothing was changed") ? CHAOS_FAILED : CHAOS_UNKNOWN;
    case 500: case 504:
        return CHAOS_UNKNOWN;
    }
    chaos_wrong(cl->c, "%s of k%u: answer %d: %.*s", ops[cl->op].name, cl->key, r->status,
                STR_ARG(r->message));
    return CHAOS_UNKNOWN;
}

static void client_on_answer(void *arg, const struct client_result *r)
{
    struct chaos_client *cl = arg;
    struct chaos *c = cl->c;
    int result = judge(cl, r);
    struct str rev = json_path_str(r->obj, "metadata.resourceVersion"), none = STR_NONE;

    cl->busy = false;
    c->count[cl->op][result]++;
    if (ops[cl->op].writes && !(cl->op == CHAOS_PUT && result == CHAOS_LOST))
        record_write(cl, result, result == CHAOS_OK && cl->value[0] != '\0' ? rev : none);
    else if (result == CHAOS_LOST)               /* there was nothing to read, or to write over */
        record_seen(cl, cl->key, none, none, none);
    else if (result == CHAOS_OK && cl->op == CHAOS_LIST)
        record_list(cl, r->obj);
    else if (result == CHAOS_OK)
        record_seen(cl, cl->key, json_path_str(r->obj, "data.v"), rev, none);
    if (result >= CHAOS_UNKNOWN || loop_random_u64(c->loop) % 20 == 0)
        cl->head = (cl->head + 1) % c->n_heads;
    if (c->stopping)
        settle_on_answer(cl, result, r);
    else
        timer_start_ns(&cl->next, loop_random_u64(c->loop) % (CHAOS_PAUSE_MS * 1000000ull));
}

/* ---- Requests --------------------------------------------------------------------------------------- */

static struct str body_of(struct chaos_client *cl, struct buf *b)
{
    const char *rev = cl->known[cl->key].rev;

    if (cl->op == CHAOS_CAS_DELETE) {
        buf_fmt(b, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                   "\"preconditions\":{\"resourceVersion\":\"%s\"}}", rev);
    } else if (cl->value[0] != '\0') {
        buf_fmt(b, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"k%u\"", cl->key);
        if (cl->op == CHAOS_CAS)
            buf_fmt(b, ",\"resourceVersion\":\"%s\"", rev);
        buf_fmt(b, "},\"data\":{\"v\":\"%s\"}}", cl->value);
    }
    return buf_str(b);
}

void client_send_op(struct chaos_client *cl, enum chaos_op op, unsigned key)
{
    struct chaos *c = cl->c;
    char name[CHAOS_TEXT];
    struct buf body = BUF_INIT;

    if ((op == CHAOS_CAS || op == CHAOS_CAS_DELETE) && cl->known[key].rev[0] == '\0')
        op = CHAOS_GET;                          /* nothing known to compare with */
    cl->op = op;
    cl->key = key;
    cl->value[0] = '\0';
    if (op == CHAOS_CREATE || op == CHAOS_CAS || op == CHAOS_PUT)
        snprintf(cl->value, sizeof cl->value, "v%" PRIu64, ++c->values);
    snprintf(name, sizeof name, "k%u", key);
    struct client_req r = { .method = ops[op].method, .res = CHAOS_RES, .ns = CHAOS_NS,
                            .timeout_ms = CHAOS_TIMEOUT_MS,
                            .name = op == CHAOS_LIST || op == CHAOS_CREATE ? STR_NONE : str_of(name),
                            .body_text = body_of(cl, &body), .done = client_on_answer, .arg = cl };
    cl->busy = true;
    cl->start_ns = loop_hires_ns(c->loop);
    must(client_send(c->head[cl->head], &r) != NULL);
    buf_release(&body);
}

static void client_on_next(struct timer *t)
{
    struct chaos_client *cl = container_of(t, struct chaos_client, next);
    unsigned op = 0, draw = (unsigned)(loop_random_u64(cl->c->loop) % 100);

    if (cl->c->stopping)
        return;
    while (draw >= ops[op].share)
        draw -= ops[op++].share;
    client_send_op(cl, (enum chaos_op)op, (unsigned)(loop_random_u64(cl->c->loop) % CHAOS_KEYS));
}

void clients_start(struct chaos *c)
{
    for (unsigned i = 0; i < CHAOS_CLIENTS; i++) {
        struct chaos_client *cl = &c->client[i];
        cl->c = c;
        cl->number = i;
        cl->head = i % c->n_heads;
        timer_init(&cl->next, c->loop, client_on_next);
        timer_start(&cl->next, 0);
    }
}

bool clients_idle(const struct chaos *c)
{
    for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
        if (c->client[i].busy)
            return false;
    return true;
}
