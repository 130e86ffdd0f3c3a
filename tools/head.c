/* tools/head.c: coracle head: one member of the control plane: Raft, store and API, and, while it leads, the
 * scheduler and the controllers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "api/server.h"
#include "ctrl/controllers.h"
#include "ctrl/indexes.h"
#include "net/log.h"
#include "net/trim.h"
#include "sched/scheduler.h"
#include "node/files.h"
#include "tools/flags.h"
#include "api/audit/audit.h"
#include "tools/head_admission.h"
#include "tools/head_audit.h"
#include "tools/head_auth.h"
#include "tools/head_etcd.h"
#include "tools/head_identity.h"
#include "tools/head_store.h"
#include "tools/limits.h"
#include "tools/version.h"

#define HEAD_PATIENCE_MS 700                     /* asked to end: for handover and requests in flight */

struct head_flags {
    int64_t verbosity, ready_fd;
    struct head_identity self;
    bool join;
    const char *name, *api_url, *data, *listen, *listen_peer, *advertise;
    struct flag_strings heads;
    const char *client_ca, *tls_cert, *tls_key, *peer_ca, *peer_cert, *peer_key, *peer_org;
    const char *node_ca, *node_cert, *node_key;
    const char *sa_pub, *sa_key, *issuer, *token_file, *service_cidr, *node_ports;
    struct head_admission_flags admission;
    struct head_audit_flags audit;
    uint64_t heartbeat_ms, election_ms, monitor_period_ms, monitor_grace_ms;
    int64_t terminated_pod_gc;
    struct head_store_flags keep;
    bool no_sched, no_ctrl;
    struct head_etcd_flags etcd;
    struct head_auth_flags auth;
};

/* The running head.  Contexts and PEM texts outlive all that uses them. */
struct head {
    struct head_flags f;
    struct loop *loop;
    struct disk *disk;
    struct store *store;
    struct api *api;                             /* NULL: store-only, or closed */
    struct etcd *etcd;                           /* NULL: not asked for */
    struct client *sched_client, *ctrl_client;
    struct shared *shared;                       /* what scheduler and controllers see of the cluster */
    struct scheduler *sched;
    struct controllers *ctrl;
    struct tls_ctx *tls_api, *tls_peer_server, *tls_peer_client, *tls_node, *tls_etcd;
    struct buf ca, sa_pub, tokens, sa_key, admission, audit;
    struct raft_change handover;
    struct timer patience;
    struct ready_item removed;
    struct arena arena;                          /* texts of our own */
    bool stopping, at_once;
    int  status;
};

static void head_say(struct head *h, const char *line)
{
    if (h->f.ready_fd < 0)
        return;
    if (write((int)h->f.ready_fd, line, strlen(line)) < 0)
        h->f.ready_fd = -1;                      /* who wanted to know is gone */
}

/* ---- Leading -------------------------------------------------------------------------------------- */

/* What scheduler and controllers decide is the leader's word: what comes late must not reach the next. */
static void head_start_leading(struct head *h, uint64_t term)
{
    static const char *const groups[] = { "system:authenticated", NULL };
    struct scheduler_opts so = { 0 };
    struct controllers_opts co = { .ca_pem = buf_str(&h->ca),
                                   .node_monitor_period_ms = h->f.monitor_period_ms,
                                   .node_monitor_grace_ms = h->f.monitor_grace_ms,
                                   .terminated_pod_gc_threshold = (unsigned)h->f.terminated_pod_gc };

    api_bootstrap(h->api);
    if (!h->f.no_ctrl) {
        co.client = h->ctrl_client = client_new_local(h->api, h->loop, "system:kube-controller-manager",
                                                      groups);
        client_lead(h->ctrl_client, term);
        co.shared = so.shared = h->shared = shared_new(h->ctrl_client, ctrl_indexes);
        h->ctrl = controllers_start(&co);
    }
    if (!h->f.no_sched) {
        so.client = h->sched_client = client_new_local(h->api, h->loop, "system:kube-scheduler", groups);
        client_lead(h->sched_client, term);
        h->sched = scheduler_start(&so);
    }
    head_say(h, "leading\n");
}

