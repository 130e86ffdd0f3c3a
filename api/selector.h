/* api/selector.h: label and field selectors, compiled once into an arena and matched often.
 * Compiled selectors refer to the text or tree they came from: it must live as long. */
#ifndef API_SELECTOR_H
#define API_SELECTOR_H

#include "api/json.h"

enum selector_op {
    SELECTOR_IN, SELECTOR_NOT_IN, SELECTOR_EXISTS, SELECTOR_NOT_EXISTS, SELECTOR_GT, SELECTOR_LT
};

/* k=v is IN with one value, k!=v NOT_IN with one.  Values are sorted. */
struct selector_term { struct str key; enum selector_op op; unsigned n; struct str *values; int64_t bound; };
/* All terms must hold; none: everything matches, unless `nothing`. */
struct selector { bool nothing; unsigned n; struct selector_term *terms; };

#define SELECTOR_EVERYTHING ((struct selector){ false, 0, NULL })
#define SELECTOR_NOTHING    ((struct selector){ true, 0, NULL })

/* "app=web,tier in (a,b),!old,gen>3". E_INVALID. */
int  selector_parse(struct arena *a, struct str text, struct selector *ret, struct errbuf *err);
/* A LabelSelector {matchLabels, matchExpressions}.  NULL or null: nothing, {}: everything.  E_INVALID. */
int  selector_from_json(struct arena *a, const struct json *j, struct selector *ret, struct errbuf *err);
/* A plain map of labels (spec.selector of Services and ReplicationControllers).  NULL or empty: nothing. */
void selector_from_map(struct arena *a, const struct json *labels, struct selector *ret);
/* nodeSelectorTerms' matchExpressions (an array), which know Gt and Lt too.  Empty: nothing.  E_INVALID. */
int selector_from_node_term(struct arena *a, const struct json *expressions, struct selector *ret,
                            struct errbuf *err);

/* labels: the object metadata.labels, or NULL. */
bool selector_matches(const struct selector *s, const struct json *labels);
/* labels: its JSON text ("{...}"; empty: no labels), written by json_write (json_scan_path() finds it). */
bool selector_matches_text(const struct selector *s, struct str labels);
static inline bool selector_is_everything(const struct selector *s) { return !s->nothing && s->n == 0; }

/* One term of a field selector: path is dotted, value unescaped. */
struct field_term { const char *path; struct str value; bool not_equal; };
struct field_selector { unsigned n; struct field_term *terms; };

/* "metadata.name=x,spec.nodeName!=y"; \, \= and \\ escape in values. E_INVALID. */
int  field_selector_parse(struct arena *a, struct str text, struct field_selector *ret, struct errbuf *err);
/* An absent field is the empty string; booleans and numbers are compared as text. */
bool field_selector_matches(const struct field_selector *s, const struct json *obj);
/* obj: its JSON text, written by json_write. */
bool field_selector_matches_text(const struct field_selector *s, struct str obj);
/* The value that the selector demands for this path (path=value), or NULL: what an index can be asked for. */
const struct str *field_selector_exact(const struct field_selector *s, const char *path);

#endif
