/* net/sim_impl.h: the inside of the simulated world; for net/sim*.c only.
 *
 * The world is a heap of events ordered by virtual time, then by the order they were made.  Everything
 * random comes from one generator, so a seed fixes the whole run.
 *     sim.c       events, dice, machines, clocks, crash and boot
 *     sim_net.c   connections, listeners, links
 *     sim_disk.c  disks
 * Memory: what belongs to the world (events, packets, files) is allocated in no domain; what a machine's code
 * allocates is in the machine's own and goes with it.  World code that is called from a machine
 * therefore leaves its domain first: sim__outside(). */
#ifndef NET_SIM_IMPL_H
#define NET_SIM_IMPL_H

#include "net/disk_impl.h"
#include "net/loop_impl.h"
#include "net/sim.h"
#include "net/stream_impl.h"

struct sim_event {
    uint64_t at, seq;
    size_t   heap_at;
    struct sim_machine *machine;                 /* NULL: the world's. Events of a machine end with it. */
    void   (*fn)(void *arg);
    void    *arg;
};

struct sim {
    uint64_t now, seq, dice, hash;
    struct sim_event **heap;                     /* from 1 */
    size_t   n_heap, cap_heap;
    struct qlink machines, conns;
    unsigned n_machines;
    struct sim_machine *running;                 /* whose code runs, NULL: the world's */
    struct sim_net_opts net;                     /* what links are by default */
    uint64_t next_port;
};

struct sim_link { bool set; struct sim_net_opts o; };

struct sim_machine {
    struct sim  *sim;
    struct qlink link;
    char        *name;
    unsigned     index;
    struct mem_domain mem;
    struct loop *loop;                           /* NULL: down. In the machine's own memory. */
    struct sim_event *turn;                      /* the next one, if any */
    uint64_t     dice;
    uint64_t     mono_base, mono_at;             /* clock: base + (now - at) * rate */
    double       mono_rate;
    int64_t      wall_jump;
    struct sim_link *links; unsigned n_links;    /* to the machine of that index */
    struct qlink listeners;
    struct qlink disks;                          /* struct sim_store: they stay when the machine goes */
    struct sim_disk_opts disk;
    struct qlink stuck;                          /* requests that wait for the disk to move again */
};

struct mem_domain *sim__outside(void);           /* leave the machine's domain; returns what to enter again */
struct sim_event *sim__at(struct sim *s, uint64_t at, struct sim_machine *m, void (*fn)(void *arg),
                          void *arg);
void     sim__cancel(struct sim *s, struct sim_event *e);             /* NULL ok */
/* Run code of a machine that is up: its domain is current, its clock fresh, and a turn follows. */
void     sim__call(struct sim_machine *m, void (*fn)(void *arg), void *arg);
uint64_t sim__between(struct sim *s, uint64_t min, uint64_t max);
bool     sim__chance(struct sim *s, unsigned per_million);
void     sim__mix(struct sim *s, uint64_t v);    /* into the hash that tells two runs apart */
struct sim_machine *sim__machine_of(struct loop *l);

int  sim__connect(struct loop *l, const struct stream_connect_opts *o, struct stream **ret,
                  struct errbuf *err);
int  sim__listen(struct loop *l, const struct listener_opts *o, struct listener **ret, struct errbuf *err);
/* Its connections and listeners are gone; silent: who is at the other ends does not learn. */
void sim__net_crash(struct sim_machine *m, bool silent);
void sim__net_free(struct sim *s);
int  sim__disk_open(struct loop *l, const char *path, struct disk **ret, bool *ret_in_use,
                    struct errbuf *err);
void sim__disk_crash(struct sim_machine *m);     /* what was not synced is lost, kept or torn */
void sim__disk_free(struct sim_machine *m);

#endif