static void head_stop_leading(struct head *h)
{
    scheduler_stop(h->sched);
    controllers_stop(h->ctrl);
    shared_free(h->shared);
    if (h->sched_client != NULL)
        client_free(h->sched_client);
    if (h->ctrl_client != NULL)
        client_free(h->ctrl_client);
    h->sched = NULL;
    h->ctrl = NULL;
    h->shared = NULL;
    h->sched_client = h->ctrl_client = NULL;
}

static void head_on_leading(void *arg, bool leader)
{
    struct head *h = arg;
    struct raft_status st;

    log_info("head", "%s", leader ? "leads the cluster now" : "follows now");
    raft_status(store_raft(h->store), &st);
    if (leader && h->api != NULL && !h->stopping)
        head_start_leading(h, st.term);
    else
        head_stop_leading(h);
}

/* ---- Stopping: leadership handed over, API drained, store closed ------------------------------------ */

static void head_on_store_closed(void *arg)
{
    struct head *h = arg;
    loop_stop(h->loop);
}

static void head_on_api_closed(void *arg)
{
    struct head *h = arg;
    h->api = NULL;
    timer_stop(&h->patience);
    store_close(h->store, head_on_store_closed, h);
}

static void head_on_etcd_closed(void *arg)
{
    struct head *h = arg;
    h->etcd = NULL;
    if (h->api != NULL)
        api_close(h->api, head_on_api_closed, h);
    else
        head_on_api_closed(h);
}

static void head_close(struct head *h)
{
    head_stop_leading(h);
    if (h->etcd != NULL)
        etcd_close(h->etcd, head_on_etcd_closed, h);
    else
        head_on_etcd_closed(h);
}

/* What still waits for a leader, or for a majority, waits in vain: the others may be ending, too. */
static void head_on_impatient(struct timer *t)
{
    raft_give_up(store_raft(container_of(t, struct head, patience)->store));
}

/* Somebody else leads, or nobody took over in time: the others will have to find out by themselves then. */
static void head_on_handed_over(struct raft_change *c, int err, const char *reason, uint64_t id)
{
    struct head *h = container_of(c, struct head, handover);

    if (err == 0)
        log_info("head", "head %llu leads now", (unsigned long long)id);
    else
        log_warn("head", "leadership is not handed over: %s", reason);
    head_close(h);
}

static void head_on_signal(void *arg, int signum)
{
    struct raft_change_spec transfer = { .op = RAFT_TRANSFER };
    struct head *h = arg;
    struct raft_status st;

    if (h->stopping) {                           /* asked twice: at once, as if killed */
        h->at_once = true;
        loop_stop(h->loop);
        return;
    }
    h->stopping = true;
    timer_start(&h->patience, HEAD_PATIENCE_MS);
    log_info("head", "stopping on signal %d", signum);
    raft_status(store_raft(h->store), &st);
    if (!st.is_leader) {
        head_close(h);
        return;
    }
    h->handover.done = head_on_handed_over;
    raft_change(store_raft(h->store), &h->handover, &transfer);
}

/* Nothing here will be true any more: end, and in a way that whoever started us can tell. */
static void head_on_removed_end(struct ready_item *it)
{
    struct head *h = container_of(it, struct head, removed);

    log_error("head",
              "head %lld was removed from the cluster \"%s\": it ends for good, %s can be deleted; "
              "a head that comes back is a new one (coracle member add)",
              (long long)h->f.self.id, h->f.self.cluster, h->f.data);
    h->status = HEAD_REMOVED_STATUS;
    if (h->stopping || h->api == NULL)
        return;
    h->stopping = true;
    head_close(h);
}

