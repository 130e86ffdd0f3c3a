/* api/cel/mistake.c: what is wrong with an expression, with the line and a mark under the place. */
#include <stdarg.h>
#include <stdio.h>
#include "api/cel/impl.h"

void cel_mistake(struct cel_mistakes *m, size_t at, const char *fmt, ...)
{
    struct str what;
    size_t     begin = MIN_OF(at, m->text.n), end = begin, column;
    unsigned   line = 1;
    va_list    ap;

    if (m->n++ >= CEL_MAX_ERRORS)
        return;
    va_start(ap, fmt);
    what = arena_vfmt(m->arena, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < begin; i++)
        line += m->text.p[i] == '\n';
    while (begin > 0 && m->text.p[begin - 1] != '\n')
        begin--;
    while (end < m->text.n && m->text.p[end] != '\n')
        end++;
    column = cel_runes(str_make(m->text.p + begin, MIN_OF(at, m->text.n) - begin));
    if (m->out.n > 0)
        buf_char(&m->out, '\n');
    buf_fmt(&m->out, "ERROR: <input>:%u:%zu: %.*s\n | ", line, column + 1, STR_ARG(what));
    for (size_t i = begin; i < end; i++)
        buf_char(&m->out, m->text.p[i] == '\t' ? ' ' : m->text.p[i]);
    buf_z(&m->out, "\n | ");
    for (size_t i = 0; i < column; i++)
        buf_char(&m->out, '.');
    buf_char(&m->out, '^');
}
