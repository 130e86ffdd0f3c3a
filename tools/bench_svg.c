/* tools/bench_svg.c: the result as a picture: latency over time above, its distribution below. */
#include <math.h>
#include <stdio.h>
#include "node/files.h"
#include "tools/bench.h"

#define SVG_W      960
#define SVG_H      780
#define PLOT_X     80.0
#define PLOT_W     800.0

/* A rectangle of the picture in which latency runs upwards on a logarithmic scale. */
struct plot { double y, h, lo_ms, hi_ms; };

static double y_of(const struct plot *p, double ms)
{
    double v = MIN_OF(MAX_OF(ms, p->lo_ms), p->hi_ms);
    return p->y + p->h - p->h * (log10(v) - log10(p->lo_ms)) / (log10(p->hi_ms) - log10(p->lo_ms));
}

static void text(struct buf *o, double x, double y, const char *anchor, const char *more, const char *s)
{
    buf_fmt(o, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor, more, s);
}

static void frame(struct buf *o, const struct plot *p, const char *title)
{
    char label[32];

    text(o, PLOT_X, p->y - 12, "start", " class=\"title\"", title);
    for (double ms = p->lo_ms; ms <= p->hi_ms * 1.001; ms *= 10) {
        double y = y_of(p, ms);
        buf_fmt(o, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", PLOT_X, y,
                PLOT_X + PLOT_W, y);
        snprintf(label, sizeof label, "%g", ms);
        text(o, PLOT_X - 8, y + 4, "end", "", label);
    }
    buf_fmt(o,
            "<text transform=\"translate(24 %.1f) rotate(-90)\" text-anchor=\"middle\">latency, ms</text>\n",
            p->y + p->h / 2);
    buf_fmt(o, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", PLOT_X, p->y,
            PLOT_W, p->h);
}

static void range_of(const struct bench *b, struct plot *p)
{
    const struct results *r = &b->res;
    const struct hist *h = r->metric[r->main];
    double lo = h != NULL ? (double)MAX_OF(h->min, 1000) / 1e6 : 0.1,
           hi = h != NULL ? (double)h->max / 1e6 : 10;

    p->lo_ms = pow(10, floor(log10(lo)));
    p->hi_ms = pow(10, ceil(log10(MAX_OF(hi, p->lo_ms * 1.01))));
}

/* ---- Over time ---------------------------------------------------------------------------------- */

static void line_over_time(struct buf *o, const struct plot *p, const struct results *r, const char *class,
                           int which)
{
    bool pen = false;

    buf_fmt(o, "<path class=\"%s\" d=\"", class);
    for (unsigned i = 0; i < r->n_slots; i++) {
        const struct results_slot *s = &r->slot[i];
        uint64_t ns = which == 0 ? s->p50 : which == 1 ? s->p99 : s->max;
        if (s->n == 0) {
            pen = false;                         /* nothing finished: a gap, not a line over it */
            continue;
        }
        buf_fmt(o, "%c%.1f %.1f ", pen ? 'L' : 'M', PLOT_X + PLOT_W * (i + 0.5) / MAX_OF(r->n_slots, 1u),
                y_of(p, (double)ns / 1e6));
        if (!pen)
            buf_z(o, "h0.1 ");
        pen = true;
    }
    buf_z(o, "\"/>\n");
}

static double nice_step(double range, unsigned want)
{
    double raw = range / want, base = pow(10, floor(log10(raw)));

    return raw <= base ? base : raw <= 2 * base ? 2 * base : raw <= 5 * base ? 5 * base : 10 * base;
}

static void throughput_bars(struct buf *o, const struct plot *p, const struct results *r)
{
    uint64_t most = 1;
    double w = PLOT_W / MAX_OF(r->n_slots, 1u);
    char label[64];

    for (unsigned i = 0; i < r->n_slots; i++)
        most = MAX_OF(most, r->slot[i].n);
    for (unsigned i = 0; i < r->n_slots; i++) {
        double h = p->h * 0.9 * (double)r->slot[i].n / (double)most;
        buf_fmt(o, "<rect class=\"bar\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>\n",
                PLOT_X + i * w, p->y + p->h - h, w, h);
        if (r->slot[i].errors > 0)
            buf_fmt(o,
                    "<rect class=\"bad\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"6\"><title>%llu "
                    "errors</title></rect>\n",
                    PLOT_X + i * w, p->y + p->h - 6, MAX_OF(w, 2), (unsigned long long)r->slot[i].errors);
    }
    snprintf(label, sizeof label, "%.0f/s", (double)most * 1e9 / (double)r->slot_ns);
    text(o, PLOT_X + PLOT_W + 6, p->y + p->h * 0.1 + 4, "start", "", label);
    text(o, PLOT_X + PLOT_W + 6, p->y + p->h + 4, "start", "", "0/s");
}