static void head_on_removed(void *arg)
{
    struct head *h = arg;

    ready_post(h->loop, &h->removed);            /* not from within the store's turn */
}

/* ---- Starting ------------------------------------------------------------------------------------- */

/* also_ca: peers that it signed are let in, too, and told apart by it; NULL: there is none. */
static int head_tls_also(const char *ca, const char *also_ca, const char *cert, const char *key, bool server,
                         bool optional, struct tls_ctx **ret, struct errbuf *err)
{
    struct buf ca_pem = BUF_INIT, cert_pem = BUF_INIT, key_pem = BUF_INIT;
    struct tls_opts o = { .server = server,
                          .client_cert_optional = optional,
                          .no_tickets = also_ca != NULL,
                          .alpn = server && optional ? "h2,http/1.1" : NULL };
    int rc = 0;

    if (ca != NULL)
        rc = file_read(ca, TOOLS_FILE_MAX, &ca_pem, err);
    if (rc == 0 && also_ca != NULL) {
        buf_char(&ca_pem, '\n');
        rc = file_read(also_ca, TOOLS_FILE_MAX, &ca_pem, err);
    }
    if (rc == 0 && cert != NULL)
        rc = file_read(cert, TOOLS_FILE_MAX, &cert_pem, err);
    if (rc == 0 && key != NULL)
        rc = file_read(key, TOOLS_FILE_MAX, &key_pem, err);
    if (rc == 0) {
        o.ca_pem = buf_str(&ca_pem);
        o.cert_pem = buf_str(&cert_pem);
        o.key_pem = buf_str(&key_pem);
        rc = tls_ctx_new(&o, ret, err);
    }
    buf_release(&ca_pem);
    buf_release(&cert_pem);
    buf_release(&key_pem);
    return rc;
}

static int head_tls(const char *ca, const char *cert, const char *key, bool server, bool optional,
                    struct tls_ctx **ret, struct errbuf *err)
{
    return head_tls_also(ca, NULL, cert, key, server, optional, ret, err);
}

/* A store-only head that only this machine reaches needs no certificates. */
static bool head_is_plain(const struct head_flags *f)
{
    struct str peer = str_of(f->listen_peer);

    return f->etcd.only && f->peer_cert == NULL && f->peer_ca == NULL
           && (str_starts(peer, STR("127.")) || str_starts(peer, STR("[::1]:")));
}

static int head_open_tls(struct head *h, struct errbuf *err)
{
    const struct head_flags *f = &h->f;
    int rc;

    if (head_is_plain(f))
        return 0;
    if (!f->etcd.only && (rc = head_tls_also(f->client_ca, f->auth.proxy_ca, f->tls_cert, f->tls_key, true,
                                             true, &h->tls_api, err)) != 0)
        return err_wrap(err, rc, "TLS of the API");
    if ((rc = head_tls(f->peer_ca, f->peer_cert, f->peer_key, true, false, &h->tls_peer_server, err)) != 0 ||
        (rc = head_tls(f->peer_ca, f->peer_cert, f->peer_key, false, false, &h->tls_peer_client, err)) != 0)
        return err_wrap(err, rc, "TLS between heads");
    if (f->node_ca != NULL &&
        (rc = head_tls(f->node_ca, f->node_cert, f->node_key, false, false, &h->tls_node, err)) != 0)
        return err_wrap(err, rc, "TLS to nodes");
    if (f->client_ca != NULL && (rc = file_read(f->client_ca, TOOLS_FILE_MAX, &h->ca, err)) != 0)
        return rc;
    if (f->sa_pub != NULL && (rc = file_read(f->sa_pub, TOOLS_FILE_MAX, &h->sa_pub, err)) != 0)
        return rc;
    if (f->token_file != NULL && (rc = file_read(f->token_file, TOOLS_FILE_MAX, &h->tokens, err)) != 0)
        return rc;
    if (f->admission.file != NULL &&
        (rc = file_read(f->admission.file, TOOLS_FILE_MAX, &h->admission, err)) != 0)
        return rc;
    if (f->audit.policy != NULL && (rc = file_read(f->audit.policy, TOOLS_FILE_MAX, &h->audit, err)) != 0)
        return rc;
    return f->sa_key != NULL ? file_read(f->sa_key, TOOLS_FILE_MAX, &h->sa_key, err) : 0;
}

