/* api/yaml.h: YAML as Kubernetes reads it, to the tree that JSON gives.
 *
 * YAML 1.1 scalars as sigs.k8s.io/yaml resolves them: yes/no/on/off/y/n are booleans, 0x1f, 017, 0o17, 0b11
 * and 1_000 are integers, 08 is 8, .5 and 1e3 are floats, ~ and nothing are null; quoted and block scalars
 * are strings, and so are timestamps.  Numbers come out as JSON text in Go's form; .inf and .nan are errors.
 * Keys become strings.  Merge keys (<<) are applied: what the mapping says itself wins.  Aliases are copied,
 * within bounds (YAML_MAX_ALIAS_NODES, JSON_MAX_DEPTH).  Duplicate keys are kept once, the last value, and
 * flagged JSON_F_DUPLICATE, as json_parse does.  The tree does not refer to the input. */
#ifndef API_YAML_H
#define API_YAML_H

#include "api/json.h"

#define YAML_MAX_ALIAS_NODES 100000u    /* nodes all aliases of one input together may add */

/* One document; empty documents before it are skipped, no document at all is null, a second one is an error.
 * E_INVALID, E_TOOBIG (depth, aliases). */
int yaml_parse(struct arena *a, struct str in, struct json **ret, struct json_error *err);
/* All documents that are not empty, as the elements of an array. */
int yaml_parse_all(struct arena *a, struct str in, struct json **ret, struct json_error *err);

#endif
