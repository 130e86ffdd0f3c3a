/* node/clean_text.h: text from processes and files made fit for the API: valid UTF-8 without NUL, of bounded length. */
#ifndef NODE_CLEAN_TEXT_H
#define NODE_CLEAN_TEXT_H

#include "net/str.h"

/* At most `max` bytes (>= 4) of s, its end if from_end, else its beginning; what is not UTF-8 becomes '?'.  mem_free() it. */
char *clean_text(struct str s, size_t max, bool from_end);

#endif