/* "1=127.0.0.1:2380": id and address; the text stays the flag's. */
static int head_parse_peers(const struct flag_strings *in, struct raft_peer_opts *ret, struct errbuf *err)
{
    for (unsigned i = 0; i < in->n; i++) {
        struct str s = str_of(in->v[i]);
        ptrdiff_t eq = str_find(s, '=');
        if (eq <= 0 || !str_u64(str_upto(s, (size_t)eq), &ret[i].id) || ret[i].id == 0)
            return err_set(err, E_INVALID, "--head %s: must be ID=HOST:PORT with a number above 0", in->v[i]);
        ret[i].addr = in->v[i] + eq + 1;
    }
    return 0;
}

/* Number, cluster, and what the others and clients are told of us. */
static int head_identify(struct head *h, struct errbuf *err)
{
    struct head_flags *f = &h->f;
    int rc = head_identity_load(&h->arena, f->data, f->join, &f->self, err);

    if (rc != 0)
        return rc;
    if (f->join && f->heads.n > 0)
        return err_set(err, E_INVALID,
                       "--join and --head exclude each other: a running cluster tells who belongs to it");
    if (!f->self.known && !f->join && f->heads.n == 0)
        return err_set(err, E_INVALID,
                       "%s is new: name the heads of a new cluster (--head), or let this one --join",
                       f->data);
    if (f->name == NULL)
        f->name = arena_fmt(&h->arena, "head-%lld", (long long)f->self.id).p;
    if (f->advertise != NULL)
        f->api_url = arena_fmt(&h->arena, "https://%s", f->advertise).p;
    else
        f->api_url = arena_fmt(&h->arena, "https://%.*s", (int)strcspn(f->listen, ","), f->listen).p;
    return 0;
}

static int head_open_store(struct head *h, struct errbuf *err)
{
    struct raft_peer_opts peers[FLAG_MAX_STRINGS];
    unsigned char digest[32];
    struct store_opts o = { .on_leading = head_on_leading, .on_removed = head_on_removed, .arg = h };
    int rc = head_parse_peers(&h->f.heads, peers, err);

    if (rc != 0 || (rc = head_identify(h, err)) != 0 || (rc = head_store_opts(&h->f.keep, &o, err)) != 0)
        return rc;
    if ((rc = disk_open(h->loop, h->f.data, &h->disk, err)) != 0 ||
        (rc = head_identity_save(h->f.data, &h->f.self, err)) != 0)
        return rc;
    pki_sha256(str_of(h->f.self.cluster), digest);
    o.version = CORACLE_GIT_VERSION;
    o.raft.loop = h->loop;
    o.raft.disk = h->disk;
    o.raft.id = (uint64_t)h->f.self.id;
    o.raft.join = h->f.join;
    o.raft.name = h->f.name;
    o.raft.api_url = h->f.etcd.only ? NULL : h->f.api_url;
    memcpy(&o.raft.cluster, digest, sizeof o.raft.cluster);
    o.raft.heads = peers;
    o.raft.n_heads = h->f.heads.n;
    o.raft.listen_addr = h->f.listen_peer;
    o.raft.client_url = h->f.etcd.client_urls != NULL ? h->f.etcd.client_urls : h->f.etcd.listen_urls;
    o.raft.tls_server = h->tls_peer_server;
    o.raft.tls_client = h->tls_peer_client;
    o.raft.peer_organization = h->f.peer_org;
    o.raft.heartbeat_ms = (unsigned)h->f.heartbeat_ms;
    o.raft.election_min_ms = (unsigned)h->f.election_ms;
    o.raft.election_max_ms = (unsigned)h->f.election_ms * 2;
    return store_open(&o, &h->store, err);
}

