/* tools/status_show.c: heads side by side, a figure a row; the same table says the keys of lines and JSON. */
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include "api/json.h"
#include "tools/status.h"

#define CELL 96

/* Figures of a whole cluster: what another head than its own knows of it. */
struct view { const struct status_heads *all; const struct status_head *head; };

enum form { NUMBER, BYTES, SECONDS, MILLISECONDS, RATE, PERCENT, TEXT };

struct figure {
    const char *label, *key;
    enum form form;
    enum status_series of;                       /* RATE, PERCENT: of its growth */
    /* Instead of a series.  False: not known. */
    bool (*number)(const struct view *v, double *ret);
    const char *(*text)(const struct view *v);   /* NULL: not known */
};

/* ---- What is not simply there ---------------------------------------------------------------------- */

static const char *text_role(const struct view *v)
{
    const struct status_sample *s = &v->head->now;

    if (s->v[STATUS_IS_LEADER] > 0)
        return "leader";
    if (v->head->role != NULL && strcmp(v->head->role, "voter") != 0)
        return v->head->role;
    return s->v[STATUS_LEADER] > 0 ? "follower" : "no leader";
}

/* The newest term's leader knows how far each head has come. */
static bool number_lag(const struct view *v, double *ret)
{
    const struct status_sample *leader = NULL;

    for (unsigned i = 0; i < v->all->n; i++) {
        const struct status_head *h = &v->all->head[i];
        if (h->up && h->now.v[STATUS_IS_LEADER] > 0 &&
            (leader == NULL || h->now.v[STATUS_TERM] > leader->v[STATUS_TERM]))
            leader = &h->now;
    }
    for (unsigned i = 0; leader != NULL && i < leader->n_lag; i++)
        if (leader->lag[i].peer == v->head->id) {
            *ret = leader->lag[i].lag;
            return true;
        }
    return false;
}

static bool number_fsync(const struct view *v, double *ret)
{
    const struct status_sample *s = &v->head->now;

    if (s->v[STATUS_FSYNC_N] <= 0)
        return false;
    *ret = s->v[STATUS_FSYNC_S] / s->v[STATUS_FSYNC_N];
    return true;
}

static bool number_uptime(const struct view *v, double *ret)
{
    if (!v->head->now.there[STATUS_STARTED])
        return false;
    *ret = fmax(0, v->all->wall_s - v->head->now.v[STATUS_STARTED]);
    return true;
}

static const char *text_disk(const struct view *v)
{
    const struct status_sample *s = &v->head->now;

    return s->v[STATUS_DISK_FAILED] > 0 ? "failed" : s->v[STATUS_DISK_FULL] > 0 ? "full" : "ok";
}

static const char *text_alarms(const struct view *v)
{
    return v->head->now.alarms[0] != '\0' ? v->head->now.alarms : "none";
}

static const char *text_version(const struct view *v)
{
    return v->head->now.version[0] != '\0' ? v->head->now.version : NULL;
}

/* ---- The table of figures -------------------------------------------------------------------------- */

#define SERIES(label, key, form, of) { label, key, form, STATUS_##of, NULL, NULL }
#define COMPUTED(label, key, form, fn) { label, key, form, STATUS_N_SERIES, fn, NULL }
#define WORDS(label, key, fn) { label, key, TEXT, STATUS_N_SERIES, NULL, fn }

