/* net/sim.h: the simulated world: virtual time, links, disks, all from one seed.
 *
 * A world holds several machines; each has its own struct loop whose streams, disks and clock belong
 * to the world.  sim_run() interleaves them deterministically: same seed, same everything.
 * Addresses are "name:port" with the machine's name; TLS contexts are ignored, the peer's identity is
 * the connecting machine's name (stream_tls_peer gives it as common name "system:sim:NAME", organization
 * "system:masters").
 * A crash drops a machine's loop with everything on it; its disks stay, minus what was not synced (each
 * unsynced write independently lost, kept, or torn at a 512-byte border). */
#ifndef NET_SIM_H
#define NET_SIM_H

#include "net/loop.h"
#include "net/disk.h"
#include "net/stream.h"

struct sim;
struct sim_machine;

struct sim *sim_new(uint64_t seed);
void        sim_free(struct sim *s);
uint64_t    sim_random(struct sim *s);           /* the world's own dice, for scenario choices */
uint64_t    sim_below(struct sim *s, uint64_t n);
uint64_t    sim_now_ns(struct sim *s);
/* Run until virtual time has passed ns, or until nothing can happen. */
void        sim_run_for(struct sim *s, uint64_t ns);
/* Run one event; false when none is left. */
bool        sim_step(struct sim *s);
/* A hash over all that has happened: equal for equal runs. */
uint64_t    sim_hash(const struct sim *s);

struct sim_machine *sim_machine_new(struct sim *s, const char *name);
struct loop *sim_machine_loop(struct sim_machine *m);      /* while up */
const char  *sim_machine_name(const struct sim_machine *m);
/* Code of a machine (starting a server, sending a request) runs in the machine: from its own callbacks, or
 * by this call from outside.  What it allocates is the machine's memory. */
void        sim_do(struct sim_machine *m, void (*fn)(void *arg), void *arg);
/* Crash: the loop and all that hangs on it is gone without callbacks, with all memory that the machine's code
 * allocated.  Only from outside of machines. */
void        sim_crash(struct sim_machine *m);
/* The same, but nothing tells its peers: their connections are half open until they send, and as long as it is
 * off they only wait. */
void        sim_power_off(struct sim_machine *m);
bool        sim_up(const struct sim_machine *m);
void        sim_boot(struct sim_machine *m);     /* a fresh loop; the disks as the crash left them */
struct sim_net_opts {                                       /* between two machines, each direction */
    uint64_t delay_min_ns, delay_max_ns;
    unsigned drop_per_million;                              /* chance that a connection breaks, per message */
    bool cut;                                               /* bytes vanish; connects time out */
};
void sim_net_default(struct sim *s, const struct sim_net_opts *o);
void sim_net_link(struct sim *s, struct sim_machine *from, struct sim_machine *to,
                  const struct sim_net_opts *o);
void sim_net_heal(struct sim *s);                           /* all links back to the default */

struct sim_disk_opts {
    uint64_t op_min_ns, op_max_ns;                          /* duration of a request */
    unsigned fail_per_million;                              /* chance of E_IO, per request */
    uint64_t capacity;                                      /* 0: no bound; else E_FULL */
    bool stuck;                                             /* requests never finish until cleared */
    /* Chance that a synced write turns out not to be there, or to be elsewhere in the file.  It does so only
     * once a later write to that file is durable: the last one may be lost without a trace, which nobody can
     * promise to survive. */
    unsigned lose_per_million, misdirect_per_million;
};
void sim_disk(struct sim_machine *m, const struct sim_disk_opts *o);
/* Damage of what lies on the disk of a machine that is down. */
enum sim_damage {
    SIM_BIT,                                                /* one flips, anywhere */
    SIM_SECTORS,                                            /* a few in a row are garbage */
    SIM_CUT,                                                /* the file ends somewhere */
    SIM_GARBAGE,                                            /* all of it */
    SIM_GONE,
    SIM_DAMAGES
};
/* Of a file whose name begins with `name`; of several, `which` counts from the first by name (from the last
 * if negative: -1 is the last); INT_MAX: any.  False if there is none. */
bool sim_disk_damage(struct sim_machine *m, const char *name, int which, enum sim_damage how);
void sim_clock_skew(struct sim_machine *m, int64_t wall_jump_ns, double monotonic_rate);

#endif