static int head_open_api(struct head *h, struct errbuf *err)
{
    const struct head_audit_flags *f = &h->f.audit;
    struct audit_opts audit = {
        .policy = buf_str(&h->audit), .log_path = f->path, .log_max_mb = (uint64_t)MAX_OF(f->max_mb, 0),
        .log_max_backups = (uint64_t)MAX_OF(f->max_backups, 0),
        .log_max_age_days = (uint64_t)MAX_OF(f->max_days, 0),
    };
    char host[256] = "";
    struct api_opts o = {
        .loop = h->loop,
        .store = h->store,
        .listen_addr = h->f.listen,
        .tls = h->tls_api,
        .node_tls = h->tls_node,
        .service_account_key_pem = buf_str(&h->sa_key),
        .service_account_pub_pem = buf_str(&h->sa_pub),
        .issuer = h->f.issuer,
        .ca_pem = buf_str(&h->ca),
        .service_cidr = h->f.service_cidr,
        .node_ports = h->f.node_ports,
        .token_lines = buf_str(&h->tokens),
        .enable_admission = h->f.admission.enable,
        .disable_admission = h->f.admission.disable,
        .admission_config = buf_str(&h->admission),
        .audit = &audit,
        .version = CORACLE_GIT_VERSION,
        .cluster = h->f.self.cluster,
    };
    int rc;

    if (h->f.advertise != NULL) {
        const char *colon = strrchr(h->f.advertise, ':');
        if (colon == NULL || (size_t)(colon - h->f.advertise) >= sizeof host)
            return err_set(err, E_INVALID, "--advertise-address %s: must be HOST:PORT", h->f.advertise);
        memcpy(host, h->f.advertise, (size_t)(colon - h->f.advertise));
        o.advertise_host = host;
        o.advertise_port = (unsigned)atoi(colon + 1);
    }
    rc = head_auth_load(&h->arena, &h->f.auth, &o, err);
    return rc == 0 ? api_open(&o, &h->api, err) : rc;
}

static int head_open_etcd(struct head *h, struct errbuf *err)
{
    const struct head_flags *f = &h->f;
    struct head_etcd_files files = { f->client_ca, f->tls_cert, f->tls_key };
    struct etcd_opts o = { .loop = h->loop, .store = h->store, .member = (uint64_t)f->self.id,
                           .name = f->name,
                           .peer_tls = h->tls_peer_server != NULL };
    unsigned char digest[32];

    pki_sha256(str_of(f->self.cluster), digest);
    memcpy(&o.cluster, digest, sizeof o.cluster);
    return head_etcd_open(&f->etcd, &files, &o, &h->tls_etcd, &h->etcd, err);
}

static int head_start(struct head *h, struct errbuf *err)
{
    char line[300];
    const char *addr;
    int  rc;

    if (h->f.etcd.only && h->f.etcd.listen_urls == NULL)
        return err_set(err, E_INVALID, "--etcd-only needs --listen-client-urls");
    if ((rc = head_open_tls(h, err)) != 0 || (rc = head_open_store(h, err)) != 0 ||
        (!h->f.etcd.only && (rc = head_open_api(h, err)) != 0) || (rc = head_open_etcd(h, err)) != 0)
        return rc;
    addr = h->api != NULL ? api_addr(h->api) : etcd_addr(h->etcd);
    loop_on_signal(h->loop, SIGTERM, head_on_signal, h);
    loop_on_signal(h->loop, SIGINT, head_on_signal, h);
    snprintf(line, sizeof line, "serving %s\n", addr);
    head_say(h, line);
    log_info("head", "head %lld serves the API on %s", (long long)h->f.self.id, addr);
    return 0;
}

