/* test/fuzz/tree.h: whether a JSON tree hangs together: counts right, last children last. */
#ifndef TEST_FUZZ_TREE_H
#define TEST_FUZZ_TREE_H

#include "api/json.h"

static void check_tree(const struct json *j)
{
    const struct json *last = NULL;
    uint32_t n = 0;

    if (j->type < JSON_ARRAY)
        return;
    json_each(v, j) {
        n++;
        last = v;
        check_tree(v);
    }
    must(j->n == n && (j->last == last || n == 0));
}

#endif
