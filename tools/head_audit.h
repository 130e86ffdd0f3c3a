/* tools/head_audit.h: the flags of coracle head that say what is told of requests, and where. */
#ifndef TOOLS_HEAD_AUDIT_H
#define TOOLS_HEAD_AUDIT_H

struct head_audit_flags { const char *policy, *path; int64_t max_mb, max_backups, max_days; };
#define HEAD_AUDIT_DEFAULTS { .max_mb = 100 }

/* Rows for the table of flags. */
#define HEAD_AUDIT_FLAGS(f)                                                                             \
    { "audit-policy-file", NULL, FLAG_STRING, &(f).policy, "FILE",                                      \
      "audit.k8s.io/v1 Policy: which requests are told of, and how much" },                             \
    { "audit-log-path", NULL, FLAG_STRING, &(f).path, "FILE",                                           \
      "events go there, a line of JSON each; - is standard output" },                                   \
    { "audit-log-maxsize", NULL, FLAG_INT, &(f).max_mb, "MB",                                           \
      "a larger file is rotated (default 100)" },                                                       \
    { "audit-log-maxbackup", NULL, FLAG_INT, &(f).max_backups, "N",                                     \
      "rotated files that are kept (default: all)" },                                                   \
    { "audit-log-maxage", NULL, FLAG_INT, &(f).max_days, "DAYS",                                        \
      "how long they are kept (default: for ever)" },

#endif
