/* node/oci_seccomp.c: see oci_seccomp.h.
 *
 * The profile names what is taken away: calls on the machine as a whole, on other processes, and parts of the
 * kernel that are hard to get right and that programs in containers do without.  Each row says which
 * capability gives its calls back; a container that was given it was given it for them.  All else is allowed,
 * so that no program fails for a call newer than this list. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include "node/oci_seccomp.h"

#define NEVER (-1)

static const struct row { int cap; const char *calls; } rows[] = {
    { NEVER,               "add_key request_key keyctl kexec_load kexec_file_load nfsservctl sysfs uselib "
                           "ustat userfaultfd vm86 vm86old get_kernel_syms query_module create_module "
                           "lookup_dcookie _sysctl" },
    { CAP_SYS_ADMIN,       "mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig "
                           "fsmount fspick pivot_root setns unshare quotactl quotactl_fd swapon swapoff "
                           "setdomainname sethostname fanotify_init" },
    { CAP_BPF,             "bpf" },
    { CAP_PERFMON,         "perf_event_open" },
    { CAP_SYS_BOOT,        "reboot" },
    { CAP_SYS_MODULE,      "init_module finit_module delete_module" },
    { CAP_SYS_PACCT,       "acct" },
    { CAP_SYS_PTRACE,      "kcmp process_madvise pidfd_getfd" },
    { CAP_SYS_RAWIO,       "iopl ioperm" },
    { CAP_SYS_TIME,        "settimeofday stime clock_settime clock_settime64 adjtimex clock_adjtime "
                           "clock_adjtime64" },
    { CAP_SYS_TTY_CONFIG,  "vhangup" },
    { CAP_SYS_NICE,        "get_mempolicy set_mempolicy mbind migrate_pages move_pages "
                           "set_mempolicy_home_node" },
    { CAP_SYSLOG,          "syslog" },
    { CAP_DAC_READ_SEARCH, "open_by_handle_at" },
};

static struct json *refuse(struct arena *a, struct json *list, const char *calls, int error)
{
    struct json *o = json_push(list, json_object(a)), *names = json_setz(a, o, "names", json_array(a));
    struct str rest = str_of(calls), name;

    while (str_split(&rest, ' ', &name))
        json_push(names, json_string(a, name));
    json_setz(a, o, "action", json_string(a, STR("SCMP_ACT_ERRNO")));
    json_setz(a, o, "errnoRet", json_int(a, error));
    return o;
}

/* clone() with a flag that makes a user namespace, in which a process has every capability; of clone3() the
 * flags cannot be seen, so programs are told to fall back to clone(). */
static void refuse_user_namespaces(struct arena *a, struct json *list)
{
    struct json *o = refuse(a, list, "clone", EPERM),
                *arg = json_push(json_setz(a, o, "args", json_array(a)), json_object(a));

    json_setz(a, arg, "index", json_int(a, 0));
    json_setz(a, arg, "value", json_int(a, CLONE_NEWUSER));
    json_setz(a, arg, "valueTwo", json_int(a, CLONE_NEWUSER));
    json_setz(a, arg, "op", json_string(a, STR("SCMP_CMP_MASKED_EQ")));
    refuse(a, list, "clone3", ENOSYS);
}

struct json *oci_seccomp_default(struct arena *a, uint64_t caps)
{
    struct json *o = json_object(a), *list;

    json_setz(a, o, "defaultAction", json_string(a, STR("SCMP_ACT_ALLOW")));
    list = json_setz(a, o, "syscalls", json_array(a));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].cap == NEVER || (caps & 1ull << rows[i].cap) == 0)
            refuse(a, list, rows[i].calls, EPERM);
    if ((caps & 1ull << CAP_SYS_ADMIN) == 0)
        refuse_user_namespaces(a, list);
    return o;
}
