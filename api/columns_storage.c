/* api/columns_storage.c: kubectl get volumes, claims, drivers and quotas. */
#include <stdlib.h>
#include "api/columns.h"

schema_column_fn column_volume_status, column_volume_claim, column_volume_class, column_quota_requests,
    column_quota_limits;
schema_cell_fn cell_of_access_modes, cell_of_audiences;

void column_volume_status(struct buf *out, const struct json *obj, int64_t now_s)
{
    bool ending = json_path_str(obj, "metadata.deletionTimestamp").n > 0;
    cell_text(out, ending ? STR("Terminating") : json_path_str(obj, "status.phase"));
}

void column_volume_claim(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *ref = json_path(obj, "spec.claimRef");
    struct buf text = BUF_INIT;

    if (ref != NULL)
        buf_fmt(&text, "%.*s/%.*s", STR_ARG(json_str(json_getz(ref, "namespace"))),
                STR_ARG(json_str(json_getz(ref, "name"))));
    cell_text(out, buf_str(&text));
    buf_release(&text);
}

void column_volume_class(struct buf *out, const struct json *obj, int64_t now_s)
{
    const struct json *old = json_getz(json_path(obj, "metadata.annotations"),
                                       "volume.beta.kubernetes.io/storage-class");
    cell_text(out, old != NULL ? json_str(old) : json_path_str(obj, "spec.storageClassName"));
}

void cell_of_access_modes(struct buf *out, const struct json *v, int64_t now_s)
{
    static const struct { const char *mode, *brief;
    } modes[] = {
        { "ReadWriteOnce", "RWO" },
        { "ReadOnlyMany", "ROX" },
        { "ReadWriteMany", "RWX" },
        { "ReadWriteOncePod", "RWOP" },
    };
    struct joined j = { BUF_INIT };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        bool has = false;

        json_each(m, v)
            has |= str_is(json_str(m), modes[i].mode);
        if (has)
            joined_add(&j, str_of(modes[i].brief));
    }
    cell_text(out, buf_str(&j.text));
    buf_release(&j.text);
}

void cell_of_audiences(struct buf *out, const struct json *v, int64_t now_s)
{
    struct joined j = { BUF_INIT };

    joined_members(&j, v, "audience");
    cell_text(out, v != NULL && v->n > 0 ? buf_str(&j.text) : STR("<unset>"));
    buf_release(&j.text);
}

/* ---- quotas ------------------------------------------------------------------------------------- */

static int by_key(const void *x, const void *y)
{
    return str_cmp((*(const struct json *const *)x)->key, (*(const struct json *const *)y)->key);
}

/* "cpu: 1/4, memory: 1Gi/8Gi": what is used of what there may be, sorted by name. */
static void quota_cell(struct buf *out, const struct json *obj, bool limits)
{
    const struct json *hard = json_path(obj, "status.hard"), *used = json_path(obj, "status.used");
    struct arena a = ARENA_INIT;
    const struct json **all = arena_alloc(&a, ((hard != NULL ? hard->n : 0) + 1) * sizeof(*all));
    struct buf text = BUF_INIT;
    size_t n = 0;

    json_each(h, hard)
        if (str_starts(h->key, STR("limits.")) == limits)
            all[n++] = h;
    qsort(all, n, sizeof(*all), by_key);
    for (size_t i = 0; i < n; i++) {
        struct str u = scalar_text(json_get(used, all[i]->key));

        buf_fmt(&text, "%s%.*s: %.*s/%.*s", i > 0 ? ", " : "", STR_ARG(all[i]->key),
                STR_ARG(u.n > 0 ? u : STR("0")), STR_ARG(scalar_text(all[i])));
    }
    cell_text(out, buf_str(&text));
    buf_release(&text);
    arena_release(&a);
}

void column_quota_requests(struct buf *out, const struct json *obj, int64_t now_s)
{
    quota_cell(out, obj, false);
}
void column_quota_limits(struct buf *out, const struct json *obj, int64_t now_s)
{
    quota_cell(out, obj, true);
}
