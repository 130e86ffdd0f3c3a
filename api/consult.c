/* api/consult.c: see api/consult.h. */
#include "api/consult.h"
#include "net/log.h"
#include "net/loop.h"
#include "net/map.h"
#include "net/tls.h"

#define KEPT_MAX 8192                            /* more than that: start over */

struct kept { struct arena arena; const struct json *status; uint64_t until_ns; };

struct asked {
    struct consult *consult;
    unsigned char key[32];
    struct qlink waiting;
};

struct consult {
    struct consult_opts o;
    struct remote *remote;
    struct map kept, asked;                      /* by the question's digest */
};

static struct str key_str(const unsigned char key[32]) { return str_make((const char *)key, 32); }

static void kept_free(struct kept *k)
{
    arena_release(&k->arena);
    mem_free(k);
}

static void forget_all(struct consult *c)
{
    struct str key;
    void      *k;

    for (size_t i = 0; map_next(&c->kept, &i, &key, &k);)
        kept_free(k);
    map_release(&c->kept);
    c->kept = MAP_INIT;
}

static void keep(struct consult *c, struct str key, const struct json *status, uint64_t ms)
{
    struct kept *k = mem_new(struct kept);
    struct buf   text = BUF_INIT;
    struct json *copy = NULL;

    if (c->kept.n >= KEPT_MAX)
        forget_all(c);
    json_write(&text, status);                   /* a copy that views nothing of the answer */
    must(json_parse(&k->arena, arena_str(&k->arena, buf_str(&text)), &copy, NULL) == 0);
    buf_release(&text);
    k->status = copy;
    k->until_ns = loop_now_ns(c->o.loop) + ms * 1000000;
    k = map_put(&c->kept, key, k);
    if (k != NULL)
        kept_free(k);
}

static void on_answer(void *arg, const struct json *obj, const char *why)
{
    struct asked      *q = arg;
    struct consult    *c = q->consult;
    const struct json *status = json_getz(obj, "status");
    struct qlink       waiting;
    uint64_t           ms;

    if (obj != NULL && !json_is(status, JSON_OBJECT)) {
        status = NULL;
        why = "its answer has no status";
    }
    if (status == NULL)
        log_warn("api", "%s: %s", c->o.what, why);
    else if ((ms = c->o.keep_ms(c->o.arg, status)) > 0)
        keep(c, key_str(q->key), status, ms);
    map_del(&c->asked, key_str(q->key));
    qmove(&q->waiting, &waiting);
    mem_free(q);
    while (!qempty(&waiting)) {
        struct consult_wait *w = qentry(qpop(&waiting), struct consult_wait, link);

        w->done(w, status);
    }
}

static const struct json *kept_status(struct consult *c, struct str key)
{
    struct kept *k = map_get(&c->kept, key);

    if (k == NULL || k->until_ns > loop_now_ns(c->o.loop))
        return k != NULL ? k->status : NULL;
    kept_free(map_del(&c->kept, key));
    return NULL;
}

const struct json *consult_ask(struct consult *c, const struct json *question, struct consult_wait *w)
{
    struct buf         text = BUF_INIT;
    unsigned char      key[32];
    const struct json *status;
    struct asked      *q;

    json_write(&text, question);
    pki_sha256(buf_str(&text), key);
    buf_release(&text);
    status = kept_status(c, key_str(key));
    if (status != NULL)
        return status;
    q = map_get(&c->asked, key_str(key));
    if (q == NULL) {
        q = mem_new(struct asked);
        q->consult = c;
        memcpy(q->key, key, sizeof(key));
        qinit(&q->waiting);
        map_put(&c->asked, key_str(key), q);
        remote_send(c->remote, NULL, question, on_answer, q);
    }
    qinit(&w->link);
    qpush(&q->waiting, &w->link);
    return NULL;
}

int consult_new(const struct consult_opts *o, struct consult **ret, struct errbuf *err)
{
    struct consult *c = mem_new(struct consult);
    int             rc = remote_new(o->loop, &o->remote, &c->remote, err);

    if (rc < 0) {
        mem_free(c);
        return rc;
    }
    c->o = *o;
    *ret = c;
    return 0;
}

void consult_free(struct consult *c)
{
    struct str key;
    void      *q;

    if (c == NULL)
        return;
    remote_free(c->remote);
    for (size_t i = 0; map_next(&c->asked, &i, &key, &q);)
        mem_free(q);
    map_release(&c->asked);
    forget_all(c);
    mem_free(c);
}
