/* api/json_scan.h: one value out of JSON text, without making a tree.
 *
 * For text that json_write() made (stored objects): it is trusted to be compact and well-formed; on other
 * text the answer may be wrong, but no byte outside is touched.  Keys with escapes are not found. */
#ifndef API_JSON_SCAN_H
#define API_JSON_SCAN_H

#include "net/arena.h"

/* The text of the value at a dotted path of object members ("metadata.labels"); false if absent. */
bool json_scan_path(struct str text, const char *path, struct str *ret);
/* Walk an object's members: *rest is the object's text at first.  key is without quotes, raw. */
bool json_scan_member(struct str *rest, struct str *ret_key, struct str *ret_value);
/* The text without the member at that path; in the arena if it had one, else as it is. */
struct str json_scan_without(struct arena *a, struct str text, const char *path);
/* A string value's content; unescaped into the arena when it has escapes.  False: not a string. */
bool json_scan_string(struct arena *a, struct str value, struct str *ret);

#endif
