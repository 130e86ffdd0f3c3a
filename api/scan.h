/* api/scan.h: reading single values out of stored JSON without parsing it.
 *
 * For the hot paths: selectors over lists and watches, resourceVersions, owners of tokens.  The input is what the encoder
 * wrote (compact, valid); on anything else the scanners answer "absent", they never read out of bounds. */
#ifndef API_SCAN_H
#define API_SCAN_H

#include "net/arena.h"

/* The raw text of the member at a dotted path ("metadata.labels", "spec.nodeName"); false: absent. */
bool scan_path(struct str json, const char *path, struct str *ret_raw);
/* The string there, unescaped into a when it must be; STR_NONE: absent or not a string. */
struct str scan_string(struct arena *a, struct str json, const char *path);
/* Any scalar as text: strings unescaped, numbers and booleans as written; STR_NONE: absent, null or composite. */
struct str scan_scalar(struct arena *a, struct str json, const char *path);
/* Step through the members of an object: at starts as the object's text; false at the end. */
bool scan_member(struct str *at, struct str *ret_key_raw, struct str *ret_value_raw);
/* Step through the elements of an array. */
bool scan_element(struct str *at, struct str *ret_value_raw);
/* Unescape a raw JSON string (with its quotes); false: it is none. */
bool scan_unquote(struct arena *a, struct str raw, struct str *ret);

#endif