static void head_release(struct head *h)
{
    disk_close(h->disk);
    tls_ctx_free(h->tls_api);
    tls_ctx_free(h->tls_peer_server);
    tls_ctx_free(h->tls_peer_client);
    tls_ctx_free(h->tls_node);
    tls_ctx_free(h->tls_etcd);
    buf_release(&h->ca);
    buf_release(&h->sa_pub);
    buf_release(&h->tokens);
    buf_release(&h->admission);
    buf_release(&h->audit);
    buf_release(&h->sa_key);
    arena_release(&h->arena);
}

/* 0, or the exit status of what cannot be. */
static int head_parse(struct head_flags *f, int argc, char **argv)
{
    const struct flag flags[] = {
        { "id", NULL, FLAG_INT, &f->self.id, "N",
          "this head's number in the cluster (default: as DIR has it, or 1)" },
        { "cluster", NULL, FLAG_STRING, &f->self.cluster, "NAME",
          "heads of another name are refused (default: as DIR has it, or coracle)" },
        { "name", NULL, FLAG_STRING, &f->name, "NAME", "what people call this head (default head-ID)" },
        { "join", NULL, FLAG_BOOL, &f->join, NULL,
          "wait to be called by the cluster that this head was added to (coracle member add)" },
        { "data", NULL, FLAG_STRING, &f->data, "DIR", "log and snapshots" },
        { "head", NULL, FLAG_STRINGS, &f->heads, "ID=HOST:PORT",
          "a member of the control plane, itself included; used when DIR is empty" },
        { "listen", NULL, FLAG_STRING, &f->listen, "HOST:PORT",
          "where the API is served; several separated by commas" },
        { "listen-peer", NULL, FLAG_STRING, &f->listen_peer, "HOST:PORT", "where other heads connect" },
        { "advertise-address", NULL, FLAG_STRING, &f->advertise, "HOST:PORT",
          "what the kubernetes service points to" },
        { "client-ca-file", NULL, FLAG_STRING, &f->client_ca, "FILE", "CA of client certificates" },
        { "tls-cert-file", NULL, FLAG_STRING, &f->tls_cert, "FILE", "certificate of the API" },
        { "tls-private-key-file", NULL, FLAG_STRING, &f->tls_key, "FILE", "its key" },
        { "peer-trusted-ca-file", NULL, FLAG_STRING, &f->peer_ca, "FILE", "CA of the heads" },
        { "peer-cert-file", NULL, FLAG_STRING, &f->peer_cert, "FILE",
          "this head's certificate towards heads" },
        { "peer-key-file", NULL, FLAG_STRING, &f->peer_key, "FILE", "its key" },
        { "peer-cert-allowed-organization", NULL, FLAG_STRING, &f->peer_org, "NAME",
          "heads' certificates must carry it; for a CA that others share" },
        { "kubelet-certificate-authority", NULL, FLAG_STRING, &f->node_ca, "FILE",
          "CA of the nodes' servers" },
        { "kubelet-client-certificate", NULL, FLAG_STRING, &f->node_cert, "FILE",
          "certificate shown to nodes" },
        { "kubelet-client-key", NULL, FLAG_STRING, &f->node_key, "FILE", "its key" },
        { "service-account-key-file", NULL, FLAG_STRING, &f->sa_pub, "FILE",
          "public key that service account tokens verify with" },
        { "service-account-signing-key-file", NULL, FLAG_STRING, &f->sa_key, "FILE", "key that signs them" },
        { "service-account-issuer", NULL, FLAG_STRING, &f->issuer, "URL", "issuer named in them" },
        { "token-auth-file", NULL, FLAG_STRING, &f->token_file, "FILE",
          "static bearer tokens: token,user,uid,\"group1,group2\" a line" },
        HEAD_ADMISSION_FLAGS(f->admission)
        HEAD_AUDIT_FLAGS(f->audit)
        { "service-cluster-ip-range", NULL, FLAG_STRING, &f->service_cidr, "CIDRS", "services' addresses" },
        { "service-node-port-range", NULL, FLAG_STRING, &f->node_ports, "A-B", "services' ports on nodes" },
        { "heartbeat-interval", NULL, FLAG_DURATION_MS, &f->heartbeat_ms, "TIME",
          "between heads (default 50ms)" },
        { "election-timeout", NULL, FLAG_DURATION_MS, &f->election_ms, "TIME",
          "shortest silence before an election (default 200ms)" },
        HEAD_STORE_FLAGS(f->keep)
        { "node-monitor-period", NULL, FLAG_DURATION_MS, &f->monitor_period_ms, "TIME",
          "while no node is heard of: how often to look whether pods may be evicted again (default 5s); "
          "silence itself is noticed at once" },
        { "node-monitor-grace-period", NULL, FLAG_DURATION_MS, &f->monitor_grace_ms, "TIME",
          "silence before a node is not ready (default 40s)" },
        { "terminated-pod-gc-threshold", NULL, FLAG_INT, &f->terminated_pod_gc, "N",
          "ended pods that are kept (default 12500)" },
        { "no-scheduler", NULL, FLAG_BOOL, &f->no_sched, NULL, "leave scheduling to another scheduler" },
        { "no-controllers", NULL, FLAG_BOOL, &f->no_ctrl, NULL,
          "leave the controllers to another controller manager" },
        HEAD_ETCD_FLAGS(f->etcd)
        HEAD_AUTH_FLAGS(f->auth)
        { "ready-fd", NULL, FLAG_INT, &f->ready_fd, "FD",
          "write \"serving ADDR\" and \"leading\" lines to this descriptor" },
        { "v", "v", FLAG_INT, &f->verbosity, "N", "4 and above: debug lines" },
    };

    if (flags_parse(&cmd_head, flags, ARRAY_LEN(flags), argc, argv) > 0)
        return fail(&cmd_head, "takes no arguments, got \"%s\"", argv[1]);
    if (f->self.id < 0 || f->heads.n > RAFT_MAX_HEADS)
        return fail(&cmd_head, "--id must be above 0, and at most %d --head", RAFT_MAX_HEADS);
    return 0;
}

