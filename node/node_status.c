/* node/node_status.c: the Node object: what the machine is, and how it is doing. */
#include <sys/utsname.h>
#include "api/quantity.h"
#include "api/time_fmt.h"
#include "node/files.h"
#include "node/node_report_impl.h"

#define KUBELET_VERSION "v1.33.0+coracle.0.1.0"
#define FACT_FILE_MAX   16384

/* ---- facts ------------------------------------------------------------------------------------ */

/* The trimmed contents of a file of the system; "" when it cannot be read. */
static struct str fact_file(struct arena *a, const char *path)
{
    struct buf b = BUF_INIT;
    struct str s = STR("");

    if (file_read(path, FACT_FILE_MAX, &b, NULL) == 0)
        s = arena_str(a, str_trim(buf_str(&b)));
    buf_release(&b);
    return s;
}

static struct str os_image(struct arena *a)
{
    struct str rest = fact_file(a, "/etc/os-release"), line, key = STR("PRETTY_NAME=");

    while (str_split(&rest, '\n', &line))
        if (str_starts(line, key)) {
            line = str_trim(str_from(line, key.n));
            if (line.n >= 2 && line.p[0] == '"' && line.p[line.n - 1] == '"')
                line = str_make(line.p + 1, line.n - 2);
            return line;
        }
    return STR("Linux");
}

static const char *architecture(const char *machine)
{
    static const char *const names[][2] = {
        { "x86_64", "amd64" }, { "aarch64", "arm64" },   { "armv7l", "arm" },
        { "i686", "386" },     { "riscv64", "riscv64" },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i][0], machine) == 0)
            return names[i][1];
    return machine;
}

static const char *machine_architecture(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#elif defined(__riscv)
    return "riscv64";
#elif defined(__arm__)
    return "arm";
#else
    return "unknown";
#endif
}

char *node_facts_read(const struct agent *agent)
{
    struct arena a = ARENA_INIT;
    struct json *o = json_object(&a);
    struct utsname u;
    struct buf b = BUF_INIT;
    struct str machine = fact_file(&a, "/etc/machine-id"),
               uuid = fact_file(&a, "/sys/class/dmi/id/product_uuid");
    bool known = uname(&u) == 0;

    json_setz(&a, o, "machineID", json_string(&a, machine));
    json_setz(&a, o, "systemUUID", json_string(&a, uuid.n > 0 ? uuid : machine));
    json_setz(&a, o, "bootID", json_string(&a, fact_file(&a, "/proc/sys/kernel/random/boot_id")));
    json_setz(&a, o, "kernelVersion", json_string(&a, str_of(known ? u.release : "")));
    json_setz(&a, o, "osImage", json_string(&a, os_image(&a)));
    json_setz(&a, o, "containerRuntimeVersion", json_string(&a, str_of(agent->rt->ops->version(agent->rt))));
    json_setz(&a, o, "kubeletVersion", json_string(&a, STR(KUBELET_VERSION)));
    json_setz(&a, o, "kubeProxyVersion", json_string(&a, STR("")));
    json_setz(&a, o, "operatingSystem", json_string(&a, STR("linux")));
    json_setz(&a, o, "architecture",
              json_string(&a, str_of(known ? architecture(u.machine) : machine_architecture())));
    json_write(&b, o);
    char *text = mem_strndup(buf_str(&b));
    buf_release(&b);
    arena_release(&a);
    return text;
}

/* ---- registration ----------------------------------------------------------------------------- */

static void add_labels(const struct agent *agent, struct arena *a, struct json *meta)
{
    struct json *labels = json_setz(a, meta, "labels", json_object(a));

    json_setz(a, labels, "kubernetes.io/hostname", json_string(a, str_of(agent->name)));
    json_setz(a, labels, "kubernetes.io/os", json_string(a, STR("linux")));
    json_setz(a, labels, "kubernetes.io/arch", json_string(a, str_of(machine_architecture())));
    for (char **l = agent->labels; l != NULL && *l != NULL; l++) {
        struct str value = str_of(*l), key;
        str_split(&value, '=', &key);
        json_set(a, labels, key, json_string(a, value.p != NULL ? value : STR("")));
    }
}

/* The object for POST; or the patch that makes an existing one ours. */
struct json *node_registration(const struct node_report *r, struct arena *a, bool patch)
{
    const struct agent *agent = r->agent;
    struct json *node = json_object(a), *meta = json_object(a);

    if (!patch) {
        json_setz(a, node, "apiVersion", json_string(a, STR("v1")));
        json_setz(a, node, "kind", json_string(a, STR("Node")));
        json_setz(a, meta, "name", json_string(a, str_of(agent->name)));
    }
    add_labels(agent, a, meta);
    json_setz(a, node, "metadata", meta);
    if (agent->pod_cidr != NULL) {
        struct json *spec = json_setz(a, node, "spec", json_object(a));
        json_setz(a, spec, "podCIDR", json_string(a, str_of(agent->pod_cidr)));
        json_push(json_setz(a, spec, "podCIDRs", json_array(a)), json_string(a, str_of(agent->pod_cidr)));
    }
    return node;
}

