/* api/registry.h: which resources this head serves: those of the tables and those that users define.
 *
 * Each head mirrors the CustomResourceDefinitions of its own store.  A look-up also asks the live view,
 * so that what a request finds here is never behind what it reads there.  Every write of a custom
 * object has its definition's revision as a condition (custom_txn_if), so that no object is
 * stored by a schema that has changed meanwhile, on any head. Built-in resources are found in their
 * constant tables first; custom ones cost a look-up in the index and one in the tree. */
#ifndef API_REGISTRY_H
#define API_REGISTRY_H

#include "api/crd/custom.h"

struct registry;
/* A part of the API (api/parts.h): a->registry. */
int  registry_open(struct api *a, const struct api_opts *o, struct errbuf *err);
void registry_close(struct api *a);

/* An established kind's served version; NULL: none.  Valid in this turn: take a reference to keep it. */
struct custom_version *registry_find(struct registry *g, struct str group, struct str version,
                                     struct str plural);
/* Is cu still what is stored? */
bool registry_is_current(struct registry *g, const struct custom *cu);
/* All that is served, sorted by group and version as discovery tells it; valid in this turn. */
const struct resource_set *registry_all(struct registry *g);
/* Of what the custom rows of one group version are made: alike on all heads. 0: there are none. */
uint64_t registry_hash(const struct resource *const *gv, unsigned n);
/* For each custom version that is served, in no order. */
void registry_each(struct registry *g, void (*fn)(void *arg, struct custom_version *v), void *arg);

#endif