static void legend(struct buf *o, double y)
{
    static const struct { const char *class, *name;
    } items[] = {
        { "p50", "p50" },    { "p99", "p99" }, { "max", "maximum" }, { "bar", "throughput (right)" },
        { "bad", "errors" },
    };
    double x = PLOT_X + 330;

    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        if (i < 3)
            buf_fmt(o, "<path class=\"%s\" d=\"M%.0f %.0fh22\"/>", items[i].class, x, y - 4);
        else
            buf_fmt(o, "<rect class=\"%s\" x=\"%.0f\" y=\"%.0f\" width=\"22\" height=\"9\"/>", items[i].class,
                    x, y - 9);
        text(o, x + 28, y, "start", "", items[i].name);
        x += 50 + 8.0 * (double)strlen(items[i].name);
    }
}

static void draw_over_time(struct buf *o, const struct plot *p, const struct results *r)
{
    double seconds = (double)(r->n_slots * r->slot_ns) / 1e9, step;
    char title[96], label[32];

    snprintf(title, sizeof title, "Latency over time: %s", metric_names[r->main]);
    throughput_bars(o, p, r);
    frame(o, p, title);
    legend(o, p->y - 12);
    line_over_time(o, p, r, "max", 2);
    line_over_time(o, p, r, "p99", 1);
    line_over_time(o, p, r, "p50", 0);
    step = nice_step(MAX_OF(seconds, 0.1), 8);
    for (double t = 0; t <= seconds + step / 100; t += step) {
        snprintf(label, sizeof label, "%g", t);
        text(o, PLOT_X + PLOT_W * t / MAX_OF(seconds, 0.1), p->y + p->h + 18, "middle", "", label);
    }
    text(o, PLOT_X + PLOT_W / 2, p->y + p->h + 38, "middle", "", "time since measuring began, s");
}

/* ---- Distribution: the further right, the rarer: 90 %, 99 %, 99.9 % stand at equal distances ---- */

static double x_of(double nines, double most)
{
    return PLOT_X + PLOT_W * nines / most;
}

static void draw_distribution(struct buf *o, const struct plot *p, const struct results *r)
{
    static const char *const at[] = { "0 %",     "90 %",     "99 %",      "99.9 %",
                                      "99.99 %", "99.999 %", "99.9999 %", "99.99999 %" };
    const struct hist *h = r->metric[r->main];
    char title[96];
    double most;

    snprintf(title, sizeof title, "Distribution: %s", metric_names[r->main]);
    frame(o, p, title);
    if (h == NULL || h->n == 0)
        return;
    most = MIN_OF(MAX_OF(ceil(log10((double)h->n)), 1), (double)ARRAY_LEN(at) - 1);
    for (unsigned i = 0; i <= (unsigned)most; i++) {
        double x = x_of(i, most);
        buf_fmt(o, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x, p->y, x,
                p->y + p->h);
        text(o, x, p->y + p->h + 18, "middle", "", at[i]);
    }
    buf_fmt(o, "<path class=\"p50\" d=\"");
    for (unsigned i = 0; i <= 200; i++) {
        double nines = most * i / 200, share = 1 - pow(10, -nines);
        buf_fmt(o, "%c%.1f %.1f ", i == 0 ? 'M' : 'L', x_of(nines, most),
                y_of(p, (double)hist_at(h, share) / 1e6));
    }
    buf_z(o, "\"/>\n");
    text(o, PLOT_X + PLOT_W / 2, p->y + p->h + 38, "middle", "", "share of requests that took no longer");
}

/* ---- The whole ---------------------------------------------------------------------------------- */

static void draw_head(struct buf *o, const struct bench *b)
{
    const struct results *r = &b->res;
    char line[200];

    buf_fmt(o,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n",
            SVG_W, SVG_H, SVG_W, SVG_H);
    buf_z(o,
          "<style>text{font:13px "
          "sans-serif;fill:#333}.head{font-size:18px;font-weight:bold}.title{font-size:15px;font-weight:bold}"
          ".grid{stroke:#ddd}.frame{fill:none;stroke:#999}path{fill:none;stroke-width:1.6;stroke-linejoin:"
          "round}"
          ".p50{stroke:#1668b8}.p99{stroke:#e07b00}.max{stroke:#b03060;stroke-width:.9}.bar{fill:#dfeaf5}."
          "bad{fill:#d00000}</style>\n");
    buf_fmt(o, "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", SVG_W, SVG_H);
    snprintf(line, sizeof line, "coracle bench %s: %.0f/s over %.1f s, %lld connections, %llu errors",
             b->work->name, (double)r->n / results_seconds(r), results_seconds(r),
             (long long)b->cfg.connections, (unsigned long long)r->n_errors_total);
    text(o, PLOT_X, 34, "start", " class=\"head\"", line);
}

int report_svg(const struct bench *b, const char *path, struct errbuf *err)
{
    struct plot over_time = { .y = 90, .h = 270 }, distribution = { .y = 450, .h = 270 };
    struct buf o = BUF_INIT;
    int rc;

    range_of(b, &over_time);
    distribution.lo_ms = over_time.lo_ms;
    distribution.hi_ms = over_time.hi_ms;
    draw_head(&o, b);
    draw_over_time(&o, &over_time, &b->res);
    draw_distribution(&o, &distribution, &b->res);
    buf_z(&o, "</svg>\n");
    rc = file_replace(path, buf_str(&o), 0644, false, err);
    buf_release(&o);
    return rc;
}
