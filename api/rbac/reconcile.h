/* api/rbac/reconcile.h: the roles and bindings that every cluster has (api/rbac/defaults.yaml): made when
 * they are missing, completed where they lack something, at the start of every leader.  What somebody added
 * to them stays; an object that says rbac.authorization.kubernetes.io/autoupdate: "false" is left alone. */
#ifndef API_RBAC_RECONCILE_H
#define API_RBAC_RECONCILE_H

struct api;
struct rbac_reconcile;
/* Runs until all is well; while it runs nobody is refused for want of a role (rbac_hold).  The system's
 * namespaces are there.  Calling it again while it runs is fine. */
void rbac_reconcile_start(struct api *a);
void rbac_reconcile_stop(struct api *a);

#endif
