/* api/json_impl.h: what the parsers of JSON and YAML share. */
#ifndef API_JSON_IMPL_H
#define API_JSON_IMPL_H

#include "api/json.h"

/* Set offset, line and column (in characters) of a place in the input. */
void json__locate(struct json_error *err, const char *start, const char *at);
/* Append node as the last child; the caller has looked for duplicates or will. */
static inline void json__link(struct json *parent, struct json *node)
{
    if (parent->last != NULL)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->n++;
}
/* Members equal to an earlier one give it their value and go; what is kept is flagged. */
void json__merge_duplicates(struct arena *a, struct json *obj);

#endif
