/* api/admit/plugins.c: the one table of plugins, in the order they are asked, and which of them are on. */
#include <assert.h>
#include "api/admit/plugin.h"
#include "api/yaml.h"

const struct admit_plugin *const admit_plugins[] = {
    &admit_namespace_lifecycle,
    &admit_limit_ranger,
    &admit_service_account,
    &admit_node_restriction,
    &admit_taint_nodes,
    &admit_always_pull,
    &admit_pod_security,
    &admit_pod_node_selector,
    &admit_priority,
    &admit_default_tolerations,
    &admit_event_rate_limit,
    &admit_default_storage_class,
    &admit_claim_resize,
    &admit_storage_protection,
    &admit_owner_references,
    &admit_runtime_class,
    &admit_certificate_approval,
    &admit_certificate_signing,
    &admit_certificate_subject,
    &admit_default_ingress_class,
    &admit_external_ips,
    /* Mutating webhooks before the policies, validating ones after them. */
    &admit_policies,
    &admit_resource_quota,
};
const unsigned admit_n_plugins = ARRAY_LEN(admit_plugins);

static_assert(ARRAY_LEN(admit_plugins) <= ADMIT_PLUGINS_MAX, "a bit for each");

static int find(struct str name)
{
    for (unsigned i = 0; i < admit_n_plugins; i++)
        if (str_is(name, admit_plugins[i]->name))
            return (int)i;
    return -1;
}

static int refuse_unknown(struct str name, struct errbuf *err)
{
    struct buf b = BUF_INIT;
    int        rc;

    for (unsigned i = 0; i < admit_n_plugins; i++)
        buf_fmt(&b, "%s%s", i > 0 ? ", " : "", admit_plugins[i]->name);
    rc = err_set(err, E_INVALID, "admission plugin \"%.*s\" is unknown; known are %.*s",
                 (int)MIN_OF(name.n, (size_t)80), name.p, (int)b.n, b.p);
    buf_release(&b);
    return rc;
}

/* The rows that a list of names means. */
static int read_names(const char *list, uint64_t *ret, struct errbuf *err)
{
    struct str rest = str_of(list != NULL ? list : ""), name;

    *ret = 0;
    while (str_split(&rest, ',', &name)) {
        int i;

        name = str_trim(name);
        if (name.n == 0)
            continue;
        i = find(name);
        if (i < 0)
            return refuse_unknown(name, err);
        *ret |= 1ull << i;
    }
    return 0;
}

static int choose(struct admit *t, const struct admit_opts *o, struct errbuf *err)
{
    uint64_t enable, disable, both;
    int      rc = read_names(o->enable, &enable, err);

    if (rc == 0)
        rc = read_names(o->disable, &disable, err);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < admit_n_plugins; i++)
        t->on |= (uint64_t)admit_plugins[i]->on << i;
    both = enable & disable;
    for (unsigned i = 0; i < admit_n_plugins; i++)
        if ((both >> i & 1) != 0)
            return err_set(err, E_INVALID, "admission plugin \"%s\" is both enabled and disabled",
                           admit_plugins[i]->name);
    t->on = (t->on | enable) & ~disable;
    return 0;
}

/* ---- Configuration --------------------------------------------------------------------------- */

/* What the AdmissionConfiguration says of each row. */
static int read_config(struct admit *t, struct str text, const struct json *ret[ADMIT_PLUGINS_MAX],
                       struct errbuf *err)
{
    struct json_error why;
    struct json      *whole;

    if (str_trim(text).n == 0)
        return 0;
    if (yaml_parse(&t->arena, text, &whole, &why) < 0)
        return err_set(err, E_INVALID, "admission configuration: line %u: %s", why.line, why.text);
    if (!str_is(json_str(json_getz(whole, "kind")), "AdmissionConfiguration"))
        return err_set(err, E_INVALID, "admission configuration: kind must be AdmissionConfiguration");
    json_each(it, json_getz(whole, "plugins")) {
        struct str name = json_str(json_getz(it, "name"));
        int        i = find(name);

        if (i < 0)
            return refuse_unknown(name, err);
        if (json_str(json_getz(it, "path")).n > 0)
            return err_set(err, E_INVALID, "admission configuration of %s: must stand in the file itself "
                                           "(configuration), not in another one (path)",
                           admit_plugins[i]->name);
        ret[i] = json_getz(it, "configuration");
    }
    return 0;
}

int admit_open(struct loop *loop, const struct admit_opts *o, struct admit **ret, struct errbuf *err)
{
    const struct json *config[ADMIT_PLUGINS_MAX] = { NULL };
    struct admit      *t = mem_new(struct admit);
    int                rc;

    t->loop = loop;
    rc = choose(t, o, err);
    if (rc == 0)
        rc = read_config(t, o->config, config, err);
    for (unsigned i = 0; rc == 0 && i < admit_n_plugins; i++)
        if (admit_plugins[i]->open != NULL) {
            rc = admit_plugins[i]->open(t, config[i], &t->state[i], err);
            if (rc < 0)
                err_wrap(err, rc, "admission configuration of %s", admit_plugins[i]->name);
        }
    if (rc < 0) {
        admit_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void admit_free(struct admit *t)
{
    if (t == NULL)
        return;
    for (unsigned i = 0; i < admit_n_plugins; i++)
        if (admit_plugins[i]->close != NULL && t->state[i] != NULL)
            admit_plugins[i]->close(t->state[i]);
    arena_release(&t->arena);
    mem_free(t);
}
