/* store/member.h: who the members of the cluster are, and changes of that, for every face of the store:
 * URLs in, URLs out, where raft has addresses.  What a change means and how it ends: raft/raft.h. */
#ifndef STORE_MEMBER_H
#define STORE_MEMBER_H

#include "store/store.h"

/* The members as this head knows them; texts are borrowed until the next turn. */
void store_member_list(struct store *s, struct raft_status *ret);
/* "https://HOST:PORT" of a member's peer address, as etcd's clients expect it. */
struct str store_member_peer_url(struct arena *a, const struct raft_member *m);
/* Ask for a change; spec->addr may be a URL (https://HOST:PORT), or HOST:PORT.  E_INVALID: it is neither, and
 * c->done will not come. */
int  store_member_change(struct store *s, struct raft_change *c, const struct raft_change_spec *spec,
                         struct errbuf *err);

#endif
