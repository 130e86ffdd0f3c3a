/* api/yaml_scalar.h: what a plain YAML 1.1 scalar means, as go-yaml resolves it for Kubernetes. */
#ifndef API_YAML_SCALAR_H
#define API_YAML_SCALAR_H

#include "api/json.h"

/* Set type and value of node from the text of a plain scalar.  Numbers become JSON text.  A string's text is
 * not copied.  False: a number that JSON does not have (.inf, .nan). */
bool yaml_scalar_resolve(struct arena *a, struct str text, struct json *node);

#endif
