/* api/regex_unicode.h: what regular expressions know of Unicode: categories, scripts and letter cases. */
#ifndef API_REGEX_UNICODE_H
#define API_REGEX_UNICODE_H

#include "api/regex_impl.h"

/* lower + i * step is the other case of upper + i * step, for i < n. */
struct regex_case { uint32_t lower, upper; uint16_t n, step; };
extern const struct regex_case regex_cases[];
extern const unsigned regex_n_cases;

/* A general category (L, Lu) or a script (Greek); false: neither. */
bool regex_unicode_add(struct regex_set *s, struct str name);

#endif
