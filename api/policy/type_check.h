/* api/policy/type_check.h: what the status of a ValidatingAdmissionPolicy says of its expressions. */
#ifndef API_POLICY_TYPE_CHECK_H
#define API_POLICY_TYPE_CHECK_H

#include "api/json.h"

/* status.typeChecking for a spec: what does not compile against the types of the built-in kinds that its
 * rules name; {} when all is well.  In the arena, which it also uses freely for types. */
struct json *policy_type_check(const struct json *spec, struct arena *a);

#endif
