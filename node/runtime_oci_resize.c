/* node/runtime_oci_resize.c: other limits for what runs: written to the control groups, which the OCI runtime
 * has made and does not look at again. */
#include "node/runtime_oci_impl.h"

struct limit { char *cgroup; struct rt_resources resources; };
struct resize_op {
    struct loop_work work;
    struct oci_runtime *rt;
    struct rt_resize *req;
    struct limit *limits; size_t n;              /* in the order of writing */
    int rc;
};

static void resize_fn(struct loop_work *w)
{
    struct resize_op *op = container_of(w, struct resize_op, work);

    for (size_t i = 0; i < op->n && op->rc == 0; i++)
        op->rc = cgroup_limit(&op->rt->cg, op->limits[i].cgroup, &op->limits[i].resources, &op->req->req.err);
}

static void resize_done(struct loop_work *w)
{
    struct resize_op *op = container_of(w, struct resize_op, work);
    struct oci_runtime *rt = op->rt;
    struct rt_req *req = &op->req->req;
    int rc = op->rc;

    for (size_t i = 0; i < op->n; i++)
        mem_free(op->limits[i].cgroup);
    mem_free(op->limits);
    mem_free(op);
    req->done(req, rc);
    oci_unpin(rt);
}

static void add(struct resize_op *op, const char *cgroup, struct rt_resources resources)
{
    op->limits[op->n++] = (struct limit){ mem_strdup(cgroup), resources };
}

void oci_resize(struct runtime *base, struct rt_resize *r)
{
    struct oci_runtime *rt = oci_runtime_of(base);
    struct oci_sandbox *sb = oci_sandbox_find(rt, r->sandbox_id);
    struct resize_op *op;

    if (sb == NULL) {
        oci_answer(rt, &r->req, err_set(&r->req.err, E_NOTFOUND, "no sandbox %s", r->sandbox_id));
        return;
    }
    op = mem_new(struct resize_op);
    op->rt = rt;
    op->req = r;
    op->limits = mem_alloc((r->n_containers + 2) * sizeof *op->limits);
    add(op, sb->cgroup, r->pod_meanwhile);
    for (size_t i = 0; i < r->n_containers; i++) {
        const struct oci_container *c = oci_container_find(rt, r->containers[i].id);

        if (c != NULL && c->state == CT_RUNNING) /* what has ended meanwhile needs none */
            add(op, c->cgroup, r->containers[i].resources);
    }
    add(op, sb->cgroup, r->pod);
    op->work = (struct loop_work){ .fn = resize_fn, .done = resize_done };
    oci_pin(rt);
    loop_work(rt->loop, &op->work);
}
