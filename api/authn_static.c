/* api/authn_static.c: bearer tokens of a file: lines of token,user,uid,"group,group".  Read once; only where
 * somebody asked for it. */
#include "api/authn_impl.h"
#include "net/tls.h"

struct line { struct str token; struct exchange_user user; struct line *next; };
struct statics { struct line *first; };

/* One field of a CSV line; quotes allow commas. */
static bool csv_field(struct str *rest, struct str *ret)
{
    if (rest->p == NULL)
        return false;
    if (rest->n > 0 && rest->p[0] == '"') {
        struct str body = str_from(*rest, 1);
        ptrdiff_t  end = str_find(body, '"');

        *ret = end < 0 ? body : str_upto(body, (size_t)end);
        *rest = end < 0 ? STR_NONE : str_from(body, (size_t)end + 1);
        *rest = rest->n > 0 && rest->p[0] == ',' ? str_from(*rest, 1) : STR_NONE;
        return true;
    }
    return str_split(rest, ',', ret);
}

static void set_groups(struct arena *a, struct line *t, struct str list)
{
    size_t      max = 2;
    struct str  part, *groups;

    for (size_t i = 0; i < list.n; i++)
        max += list.p[i] == ',';
    groups = arena_zalloc(a, max * sizeof(*groups));
    while (str_split(&list, ',', &part))
        if (str_trim(part).n > 0)
            groups[t->user.n_groups++] = str_trim(part);
    groups[t->user.n_groups++] = STR(GROUP_AUTHENTICATED);
    t->user.groups = groups;
}

static int load(struct arena *a, struct statics *s, struct str text, struct errbuf *err)
{
    struct str rest = arena_str(a, text), line;

    for (unsigned number = 1; str_split(&rest, '\n', &line); number++) {
        struct line *t;
        struct str   groups = STR_NONE;

        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        t = arena_new(a, struct line);
        if (!csv_field(&line, &t->token) || !csv_field(&line, &t->user.name) ||
            !csv_field(&line, &t->user.uid) || t->token.n == 0 || t->user.name.n == 0)
            return err_set(err, E_INVALID, "token file, line %u: must be token,user,uid[,\"group,group\"]",
                           number);
        csv_field(&line, &groups);
        set_groups(a, t, groups);
        t->next = s->first;
        s->first = t;
    }
    return 0;
}

/* Every line is compared, each in constant time. */
static const struct exchange_user *find(const struct statics *s, struct str token)
{
    const struct exchange_user *found = NULL;

    for (const struct line *t = s->first; t != NULL; t = t->next)
        if (pki_equal(t->token, token))
            found = &t->user;
    return found;
}

static enum token_answer ask(void *state, struct authn_query *q)
{
    const struct exchange_user *u = find(state, q->token);

    return u == NULL ? TOKEN_FOREIGN : token_accept_here(q, u);
}

static bool likely(void *state, struct arena *a, struct str token)
{
    (void)a;
    return find(state, token) != NULL;
}

int token_static_open(struct authn *n, struct str lines, struct token_method *ret, struct errbuf *err)
{
    struct statics *s = arena_new(&n->arena, struct statics);

    *ret = (struct token_method){ .name = "static", .ask = ask, .likely = likely, .state = s };
    return load(&n->arena, s, lines, err);
}
