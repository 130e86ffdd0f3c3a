/* net/prom.h: figures as Prometheus text.  A figure is a row of a table that says where in a sample its value
 * is; a scrape takes one sample of everything, then writes the rows. */
#ifndef NET_PROM_H
#define NET_PROM_H

#include <stddef.h>
#include "net/blob.h"
#include "net/histogram.h"

/* The field's type; SECONDS is a uint64_t of nanoseconds, HISTOGRAM a pointer; EACH: several series, written
 * by a function. */
enum prom_form { PROM_U64, PROM_U32, PROM_BOOL, PROM_SECONDS, PROM_HISTOGRAM, PROM_EACH };

struct prom_row {
    const char *name, *type, *help;
    enum prom_form form;
    size_t at;                                   /* in the sample */
    void (*each)(struct buf *out, const char *name, const void *sample);
};

#define PROM_ROW(name, type, help, form, sample, field) \
    { name, type, help, form, offsetof(sample, field), NULL }
#define PROM_SERIES(name, type, help, fn) { name, type, help, PROM_EACH, 0, fn }

void prom_write(struct buf *out, const struct prom_row *rows, size_t n, const void *sample);

/* # HELP and # TYPE. */
void prom_head(struct buf *out, const char *name, const char *type, const char *help);
/* A number of seconds, exact. */
void prom_seconds(struct buf *out, uint64_t ns);
/* key="value", with what a value may not hold escaped. */
void prom_label(struct buf *out, const char *key, struct str value);

#endif
