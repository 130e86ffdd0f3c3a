/* api/json_query.h: JSONPath, as printer columns and kubectl's output formats write it.
 *
 * .spec.replicas, .metadata.annotations.example\.com/a, ['a'], [0], [-1], [1:3], [0,2], [*], ..name and
 * [?(@.type=="Ready")] with ==, !=, <, <=, >, >= or nothing (it is there); $ and @ at the start, or neither.
 * Keys that are missing lead nowhere; nothing is an error but the text of the query itself. */
#ifndef API_JSON_QUERY_H
#define API_JSON_QUERY_H

#include "api/json.h"

struct json_query;
/* Lives in a; the text is not kept.  E_INVALID. */
int json_query_compile(struct arena *a, struct str text, const struct json_query **ret, struct errbuf *err);
/* The first value it leads to; NULL: none, or it was not found within a bounded number of steps. */
const struct json *json_query_first(const struct json_query *q, const struct json *root);

#endif
