/* api/causes.c: collecting what is wrong with an object, in the words that clients know. */
#include <stdio.h>
#include <stdlib.h>
#include "api/causes.h"

static size_t at_length(const struct at *at)
{
    size_t n = 0;

    for (; at != NULL; at = at->up)
        n += at->index >= 0 ? 22 : at->key.n + 2;
    return n;
}

static size_t at_write(char *to, const struct at *at)
{
    size_t n = at->up != NULL ? at_write(to, at->up) : 0;

    if (at->index >= 0)
        return n + (size_t)sprintf(to + n, "[%ld]", at->index);
    if (at->quoted)
        to[n++] = '[';
    else if (n > 0)
        to[n++] = '.';
    if (at->key.n > 0)
        memcpy(to + n, at->key.p, at->key.n);
    n += at->key.n;
    if (at->quoted)
        to[n++] = ']';
    return n;
}

struct str at_text(struct arena *a, const struct at *at)
{
    char *to;

    if (at == NULL)
        return STR("");
    to = arena_alloc(a, at_length(at) + 1);
    return str_make(to, at_write(to, at));
}

void cause_add(struct causes *c, const char *reason, const struct at *at, const char *fmt, ...)
{
    struct cause *x;
    va_list ap;

    if (c->n++ >= CAUSES_KEPT)
        return;
    x = arena_new(c->arena, struct cause);
    x->reason = reason;
    x->field = at_text(c->arena, at);
    va_start(ap, fmt);
    x->message = arena_vfmt(c->arena, fmt, ap);
    va_end(ap);
    if (c->first == NULL)
        c->first = x;
    else
        *c->last = x;
    c->last = &x->next;
}

static const char *colon(const char *detail) { return detail != NULL && *detail != '\0' ? ": " : ""; }
static const char *text(const char *detail) { return detail != NULL ? detail : ""; }

void cause_required(struct causes *c, const struct at *at, const char *detail)
{
    cause_add(c, CAUSE_REQUIRED, at, "Required value%s%s", colon(detail), text(detail));
}

void cause_invalid(struct causes *c, const struct at *at, struct str value, const char *detail)
{
    cause_add(c, CAUSE_INVALID, at, "Invalid value: \"%.*s\"%s%s", STR_ARG(value), colon(detail),
              text(detail));
}

void cause_invalid_raw(struct causes *c, const struct at *at, struct str value, const char *detail)
{
    cause_add(c, CAUSE_INVALID, at, "Invalid value: %.*s%s%s", STR_ARG(value), colon(detail), text(detail));
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

void cause_unsupported(struct causes *c, const struct at *at, struct str value, const char *const *allowed,
                       size_t n)
{
    const char **sorted;
    struct str list = STR("");

    if (c->n >= CAUSES_KEPT) {
        c->n++;                                  /* nobody will read the list of what is allowed */
        return;
    }
    sorted = arena_alloc(c->arena, (n + 1) * sizeof(*sorted));
    memcpy(sorted, allowed, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_text);
    for (size_t i = 0; i < n; i++)
        list = arena_fmt(c->arena, "%.*s%s\"%s\"", STR_ARG(list), i > 0 ? ", " : "", sorted[i]);
    cause_add(c, CAUSE_NOT_SUPPORTED, at, "Unsupported value: \"%.*s\"%s%.*s", STR_ARG(value),
              n > 0 ? ": supported values: " : "", STR_ARG(list));
}

void cause_forbidden(struct causes *c, const struct at *at, const char *detail)
{
    cause_add(c, CAUSE_FORBIDDEN, at, "Forbidden%s%s", colon(detail), text(detail));
}

void cause_duplicate(struct causes *c, const struct at *at, struct str value)
{
    cause_add(c, CAUSE_DUPLICATE, at, "Duplicate value: \"%.*s\"", STR_ARG(value));
}

void cause_too_long(struct causes *c, const struct at *at, size_t max)
{
    cause_add(c, CAUSE_TOO_LONG, at, "Too long: may not be more than %zu bytes", max);
}