static int head_run(int argc, char **argv)
{
    struct head h = { .f = { .ready_fd = -1, .data = "/var/lib/coracle/head",
                             .listen = "127.0.0.1:6443",
                             .listen_peer = "127.0.0.1:2380", .audit = HEAD_AUDIT_DEFAULTS,
                             .auth = HEAD_AUTH_DEFAULTS },
                      .ca = BUF_INIT, .sa_pub = BUF_INIT, .sa_key = BUF_INIT };
    struct trim trim;
    struct errbuf err = { "" };

    if (head_parse(&h.f, argc, argv) != 0)
        return 1;
    if (h.f.verbosity >= 4)
        log_level = LOG_DEBUG;
    limits_raise_files();                        /* each watch is a connection */
    h.loop = loop_new_real();
    arena_init(&h.arena);
    ready_init(&h.removed, head_on_removed_end);
    timer_init(&h.patience, h.loop, head_on_impatient);
    if (head_start(&h, &err) != 0)
        return fail(&cmd_head, "%s", err.s);
    trim_start(&trim, h.loop);
    loop_run(h.loop);
    trim_stop(&trim);
    if (!h.at_once)                              /* else files and connections are in use still */
        head_release(&h);
    return h.status;
}

const struct command cmd_head = {
    "head",
    "head [flags]",
    "Run one head: API, store and, on the leader, scheduler and controllers",
    "Runs one head of the control plane.  An odd number of heads (1, 3, 5) keep the cluster's state "
    "together;\n"
    "each serves the whole API, and the one that leads also schedules and runs the controllers.\n"
    "SIGTERM hands leadership over and ends after the requests in flight.  A head that was removed from its\n"
    "cluster ends with status 3.",
    head_run,
};
