/* test/etcddiff/diff.h: the same random requests to two servers of etcd's API; every answer must be the same.
 *
 * gen.c makes requests from a seed, talk.c asks both servers and collects what their watches tell, text.c makes
 * answers comparable and readable, main.c goes through them and judges. */
#ifndef TEST_ETCDDIFF_H
#define TEST_ETCDDIFF_H

#include "net/grpc.h"
#include "net/http_client.h"
#include "store/etcd/etcd_messages.h"

#define SERVERS 2
#define WATCHES 64                               /* ids that a run gives out */

/* ---- gen.c ---- */

struct gen {
    uint64_t dice;
    int64_t  rev, compacted;                     /* as the last answers had it */
    int64_t  watches;                            /* made so far */
};
struct request { const char *path; const struct pb_message *msg; void *body; };
uint64_t gen_below(struct gen *g, uint64_t n);
/* Lives in the arena. */
struct request gen_request(struct gen *g, struct arena *a);
struct etcd_watch_request *gen_watch(struct gen *g, struct arena *a);

/* ---- talk.c ---- */

struct server;
struct answer { int err, code; char message[300]; struct buf body; };
struct server *server_open(struct loop *l, const char *addr);
void server_close(struct server *s);
/* Both are asked, and have answered when it returns. */
void ask_both(struct server *const s[SERVERS], const struct request *r, struct answer ret[SERVERS]);
/* Onto the stream of watches; then both have said that it is made or ended. */
void watch_both(struct server *const s[SERVERS], const struct etcd_watch_request *r);
/* Nothing has come for a while. */
void settle_both(struct server *const s[SERVERS]);
/* What watch id was told, line by line. */
struct str server_told(const struct server *s, int64_t id);

/* ---- text.c ---- */

/* An answer without what may differ: who answers, and the seconds that a lease has left. */
void text_answer(struct buf *out, const char *path, const struct answer *a);
/* Any message, for people; of a field that may be a message or bytes: what it looks like. */
void text_message(struct buf *out, struct str message);
/* The lines of one WatchResponse, for one watch. */
void text_watch(struct buf *out, struct str message, int64_t *ret_id);

#endif
