/* net/err.c: reasons of failure, bounded and always terminated. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "net/err.h"

const char *err_text(int code)
{
    switch (code) {
    case 0: return "no error";
#define ERR_CASE(name, num, text) case name: return text;
    ERR_MAP(ERR_CASE)
#undef ERR_CASE
    }
    return "unknown error";
}

int err_set(struct errbuf *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return code;
    va_start(ap, fmt);
    vsnprintf(err->s, sizeof err->s, fmt, ap);
    va_end(ap);
    return code;
}

/* Put ": text" after the n bytes that are there, as far as it fits. */
static void err_append(struct errbuf *err, int n, const char *text)
{
    if (n < 0 || (size_t)n + 3 > sizeof err->s)
        return;
    size_t at = (size_t)n + 2, len = strnlen(text, sizeof err->s - 1 - at);
    memcpy(err->s + n, ": ", 2);
    memcpy(err->s + at, text, len);
    err->s[at + len] = '\0';
}

int err_wrap(struct errbuf *err, int code, const char *fmt, ...)
{
    struct errbuf old;
    va_list       ap;

    if (err == NULL)
        return code;
    old = *err;
    va_start(ap, fmt);
    int n = vsnprintf(err->s, sizeof err->s, fmt, ap);
    va_end(ap);
    err_append(err, n, old.s);
    return code;
}

static int code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC: case EDQUOT: case EFBIG: return E_FULL;
    case ENOENT: case ENOTDIR:            return E_NOTFOUND;
    case EEXIST:                          return E_EXISTS;
    case EACCES: case EPERM: case EROFS:  return E_DENIED;
    case ENOMEM:                          return E_NOMEM;
    default:                              return E_IO;
    }
}

int err_sys(struct errbuf *err, int errnum, const char *fmt, ...)
{
    char    text[128];
    va_list ap;

    if (err == NULL)
        return code_of_errno(errnum);
    va_start(ap, fmt);
    int n = vsnprintf(err->s, sizeof err->s, fmt, ap);
    va_end(ap);
    err_append(err, n, strerror_r(errnum, text, sizeof text));
    return code_of_errno(errnum);
}