/* ---- status ----------------------------------------------------------------------------------- */

static const struct { const char *type, *good, *reason, *message;
} conditions[COND_COUNT] = {
    [COND_MEMORY] = { "MemoryPressure", "False", "KubeletHasSufficientMemory",
                      "kubelet has sufficient memory available" },
    [COND_DISK] = { "DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure" },
    [COND_PID] = { "PIDPressure", "False", "KubeletHasSufficientPID",
                   "kubelet has sufficient PID available" },
    [COND_READY] = { "Ready", "True", "KubeletReady", "kubelet is posting ready status" },
};

const char *node_condition_type(enum node_condition i) { return conditions[i].type; }
const char *node_condition_good(enum node_condition i) { return conditions[i].good; }

static void add_conditions(const struct node_report *r, struct arena *a, struct json *status, int64_t now_s)
{
    struct json *list = json_setz(a, status, "conditions", json_array(a));

    for (enum node_condition i = 0; i < COND_COUNT; i++) {
        struct json *c = json_push(list, json_object(a));
        json_setz(a, c, "type", json_string_ref(a, str_of(conditions[i].type)));
        json_setz(a, c, "status", json_string_ref(a, str_of(conditions[i].good)));
        json_setz(a, c, "reason", json_string_ref(a, str_of(conditions[i].reason)));
        json_setz(a, c, "message", json_string_ref(a, str_of(conditions[i].message)));
        json_setz(a, c, "lastTransitionTime",
                  json_string(a, time_text(a, r->since_s[i] != 0 ? r->since_s[i] : now_s)));
    }
}

static void add_heartbeats(struct arena *a, struct json *status, int64_t now_s)
{
    json_each(c, json_getz(status, "conditions"))
        json_setz(a, c, "lastHeartbeatTime", json_string(a, time_text(a, now_s)));
}

static void add_resources(const struct agent *agent, struct arena *a, struct json *list)
{
    struct quantity cpu = quantity_make_milli(agent->cpu_millis, QUANTITY_DECIMAL_SI);

    json_setz(a, list, "cpu", json_string(a, quantity_text(a, cpu)));
    json_setf(a, list, "memory", "%lldKi", (long long)(agent->memory_bytes / 1024));
    json_setf(a, list, "ephemeral-storage", "%lldKi", (long long)(agent->storage_bytes / 1024));
    json_setf(a, list, "pods", "%u", agent->max_pods);
}

static void add_addresses(const struct agent *agent, struct arena *a, struct json *status)
{
    const char *const v[][2] = { { "InternalIP", agent->node_ip }, { "Hostname", agent->name } };
    struct json *list = json_setz(a, status, "addresses", json_array(a));

    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        if (v[i][1] == NULL)
            continue;
        struct json *o = json_push(list, json_object(a));
        json_setz(a, o, "type", json_string(a, str_of(v[i][0])));
        json_setz(a, o, "address", json_string(a, str_of(v[i][1])));
    }
}

struct image_walk { struct arena *a; struct json *list; };

static void on_image(void *arg, const struct rt_image_info *i)
{
    struct image_walk *w = arg;

    if (w->list->n >= NODE_IMAGES_MAX || i->n_refs == 0)
        return;
    struct json *o = json_push(w->list, json_object(w->a)),
                *names = json_setz(w->a, o, "names", json_array(w->a));
    for (size_t k = 0; k < i->n_refs; k++)
        json_push(names, json_string(w->a, str_of(i->refs[k])));
    json_setz(w->a, o, "sizeBytes", json_int(w->a, (int64_t)i->size));
}

struct json *node_status(const struct node_report *r, struct arena *a, uint64_t *ret_hash)
{
    struct agent *agent = r->agent;
    struct json *o = json_object(a), *s = json_setz(a, o, "status", json_object(a)), *facts;
    struct json_error bad;
    struct image_walk images = { a, json_array(a) };
    int64_t now_s = agent_now_s(agent);
    struct buf text = BUF_INIT;

    add_resources(agent, a, json_setz(a, s, "capacity", json_object(a)));
    add_resources(agent, a, json_setz(a, s, "allocatable", json_object(a)));
    add_conditions(r, a, s, now_s);
    add_addresses(agent, a, s);
    must_ok(json_parse(a, str_of(r->facts), &facts, &bad));
    json_setz(a, s, "nodeInfo", facts);
    json_setz(a, json_make_path(a, s, "daemonEndpoints.kubeletEndpoint"), "Port", json_int(a, agent->port));
    agent->rt->ops->image_each(agent->rt, on_image, &images);
    json_setz(a, s, "images", images.list);
    json_write(&text, o);
    *ret_hash = str_hash(buf_str(&text));
    buf_release(&text);
    add_heartbeats(a, s, now_s);
    return o;
}
