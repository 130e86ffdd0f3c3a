/* api/yaml_write.h: a tree as YAML, in the block style that kubectl prints. */
#ifndef API_YAML_WRITE_H
#define API_YAML_WRITE_H

#include "api/json.h"

void yaml_write(struct buf *out, const struct json *j);

#endif
