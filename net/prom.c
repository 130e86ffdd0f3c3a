/* net/prom.c: see net/prom.h. */
#include "net/prom.h"

void prom_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void prom_seconds(struct buf *out, uint64_t ns)
{
    buf_fmt(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000u),
            (unsigned long long)(ns % 1000000000u));
}

void prom_label(struct buf *out, const char *key, struct str value)
{
    buf_fmt(out, "%s=\"", key);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            buf_z(out, "\\n");
            continue;
        }
        if (value.p[i] == '"' || value.p[i] == '\\')
            buf_char(out, '\\');
        buf_char(out, value.p[i]);
    }
    buf_char(out, '"');
}

static void write_histogram(struct buf *out, const char *name, const struct histogram *h)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        sum += h->n[i];
        buf_fmt(out, "%s_bucket{le=\"", name);
        if (i < HISTOGRAM_BUCKETS)
            buf_fmt(out, "%.9g", (double)histogram_bound_ns(i) / 1e9);
        else
            buf_z(out, "+Inf");
        buf_fmt(out, "\"} %llu\n", (unsigned long long)sum);
    }
    buf_fmt(out, "%s_sum ", name);
    prom_seconds(out, h->sum_ns);
    buf_fmt(out, "\n%s_count %llu\n", name, (unsigned long long)sum);
}

static void write_number(struct buf *out, const struct prom_row *row, const char *at)
{
    uint64_t v = 0;
    unsigned u;

    if (row->form == PROM_U32) {
        memcpy(&u, at, sizeof u);
        v = u;
    } else if (row->form == PROM_BOOL) {
        v = *(const bool *)at;
    } else {
        memcpy(&v, at, sizeof v);
    }
    buf_fmt(out, "%s ", row->name);
    if (row->form == PROM_SECONDS)
        prom_seconds(out, v);
    else
        buf_u64(out, v);
    buf_char(out, '\n');
}

void prom_write(struct buf *out, const struct prom_row *rows, size_t n, const void *sample)
{
    const struct histogram *h;

    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)sample + rows[i].at;
        prom_head(out, rows[i].name, rows[i].type, rows[i].help);
        if (rows[i].form == PROM_EACH) {
            rows[i].each(out, rows[i].name, sample);
        } else if (rows[i].form == PROM_HISTOGRAM) {
            memcpy(&h, at, sizeof h);
            write_histogram(out, rows[i].name, h);
        } else {
            write_number(out, &rows[i], at);
        }
    }
}
