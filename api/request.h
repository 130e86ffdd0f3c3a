/* api/request.h: the one parser of what a request asks for.
 *
 * Method, path and query become one tuple.  Authorization, admission, storage keys, audit and metrics all use
 * this tuple and nothing else: no layer looks at the path again, so no two can disagree on its meaning.
 * Every path segment is unescaped exactly once and must then be a plain name: no '/', no '%', no control
 * characters, not "." or "..". */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "net/arena.h"
#include "net/err.h"

enum api_verb {
    API_GET, API_LIST, API_WATCH, API_CREATE, API_UPDATE, API_PATCH, API_DELETE, API_DELETECOLLECTION,
    API_OTHER                                    /* a method no resource knows, or no resource */
};
#define API_VERBS (API_OTHER + 1)

enum field_validation { FIELDS_WARN, FIELDS_IGNORE, FIELDS_STRICT };

struct request_options {
    struct str resource_version, resource_version_match;   /* as given; has_rv tells an empty one from none */
    bool     has_rv;
    uint64_t rv;                                 /* of resource_version, 0 when empty */
    struct str continue_;
    uint64_t limit;                              /* 0: none */
    struct str label_selector, field_selector;   /* unescaped */
    bool     watch, bookmarks, send_initial_events, has_send_initial_events;
    uint64_t timeout_s; bool has_timeout;        /* timeoutSeconds: of watches */
    uint64_t timeout_ms;                         /* timeout: of all others; 0: not asked for */
    struct str field_manager;
    enum field_validation validation;
    bool     dry_run, force, pretty;
    bool     has_grace; int64_t grace_s;
    struct str propagation;                      /* "", "Orphan", "Background", "Foreground" */
    bool     has_orphan, orphan;
    struct str include_object;                   /* Table: "", "None", "Metadata", "Object" */
};

struct request {
    enum api_verb verb;
    const char *verb_name;                       /* "list"; for others the method in lower case */
    bool is_resource;
    struct str group, version, resource, subresource, ns, name;
    struct str rest;                             /* behind the subresource (proxy), still escaped */
    /* what is asked for by name: name, or the one that the field selector of a list, watch or
     * deletecollection lets through; for authorization */
    struct str only;
    /* path: unescaped segments for non-resource rules; query: as sent */
    struct str path, query;
    struct request_options opt;
};

/* E_INVALID: the text says why (a 400). Strings live in a or view the inputs. */
int request_parse(struct arena *a, struct str method, struct str path, struct str query, struct request *ret,
                  struct errbuf *err);
/* The values of one query parameter, unescaped: for (it = query; request_param(a, &it, "command", &value);
 * ) */
bool request_param(struct arena *a, struct str *rest, const char *name, struct str *ret_value);
const char *request_verb_name(enum api_verb v);
/* The value that a field selector demands for this path (path=value among its terms); false: none, or one
 * with escapes. */
bool request_selects(struct str selector, const char *path, struct str *ret);

#endif