static const struct figure figures[] = {
    WORDS("role", "role", text_role),
    SERIES("term", "term", NUMBER, TERM),
    SERIES("leader", "leader", NUMBER, LEADER),
    SERIES("leader changes", "leaderChanges", NUMBER, CHANGES),
    SERIES("commit index", "commitIndex", NUMBER, COMMIT),
    SERIES("applied index", "appliedIndex", NUMBER, APPLIED),
    COMPUTED("lag (entries)", "lag", NUMBER, number_lag),
    SERIES("revision", "revision", NUMBER, REVISION),
    SERIES("compacted", "compactRevision", NUMBER, COMPACTED),
    SERIES("keys", "keys", NUMBER, KEYS),
    SERIES("db size", "dbBytes", BYTES, BYTES),
    SERIES("quota", "quotaBytes", BYTES, QUOTA),
    SERIES("history", "historyBytes", BYTES, HISTORY),
    SERIES("leases", "leases", NUMBER, LEASES),
    SERIES("watches", "watches", NUMBER, WATCHES),
    SERIES("slow watches", "slowWatches", NUMBER, SLOW),
    SERIES("events/s", "eventsPerSecond", RATE, EVENTS),
    SERIES("requests/s", "requestsPerSecond", RATE, REQUESTS),
    SERIES("memory", "memoryBytes", BYTES, MEMORY),
    SERIES("cpu", "cpuPercent", PERCENT, CPU),
    SERIES("longest slice", "longestSliceSeconds", MILLISECONDS, SLICE),
    COMPUTED("mean fsync", "meanFsyncSeconds", MILLISECONDS, number_fsync),
    WORDS("disk", "disk", text_disk),
    SERIES("disk used", "diskUsedBytes", BYTES, USED),
    SERIES("disk free", "diskFreeBytes", BYTES, FREE),
    WORDS("alarms", "alarms", text_alarms),
    WORDS("version", "version", text_version),
    COMPUTED("uptime", "uptimeSeconds", SECONDS, number_uptime),
};

static bool value_of(const struct figure *f, const struct view *v, double *ret)
{
    const struct status_head *h = v->head;
    double span;

    if (f->number != NULL)
        return f->number(v, ret);
    if (!h->now.there[f->of])
        return false;
    *ret = h->now.v[f->of];
    if (f->form != RATE && f->form != PERCENT)
        return true;
    span = h->now.at_s - h->before.at_s;
    if (!h->had_before || span <= 0 || *ret < h->before.v[f->of])        /* it has started anew meanwhile */
        return false;
    *ret = (*ret - h->before.v[f->of]) / span * (f->form == PERCENT ? 100 : 1);
    return true;
}

/* ---- For people ------------------------------------------------------------------------------------ */

static void write_bytes(char *out, double v)
{
    static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
    unsigned u = 0;

    for (; v >= 1000 && u + 1 < ARRAY_LEN(unit); u++)
        v /= 1000;
    snprintf(out, CELL, u == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, unit[u]);
}

