/* tools/status_read.c: a head's Prometheus text into the figures that are shown.  The text comes from a head,
 * but over a network: whatever it is, it is bounded by its length and nothing of it is trusted. */
#include <stdlib.h>
#include "tools/status.h"

#define LARGEST 9e18                             /* what fits an integer */

/* The value of a label, as it stands there (escapes are kept), into ret[cap]; false: there is none. */
static bool label(struct str labels, const char *key, char *ret, size_t cap)
{
    size_t n = strlen(key);

    for (size_t at = 0; at + n + 2 < labels.n; at++) {
        struct str rest = str_from(labels, at);
        ptrdiff_t end;
        if ((at > 0 && labels.p[at - 1] != ',') || memcmp(rest.p, key, n) != 0 || rest.p[n] != '=' ||
            rest.p[n + 1] != '"')
            continue;
        rest = str_from(rest, n + 2);
        if ((end = str_find(rest, '"')) < 0)
            return false;
        snprintf(ret, cap, "%.*s", (int)end, rest.p);
        return true;
    }
    return false;
}

static uint64_t label_number(struct str labels, const char *key)
{
    char text[32];
    uint64_t n;

    return label(labels, key, text, sizeof text) && str_u64(str_of(text), &n) ? n : 0;
}

static void read_info(struct status_sample *s, struct str labels)
{
    s->id = label_number(labels, "id");
    label(labels, "name", s->name, sizeof s->name);
    label(labels, "version", s->version, sizeof s->version);
}

static void read_lag(struct status_sample *s, struct str labels, double v)
{
    if (s->n_lag < RAFT_MAX_HEADS) {
        s->lag[s->n_lag].peer = label_number(labels, "peer");
        s->lag[s->n_lag++].lag = v;
    }
}

static void read_alarm(struct status_sample *s, struct str labels)
{
    char type[32] = "";
    size_t n = strlen(s->alarms);

    label(labels, "alarm", type, sizeof type);
    snprintf(s->alarms + n, sizeof s->alarms - n, "%s%s(%llu)", n > 0 ? " " : "", type,
             (unsigned long long)label_number(labels, "member"));
}

static void read_series(struct status_sample *s, struct str name, struct str labels, double v)
{
#define STATUS_NAME(id, text) STR(text),
    static const struct str names[STATUS_N_SERIES] = { STATUS_SERIES(STATUS_NAME) };
#undef STATUS_NAME

    for (size_t i = 0; i < STATUS_N_SERIES; i++)
        if (str_eq(name, names[i])) {
            s->v[i] += v;
            s->there[i] = true;
            return;
        }
    if (str_is(name, "coracle_head_info"))
        read_info(s, labels);
    else if (str_is(name, "coracle_raft_peer_lag"))
        read_lag(s, labels, v);
    else if (str_is(name, "coracle_alarm"))
        read_alarm(s, labels);
}

void status_read(struct str text, struct status_sample *ret)
{
    struct str line;

    *ret = (struct status_sample){ .id = 0 };
    while (str_split(&text, '\n', &line)) {
        char   number[40];
        size_t at = line.n, end;
        while (at > 0 && line.p[at - 1] != ' ')
            at--;
        if (at < 2 || line.p[0] == '#' || line.n - at >= sizeof number)
            continue;
        snprintf(number, sizeof number, "%.*s", (int)(line.n - at), line.p + at);
        line = str_upto(line, at - 1);
        end = str_find(line, '{') >= 0 ? (size_t)str_find(line, '{') : line.n;
        struct str labels = end < line.n ? str_from(line, end + 1) : STR_NONE;
        double v = strtod(number, NULL);
        if (v > -LARGEST && v < LARGEST)         /* not NaN either */
            read_series(ret, str_upto(line, end), labels, v);
    }
}
