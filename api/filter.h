/* api/filter.h: label and field selectors of lists and watches, matched on stored text. */
#ifndef API_FILTER_H
#define API_FILTER_H

#include "api/call.h"
#include "api/selector.h"

struct filter {
    struct selector labels;
    struct field_selector fields;
    bool any;                                    /* no selector at all */
    struct str name;                             /* the one name that can match; empty: any */
    struct str ns;                               /* likewise the namespace */
    /* what the resource's watch index can be asked for; 0: nothing */
    uint64_t tag;
};
/* Of the request's labelSelector and fieldSelector (and of its name, for a watch on one object).  False:
 * answered. */
bool filter_parse(struct call *c, struct filter *ret);
bool filter_matches(const struct filter *f, struct str stored);
/* The same with metadata.labels found already: who matches one object many times looks for them once. */
struct str filter_labels_of(struct str stored);
bool filter_matches_with(const struct filter *f, struct str stored, struct str labels);

#endif
