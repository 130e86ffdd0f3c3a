/* tools/head_identity.c: see tools/head_identity.h. */
#include "api/json.h"
#include "node/files.h"
#include "tools/flags.h"
#include "tools/head_identity.h"

#define IDENTITY_FILE "head.json"

static int identity_check(const char *dir, int64_t id, struct str cluster, const struct head_identity *given,
                          struct errbuf *err)
{
    if (given->id != 0 && given->id != id)
        return err_set(err, E_INVALID, "%s holds the data of head %lld, not of head %lld (--id)", dir,
                       (long long)id, (long long)given->id);
    if (given->cluster != NULL && !str_is(cluster, given->cluster))
        return err_set(err, E_INVALID, "%s belongs to the cluster \"%.*s\", not to \"%s\" (--cluster)", dir,
                       STR_ARG(cluster), given->cluster);
    return 0;
}

static int identity_parse(struct arena *a, const char *dir, struct str text, struct head_identity *id,
                          struct errbuf *err)
{
    struct json_error bad;
    struct json *j;
    struct str cluster;
    int rc = json_parse(a, arena_str(a, text), &j, &bad);
    int64_t n;

    if (rc != 0)
        return err_set(err, E_CORRUPT, "%s/" IDENTITY_FILE ": %s", dir, bad.text);
    n = json_i64_or(json_getz(j, "id"), 0);
    cluster = json_str(json_getz(j, "cluster"));
    if (n <= 0 || cluster.n == 0)
        return err_set(err, E_CORRUPT, "%s/" IDENTITY_FILE ": must hold \"id\" and \"cluster\"", dir);
    if ((rc = identity_check(dir, n, cluster, id, err)) != 0)
        return rc;
    id->known = true;
    id->id = n;
    id->cluster = arena_cstr(a, cluster);
    return 0;
}

int head_identity_load(struct arena *a, const char *dir, bool joins, struct head_identity *id,
                       struct errbuf *err)
{
    struct buf text = BUF_INIT;
    struct file_path path;
    int rc = file_path(&path, err, "%s/" IDENTITY_FILE, dir);

    if (rc == 0 && file_exists(path.s)) {
        rc = file_read(path.s, TOOLS_FILE_MAX, &text, err);
        if (rc == 0)
            rc = identity_parse(a, dir, buf_str(&text), id, err);
        buf_release(&text);
        return rc;
    }
    if (rc == 0 && joins && id->id == 0)
        return err_set(err, E_INVALID, "--join needs --id: the number that coracle member add gave");
    if (id->id == 0)
        id->id = 1;
    if (id->cluster == NULL)
        id->cluster = "coracle";
    return rc;
}

int head_identity_save(const char *dir, const struct head_identity *id, struct errbuf *err)
{
    struct buf text = BUF_INIT;
    struct file_path path;
    int rc = file_path(&path, err, "%s/" IDENTITY_FILE, dir);

    if (rc != 0 || file_exists(path.s))
        return rc;
    buf_fmt(&text, "{\"id\":%lld,\"cluster\":", (long long)id->id);
    json_write_string(&text, str_of(id->cluster));
    buf_z(&text, "}\n");
    rc = file_replace(path.s, buf_str(&text), 0600, true, err);
    buf_release(&text);
    return rc;
}
