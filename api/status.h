/* api/status.h: the Status object, in which the API says what went wrong (or that a deletion went well).
 *
 * Clients are driven by code and reason, people by the message; both are the original's for each kind of
 * failure. */
#ifndef API_STATUS_H
#define API_STATUS_H

#include "api/causes.h"
#include "net/blob.h"

#define REASON_UNAUTHORIZED      "Unauthorized"
#define REASON_FORBIDDEN         "Forbidden"
#define REASON_NOT_FOUND         "NotFound"
#define REASON_ALREADY_EXISTS    "AlreadyExists"
#define REASON_CONFLICT          "Conflict"
#define REASON_GONE              "Gone"
#define REASON_EXPIRED           "Expired"
#define REASON_INVALID           "Invalid"
#define REASON_TIMEOUT           "Timeout"
#define REASON_TOO_MANY          "TooManyRequests"
#define REASON_BAD_REQUEST       "BadRequest"
#define REASON_METHOD            "MethodNotAllowed"
#define REASON_NOT_ACCEPTABLE    "NotAcceptable"
#define REASON_MEDIA_TYPE        "UnsupportedMediaType"
#define REASON_TOO_LARGE         "RequestEntityTooLarge"
#define REASON_INTERNAL          "InternalError"
#define REASON_UNAVAILABLE       "ServiceUnavailable"

struct status {
    int code;                                    /* 2xx: Success */
    const char *reason;                          /* NULL: none */
    struct str message;
    struct { struct str name, group, kind, uid; } details;   /* kind: the plural, but for Invalid */
    const struct causes *causes;                 /* NULL: none */
    unsigned retry_after_s;                      /* details.retryAfterSeconds and the header; 0: none */
    struct str allow;                            /* MethodNotAllowed: what is, for the header; or empty */
    struct str continue_;                        /* Expired lists: how to go on all the same */
};

void status_write(struct buf *out, const struct status *s);
struct blob *status_blob(const struct status *s);
/* `spec.a: Required value` or `[spec.a: ..., spec.b: ...]`, as an Invalid message ends; `, ... and 5 more]`
 * where not all were kept (api/causes.h). */
struct str status_causes_text(struct arena *a, const struct causes *causes);
/* The reason that fits a code when nothing better is known (errors of the HTTP layer). */
const char *status_reason_of(int code);

#endif
