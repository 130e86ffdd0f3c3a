/* net/list.h: an intrusive doubly linked list (queue).  The head is a qlink too; an empty list
 * points at itself.  An unlinked element also points at itself, so qdel() on it is harmless and
 * qlinked() tells. */
#ifndef NET_LIST_H
#define NET_LIST_H

#include <stdbool.h>
#include "net/must.h"

struct qlink { struct qlink *next, *prev; };

static inline void qinit(struct qlink *q) { q->next = q->prev = q; }
static inline bool qempty(const struct qlink *q) { return q->next == q; }
static inline bool qlinked(const struct qlink *l) { return l->next != l; }

/* Append at the tail. */
static inline void qpush(struct qlink *q, struct qlink *l)
{
    l->prev = q->prev;
    l->next = q;
    q->prev->next = l;
    q->prev = l;
}

/* Put at the head. */
static inline void qpush_front(struct qlink *q, struct qlink *l)
{
    l->next = q->next;
    l->prev = q;
    q->next->prev = l;
    q->next = l;
}

static inline void qdel(struct qlink *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    qinit(l);
}

/* Take the head off; the list must not be empty. */
static inline struct qlink *qpop(struct qlink *q)
{
    struct qlink *l = q->next;
    must(l != q);
    qdel(l);
    return l;
}

/* Move everything from `from` (left empty) to `to` (initialised here). */
static inline void qmove(struct qlink *from, struct qlink *to)
{
    qinit(to);
    if (qempty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    qinit(from);
}

/* Put all of `from` (left empty) before the head of q. */
static inline void qprepend(struct qlink *q, struct qlink *from)
{
    if (qempty(from))
        return;
    from->prev->next = q->next;
    q->next->prev = from->prev;
    from->next->prev = q;
    q->next = from->next;
    qinit(from);
}

#define qfirst(q) ((q)->next)
#define qentry(l, type, member) container_of(l, type, member)
/* Walk; the body may unlink `it` but no other element. */
#define qeach(q, it, tmp) for (struct qlink *it = (q)->next, *tmp = it->next; it != (q); it = tmp, tmp = it->next)

#endif
