/* api/members.h: the cluster's own heads, under /coracle/v1/members: for administrators (system:masters), no
 * Kubernetes resource.
 *
 *     GET    /coracle/v1/members                     who there is; on the leader with how far each has come
 *     POST   /coracle/v1/members                     {"peerURL", "name"}: add a learner
 *     PATCH  /coracle/v1/members/ID                  {"peerURL", "name", "apiURL", "clientURL"}
 *     DELETE /coracle/v1/members/ID
 *     POST   /coracle/v1/members/ID/promote, /demote, /lead          lead: hand over to it; ID 0: to anybody
 *     POST   /coracle/v1/members/ID/replace          {"by": ID}: that learner takes its place
 *
 * Any head answers; who does not lead asks the leader. */
#ifndef API_MEMBERS_H
#define API_MEMBERS_H

#include "api/call.h"

/* False: the path is not of these. */
bool members_serve(struct call *c, const struct str *seg, unsigned n);

#endif
