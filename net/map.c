/* net/map.c: linear probing, at most three quarters full.
 *
 * A slot is live (val set), empty (val and key NULL) or dead (val NULL, key DEAD): probing goes on
 * past a dead one.  Deletion moves nothing, so that it is allowed during a walk. */
#include "net/arena.h"
#include "net/map.h"

static char dead_mark;
#define DEAD (&dead_mark)

enum { MAP_CAP_MIN = 8 };

void map_release(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        if (m->slot[i].val != NULL)
            mem_free(m->slot[i].key);
    mem_free(m->slot);
    *m = MAP_INIT;
}

/* The live slot of key, or NULL; *ret_free (NULL ok) is where a new one would go. */
static struct map_slot *map_find(const struct map *m, struct str key, uint64_t hash,
                                 struct map_slot **ret_free)
{
    struct map_slot *hole = NULL;

    for (size_t i = hash & (m->cap - 1); ; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slot[i];
        if (s->val == NULL) {
            if (hole == NULL)
                hole = s;
            if (s->key == NULL)
                break;
        } else if (s->hash == hash && str_eq(str_make(s->key, s->key_len), key)) {
            return s;
        }
    }
    if (ret_free != NULL)
        *ret_free = hole;
    return NULL;
}

void *map_get(const struct map *m, struct str key)
{
    if (m->n == 0)
        return NULL;
    struct map_slot *s = map_find(m, key, str_hash(key), NULL);
    return s != NULL ? s->val : NULL;
}

/* A table with room for one more, without the dead; it may also shrink. */
static void map_rebuild(struct map *m)
{
    struct map_slot *old = m->slot;
    size_t           old_cap = m->cap;

    for (m->cap = MAP_CAP_MIN; m->cap < 2 * (m->n + 1); )
        m->cap *= 2;
    m->slot = mem_zalloc(m->cap * sizeof *m->slot);
    m->dead = 0;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].val == NULL)
            continue;
        size_t at = old[i].hash & (m->cap - 1);
        while (m->slot[at].val != NULL)
            at = (at + 1) & (m->cap - 1);
        m->slot[at] = old[i];
    }
    mem_free(old);
}

void *map_put(struct map *m, struct str key, void *val)
{
    struct map_slot *s, *hole;
    uint64_t         hash = str_hash(key);

    must(val != NULL);
    if (4 * (m->n + m->dead + 1) > 3 * m->cap)
        map_rebuild(m);
    s = map_find(m, key, hash, &hole);
    if (s != NULL) {
        void *was = s->val;
        s->val = val;
        return was;
    }
    if (hole->key == DEAD)
        m->dead--;
    *hole = (struct map_slot){ hash, mem_strndup(key), key.n, val };
    m->n++;
    return NULL;
}

void *map_del(struct map *m, struct str key)
{
    if (m->n == 0)
        return NULL;
    struct map_slot *s = map_find(m, key, str_hash(key), NULL);
    if (s == NULL)
        return NULL;

    void *was = s->val;
    mem_free(s->key);                            /* `key` itself may be these bytes: not used below */
    size_t next = ((size_t)(s - m->slot) + 1) & (m->cap - 1);
    bool   last = m->slot[next].val == NULL && m->slot[next].key == NULL;
    *s = (struct map_slot){ 0, last ? NULL : DEAD, 0, NULL };
    m->dead += !last;
    m->n--;
    return was;
}

bool map_next(const struct map *m, size_t *i, struct str *ret_key, void **ret_val)
{
    for (; *i < m->cap; (*i)++) {
        struct map_slot *s = &m->slot[*i];
        if (s->val == NULL)
            continue;
        *ret_key = str_make(s->key, s->key_len);
        *ret_val = s->val;
        (*i)++;
        return true;
    }
    return false;
}
