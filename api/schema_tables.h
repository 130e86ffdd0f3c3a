/* api/schema_tables.h: what the generated tables and the functions over them share; not for others. */
#ifndef API_SCHEMA_TABLES_H
#define API_SCHEMA_TABLES_H

#include "api/schema.h"

/* Probing tables by plural and by kind name; a slot is index + 1, 0 empty.  Equal names of several groups
 * follow each other. */
extern const uint16_t schema__resource_hash[], schema__kind_hash[];
extern const unsigned schema__resource_hash_mask, schema__kind_hash_mask;

#endif