static void write_duration(char *out, double v)
{
    unsigned long long s = (unsigned long long)v;

    if (s >= 86400)
        snprintf(out, CELL, "%llud%lluh", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        snprintf(out, CELL, "%lluh%llum", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        snprintf(out, CELL, "%llum%llus", s / 60, s % 60);
    else
        snprintf(out, CELL, "%llus", s);
}

static void write_cell(char out[CELL], const struct figure *f, const struct view *v)
{
    const char *text;
    double n;

    snprintf(out, CELL, "-");
    if (f->form == TEXT) {
        if ((text = f->text(v)) != NULL)
            snprintf(out, CELL, "%s", text);
        return;
    }
    if (!value_of(f, v, &n))
        return;
    switch (f->form) {
    case BYTES:        write_bytes(out, n); break;
    case SECONDS:      write_duration(out, n); break;
    case MILLISECONDS: snprintf(out, CELL, "%.2f ms", n * 1000); break;
    case PERCENT:      snprintf(out, CELL, "%.1f %%", n); break;
    default:           snprintf(out, CELL, "%.0f", n); break;
    }
}

static void head_cell(char out[CELL], const struct figure *f, const struct status_heads *all, unsigned i)
{
    struct view v = { all, &all->head[i] };

    if (v.head->up)
        write_cell(out, f, &v);
    else
        snprintf(out, CELL, "%s", f->text == text_role ? "DOWN" : "-");
}

static int column_width(const struct status_heads *all, unsigned i)
{
    size_t width = strlen(all->head[i].name);
    char   cell[CELL];

    for (size_t k = 0; k < ARRAY_LEN(figures); k++) {
        head_cell(cell, &figures[k], all, i);
        width = MAX_OF(width, strlen(cell));
    }
    return (int)width;
}

void status_show_table(FILE *to, const struct status_heads *all)
{
    int    width[STATUS_HEADS];
    char   cell[CELL];

    fprintf(to, "%-16s", "HEAD");
    for (unsigned i = 0; i < all->n; i++) {
        width[i] = column_width(all, i);
        fprintf(to, "  %*s", width[i], all->head[i].name);
    }
    fputc('\n', to);
    for (size_t k = 0; k < ARRAY_LEN(figures); k++) {
        fprintf(to, "%-16s", figures[k].label);
        for (unsigned i = 0; i < all->n; i++) {
            head_cell(cell, &figures[k], all, i);
            fprintf(to, "  %*s", width[i], cell);
        }
        fputc('\n', to);
    }
    for (unsigned i = 0; i < all->n; i++)
        if (!all->head[i].up)
            fprintf(to, "%s does not answer at %s: %s\n", all->head[i].name, all->head[i].url,
                    all->head[i].reason);
}

/* ---- For programs ---------------------------------------------------------------------------------- */

static struct json *json_of(struct arena *a, const struct figure *f, const struct view *v)
{
    const char *text;
    double n;

    if (f->form == TEXT)
        return (text = f->text(v)) != NULL ? json_string(a, str_of(text)) : NULL;
    if (!value_of(f, v, &n))
        return NULL;
    if (f->form == NUMBER || f->form == BYTES)
        return json_int(a, (int64_t)n);
    return json_raw(a, arena_fmt(a, "%.6f", n));
}

static struct json *head_json(struct arena *a, const struct status_heads *all, unsigned i)
{
    struct view  v = { all, &all->head[i] };
    struct json *j = json_object(a), *value;

    if (v.head->id > 0)
        json_setz(a, j, "id", json_int(a, (int64_t)v.head->id));
    json_setz(a, j, "name", json_string(a, str_of(v.head->name)));
    json_setz(a, j, "url", json_string(a, str_of(v.head->url)));
    json_setz(a, j, "up", json_bool(a, v.head->up));
    if (!v.head->up) {
        json_setz(a, j, "reason", json_string(a, str_of(v.head->reason)));
        return j;
    }
    for (size_t k = 0; k < ARRAY_LEN(figures); k++)
        if ((value = json_of(a, &figures[k], &v)) != NULL)
            json_setz(a, j, figures[k].key, value);
    return j;
}

void status_show_json(FILE *to, const struct status_heads *all, bool pretty)
{
    struct arena a = ARENA_INIT;
    struct json *j = json_object(&a), *heads = json_setz(&a, j, "heads", json_array(&a));
    struct buf   out = BUF_INIT;

    for (unsigned i = 0; i < all->n; i++)
        json_push(heads, head_json(&a, all, i));
    if (pretty)
        json_write_pretty(&out, j, 2);
    else
        json_write(&out, j);
    fprintf(to, "%.*s\n", STR_ARG(buf_str(&out)));
    buf_release(&out);
    arena_release(&a);
}

void status_show_lines(FILE *to, const struct status_heads *all)
{
    time_t    now = (time_t)all->wall_s;
    struct tm tm;
    char      when[16] = "";

    if (localtime_r(&now, &tm) != NULL)
        strftime(when, sizeof when, "%H:%M:%S", &tm);
    for (unsigned i = 0; i < all->n; i++) {
        struct arena a = ARENA_INIT;
        struct json *j = head_json(&a, all, i);
        struct buf   out = BUF_INIT;
        fprintf(to, "%s %s", when, all->head[i].name);
        json_each(it, j) {
            if (str_is(it->key, "name"))
                continue;
            buf_clear(&out);
            json_write(&out, it);
            fprintf(to, " %.*s=%.*s", STR_ARG(it->key), STR_ARG(buf_str(&out)));
        }
        fputc('\n', to);
        buf_release(&out);
        arena_release(&a);
    }
}
