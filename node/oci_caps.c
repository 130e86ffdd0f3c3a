/* node/oci_caps.c: see oci_caps.h. */
#include <stdlib.h>
#include "node/files.h"
#include "node/oci_caps.h"

static const char *const cap_names[] = {
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

#define BIT(n) (1ull << (n))
/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP */
static const uint64_t default_set =
    BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(10)
                                  | BIT(13) | BIT(18) | BIT(27) | BIT(29) | BIT(31);
static const uint64_t every = BIT(ARRAY_LEN(cap_names)) - 1;

const char *oci_cap_name(unsigned bit)
{
    return bit < ARRAY_LEN(cap_names) ? cap_names[bit] : NULL;
}

static int mask_of(const char *const *names, size_t n, uint64_t *ret, struct errbuf *err)
{
    for (size_t i = 0; i < n; i++) {
        struct str s = str_of(names[i]);
        uint64_t bit = str_ieq(s, STR("ALL")) ? every : 0;
        for (unsigned c = 0; c < ARRAY_LEN(cap_names) && bit == 0; c++)
            if (str_ieq(s, str_of(cap_names[c])) || str_ieq(s, str_of(cap_names[c] + 4)))
                bit = BIT(c);
        if (bit == 0)
            return err_set(err, E_INVALID, "unknown capability \"%.60s\"", names[i]);
        *ret |= bit;
    }
    return 0;
}

/* A name in both lists: adding wins over drop ALL, and drop NAME over add ALL. */
int oci_caps_resolve(const struct rt_security *sec, uint64_t ours, uint64_t *ret, struct errbuf *err)
{
    uint64_t add = 0, drop = 0;
    int rc;

    if ((rc = mask_of(sec->cap_add, sec->n_cap_add, &add, err)) < 0
        || (rc = mask_of(sec->cap_drop, sec->n_cap_drop, &drop, err)) < 0)
        return rc;
    if (sec->privileged)
        *ret = every & ours;
    else if (drop == every)
        *ret = add & ours;
    else
        *ret = ((default_set | add) & ~drop) & ours;
    return 0;
}

uint64_t oci_caps_ours(void)
{
    struct buf b = BUF_INIT;
    struct str text, line;
    uint64_t ours = 0;

    if (file_read("/proc/self/status", 64 << 10, &b, NULL) == 0) {
        text = buf_str(&b);
        while (str_split(&text, '\n', &line))
            if (str_starts(line, STR("CapBnd:"))) {
                char hex[32] = "";
                struct str v = str_trim(str_from(line, 7));
                memcpy(hex, v.p, MIN_OF(v.n, sizeof hex - 1));
                ours = strtoull(hex, NULL, 16);
            }
    }
    buf_release(&b);
    return ours;
}
