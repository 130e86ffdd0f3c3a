/* api/amounts.h: amounts of several resources: {cpu: 500m, memory: 1Gi, pods: 3}, and what objects use.
 *
 * Names view what they were read from; the list lives in an arena. A name that is not there differs from
 * zero: nobody said anything. */
#ifndef API_AMOUNTS_H
#define API_AMOUNTS_H

#include "api/quantity.h"

struct amount { struct str name; struct quantity amount; };
struct amounts { struct arena *arena; struct amount *v; unsigned n, cap; };

static inline struct amounts amounts_make(struct arena *a) { return (struct amounts){ a, NULL, 0, 0 }; }
/* NULL: not there. Valid until something is added. */
struct quantity *amounts_get(const struct amounts *u, struct str name);
void amounts_add(struct amounts *u, struct str name, struct quantity q);
void amounts_add_count(struct amounts *u, struct str name, int64_t n);
void amounts_add_all(struct amounts *u, const struct amounts *other);
/* The larger of both, name by name. */
void amounts_max(struct amounts *u, const struct amounts *other);
/* From an object of quantities; what is none counts as zero. */
void amounts_read(struct amounts *u, const struct json *map);
struct json *amounts_json(const struct amounts *u);
void amounts_sort(struct amounts *u);            /* by name */
/* "cpu=1,pods=2", sorted by name. */
struct str amounts_text(struct arena *a, const struct amounts *u);

/* What a pod's containers ask for (which: "requests") or may use ("limits"), as the scheduler counts: all
 * containers together, or what starting them takes if that is more; and the overhead of its runtime. */
void amounts_of_pod(struct amounts *u, const struct json *pod_spec, const char *which);

#endif
