/* api/quota.h: what an object uses of what quotas can limit, and which quota counts it.  Pure values:
 * admission (api/admit/resource_quota.c) and the controller that recounts (ctrl/resource_quota.c) must say
 * the same. */
#ifndef API_QUOTA_H
#define API_QUOTA_H

#include "api/amounts.h"

/* A kind as quotas name it: "pods" of "", "deployments" of "apps". */
struct quota_kind { const char *group, *plural; };

/* Does a quota's limit of this name (a key of hard) concern objects of the kind at all? */
bool quota_concerns(const struct quota_kind *k, struct str name);
/* Do the quota's scopes let it count this object? */
bool quota_selects(const struct quota_kind *k, const struct json *quota_spec, const struct json *obj);
/* Everything the object uses, by the names of hard. now_s: pods that are being deleted for longer than their
 * grace use nothing any more. */
void quota_usage(struct amounts *u, const struct quota_kind *k, const struct json *obj, int64_t now_s);
/* Where a quota limits cpu or memory, all containers must say how much they want.  False: *ret_missing is the
 * original's "must specify ...". */
bool quota_pod_says_enough(struct arena *a, const struct json *pod, const struct json *hard,
                           struct str *ret_missing);
/* The kind that a name of hard counts or is computed from. False: none that is known by name alone
 * (services.nodeports is of services, requests.cpu of pods, count/x.g of x in g). Strings live in a. */
bool quota_kind_of(struct arena *a, struct str name, struct str *ret_group, struct str *ret_plural);

#endif
