/* api/quantity.h: Kubernetes resource quantities ("250m", "1.5Gi", "12e6"), exactly.
 *
 * A quantity is a count of billionths: 128 bits hold 64-bit values times any suffix that makes sense, and
 * sums of them (up to 10^28).  Parsing rounds away from zero what is finer than a billionth, and caps Ki..Ei
 * quantities at 2^63 - 1, both as Kubernetes does; what does not fit is refused.  The family of suffixes is
 * remembered, for the canonical text. */
#ifndef API_QUANTITY_H
#define API_QUANTITY_H

#include "api/json.h"

__extension__ typedef __int128 quantity_int;

enum quantity_format { QUANTITY_DECIMAL_SI, QUANTITY_BINARY_SI, QUANTITY_DECIMAL_EXPONENT };
struct quantity { quantity_int nano; enum quantity_format format; };

#define QUANTITY_ZERO ((struct quantity){ 0, QUANTITY_DECIMAL_SI })
#define QUANTITY_TEXT_MAX 64

/* E_INVALID, E_TOOBIG.  Space around is not taken. */
int  quantity_parse(struct str s, struct quantity *ret, struct errbuf *err);
/* From a JSON string (space around is allowed, as in the original) or number. NULL and null: zero. */
int  quantity_from_json(const struct json *j, struct quantity *ret, struct errbuf *err);
/* Canonical: no precision lost, no fraction, the largest suffix that allows it.  Returns the length. */
size_t     quantity_write(struct quantity q, char to[QUANTITY_TEXT_MAX]);
struct str quantity_text(struct arena *a, struct quantity q);

struct quantity quantity_make(int64_t value, enum quantity_format format);
struct quantity quantity_make_milli(int64_t milli, enum quantity_format format);
/* Rounded away from zero, kept within int64. */
int64_t quantity_value(struct quantity q);
int64_t quantity_milli(struct quantity q);
double  quantity_double(struct quantity q);

/* Kept within the representable range.  A zero takes the format of what is added, as in the original. */
struct quantity quantity_add(struct quantity x, struct quantity y);
struct quantity quantity_sub(struct quantity x, struct quantity y);
static inline int quantity_cmp(struct quantity x, struct quantity y)
{
    return (x.nano > y.nano) - (x.nano < y.nano);
}
static inline bool quantity_is_zero(struct quantity q) { return q.nano == 0; }
static inline int  quantity_sign(struct quantity q) { return (q.nano > 0) - (q.nano < 0); }

#endif
