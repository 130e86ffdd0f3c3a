/* api/time_fmt.h: the texts of times and durations that the API speaks.  Times are seconds since 1970
 * (negative before) plus nanoseconds; all years from 0 to 9999.  Durations are nanoseconds. */
#ifndef API_TIME_FMT_H
#define API_TIME_FMT_H

#include "net/arena.h"

#define TIME_TEXT_MAX       20          /* "2006-01-02T15:04:05Z" */
#define TIME_MICRO_TEXT_MAX 27          /* "2006-01-02T15:04:05.000000Z" */
#define DURATION_TEXT_MAX   32

/* RFC 3339, strict: upper-case T and Z, any offset, any number of decimals (those after the ninth drop). */
bool time_parse(struct str s, int64_t *ret_s, uint32_t *ret_ns);
/* As MicroTime wants it: exactly six decimals. */
bool time_parse_micro(struct str s, int64_t *ret_s, uint32_t *ret_ns);
/* Both return the length (constant: the _MAX above) and terminate nothing.  Out of range: clamped. */
size_t time_write(int64_t s, char to[TIME_TEXT_MAX]);
size_t time_write_micro(int64_t s, uint32_t ns, char to[TIME_MICRO_TEXT_MAX]);
struct str time_text(struct arena *a, int64_t s);
struct str time_micro_text(struct arena *a, int64_t s, uint32_t ns);
/* From a wall clock in nanoseconds. */
struct str time_text_ns(struct arena *a, int64_t wall_ns);
struct str time_micro_text_ns(struct arena *a, int64_t wall_ns);

/* Go's time.Duration: "1h15m30.5s", "-300ms", "0". */
bool   duration_parse(struct str s, int64_t *ret_ns);
size_t duration_write(int64_t ns, char to[DURATION_TEXT_MAX]);
struct str duration_text(struct arena *a, int64_t ns);
/* As kubectl's AGE columns: 5s, 2m30s, 3h12m, 4d2h, 2y; "<invalid>" from two seconds in the future on. */
struct str duration_human(struct arena *a, int64_t seconds);

#endif
