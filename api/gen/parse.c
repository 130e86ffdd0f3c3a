/* api/gen/parse.c: schema files, line by line.  The format is described at the head of
 * api/schema/meta.schema. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "api/gen/gen.h"

struct parser {
    struct schema *s;
    struct where at;
    struct package *pkg;
    struct gen_type *type;                       /* whose fields and directives follow */
    char **help;                                 /* what a line that begins with | goes on */
};

/* ---- words -------------------------------------------------------------------------------------- */

struct words { char *v[MAX_WORDS]; int n; };

/* Blank separated; "double quotes" keep blanks (the quotes stay when they follow a =). */
static struct words split_words(const struct parser *p, char *line)
{
    struct words w = { .n = 0 };
    char *at = line;

    for (;;) {
        at += strspn(at, " \t");
        if (*at == '\0')
            return w;
        if (w.n == MAX_WORDS)
            fail(p->at, "more than %d words", MAX_WORDS);
        w.v[w.n] = at;
        bool quoted = false;
        for (; *at != '\0' && (quoted || (*at != ' ' && *at != '\t')); at++)
            quoted ^= *at == '"';
        if (quoted)
            fail(p->at, "a quote is not closed");
        if (*at != '\0')
            *at++ = '\0';
        char *word = w.v[w.n];
        size_t n = strlen(word);
        if (n >= 2 && word[0] == '"') {          /* a whole word in quotes: without them */
            word[n - 1] = '\0';
            w.v[w.n]++;
        }
        w.n++;
    }
}

static struct list split_list(const struct parser *p, const char *text)
{
    struct list l = { .n = 0 };
    char *save = NULL, *copy = text_copy(text);

    for (char *v = strtok_r(copy, ",", &save); v != NULL; v = strtok_r(NULL, ",", &save)) {
        if (l.n == MAX_LIST)
            fail(p->at, "more than %d values", MAX_LIST);
        l.v[l.n++] = v;
    }
    return l;
}

/* The value if word is "name=value", else NULL. */
static char *attr(char *word, const char *name)
{
    size_t n = strlen(name);
    return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

/* ---- top level ---------------------------------------------------------------------------------- */

static int parse_number(const struct parser *p, const char *text, const char *what)
{
    char *end;
    long v = strtol(text, &end, 10);

    if (end == text || *end != '\0' || v < 0 || v > 0xffff)
        fail(p->at, "%s: %s expected", text, what);
    return (int)v;
}

static void parse_package(struct parser *p, struct words *w)
{
    char *group, *version, *order = w->n == 6 ? attr(w->v[5], "order") : NULL;

    if (w->n < 5 || w->n > 6 || (w->n == 6 && order == NULL) || (group = attr(w->v[3], "group")) == NULL
        || (version = attr(w->v[4], "version")) == NULL)
        fail(p->at, "package ALIAS OPENAPI-NAME group=G version=V [order=N] expected");
    p->type = NULL;
    p->help = NULL;
    for (int i = 0; i < p->s->n_packages; i++)
        if (strcmp(p->s->packages[i]->openapi, w->v[2]) == 0) {
            p->pkg = p->s->packages[i];
            return;
        }
    p->s->packages = more(p->s->packages, (size_t)p->s->n_packages, sizeof(p->s->packages[0]));
    p->pkg = more(NULL, 0, sizeof(*p->pkg));
    p->s->packages[p->s->n_packages++] = p->pkg;
    *p->pkg = (struct package){ text_copy(w->v[1]), text_copy(w->v[2]),
                                strcmp(group, "\"\"") == 0 ? "" : text_copy(group), text_copy(version),
                                order != NULL ? parse_number(p, order, "a place in the order") : 0 };
}

static void parse_enum(struct parser *p, struct words *w)
{
    struct gen_enum *e = more(NULL, 0, sizeof(*e));

    if (w->n < 3)
        fail(p->at, "enum NAME VALUE... expected");
    if (enum_find(p->s, p->pkg, w->v[1]) != NULL)
        fail(p->at, "enum %s is there already", w->v[1]);
    *e = (struct gen_enum){ .at = p->at, .pkg = p->pkg, .name = text_copy(w->v[1]) };
    for (int i = 2; i < w->n; i++) {
        e->values = more(e->values, (size_t)e->n, sizeof(e->values[0]));
        e->values[e->n++] = text_copy(w->v[i]);
    }
    p->s->enums = more(p->s->enums, (size_t)p->s->n_enums, sizeof(p->s->enums[0]));
    p->s->enums[p->s->n_enums++] = e;
}

static void parse_type(struct parser *p, struct words *w, bool is_kind)
{
    struct gen_type *t = more(NULL, 0, sizeof(*t)), *was;

    if (w->n != 2)
        fail(p->at, "one name expected");
    was = type_find(p->s, p->pkg, w->v[1]);
    if (was != NULL && was->pkg == p->pkg)
        fail(p->at, "%s is there already, at %s:%d", w->v[1], was->at.file, was->at.line);
    *t = (struct gen_type){ .at = p->at, .pkg = p->pkg, .name = text_copy(w->v[1]), .is_kind = is_kind };
    p->s->types = more(p->s->types, (size_t)p->s->n_types, sizeof(p->s->types[0]));
    p->s->types[p->s->n_types++] = t;
    p->type = t;
    p->help = &t->help;
    for (int i = 0; is_kind && i < 2; i++) {
        struct gen_field *f;

        t->fields = more(t->fields, (size_t)t->n_fields, sizeof(*f));
        f = &t->fields[t->n_fields++];
        f->at = p->at;
        f->name = text_copy(i == 0 ? "apiVersion" : "kind");
        f->type_name = text_copy("string");
        f->help = text_copy(i == 0 ? "Group and version that the object is written in."
                                   : "Kind of the object, as one word.");
    }
}

static void parse_top(struct parser *p, struct words *w)
{
    if (strcmp(w->v[0], "package") == 0)
        parse_package(p, w);
    else if (p->pkg == NULL)
        fail(p->at, "package must come first");
    else if (strcmp(w->v[0], "enum") == 0)
        parse_enum(p, w);
    else if (strcmp(w->v[0], "type") == 0)
        parse_type(p, w, false);
    else if (strcmp(w->v[0], "kind") == 0)
        parse_type(p, w, true);
    else if (strcmp(w->v[0], "either") == 0) {
        parse_type(p, w, false);
        p->type->is_either = true;
    } else
        fail(p->at, "%s: package, enum, type, either or kind expected", w->v[0]);
}

/* ---- fields ------------------------------------------------------------------------------------- */

static void parse_attr(struct parser *p, struct gen_field *f, char *a)
{
    char *v;

    if (strcmp(a, "required") == 0)
        f->required = true;
    else if (strcmp(a, "always") == 0)
        f->always = true;
    else if (strcmp(a, "immutable") == 0)
        f->immutable = true;
    else if (strcmp(a, "unique") == 0)
        f->unique = true;
    else if (strcmp(a, "merge") == 0)
        f->merge = true;
    else if ((v = attr(a, "merge")) != NULL)
        f->merge = true, f->merge_key = text_copy(v);
    else if (strcmp(a, "replace") == 0)
        f->replace = true;
    else if (strcmp(a, "retainkeys") == 0)
        f->retain_keys = true;
    else if (strcmp(a, "set") == 0)
        f->list_type = "SCHEMA_SET";
    else if (strcmp(a, "atomic") == 0)
        f->list_type = "SCHEMA_ATOMIC";
    else if ((v = attr(a, "keys")) != NULL)
        f->list_type = "SCHEMA_BY_KEYS", f->keys = split_list(p, v);
    else if ((v = attr(a, "default")) != NULL)
        f->dflt = text_copy(v);
    else if ((v = attr(a, "min")) != NULL)
        f->min = text_copy(v);
    else if ((v = attr(a, "max")) != NULL)
        f->max = text_copy(v);
    else if ((v = attr(a, "minitems")) != NULL)
        f->min_items = text_copy(v);
    else if ((v = attr(a, "maxitems")) != NULL)
        f->max_items = text_copy(v);
    else if ((v = attr(a, "format")) != NULL)
        f->format = text_copy(v);
    else if ((v = attr(a, "stored")) != NULL)
        f->stored = text_copy(v);
    else
        fail(p->at, "%s: no such attribute", a);
}

static struct gen_field *field_add(struct parser *p)
{
    struct gen_type *t = p->type;

    t->fields = more(t->fields, (size_t)t->n_fields, sizeof(t->fields[0]));
    t->fields[t->n_fields].at = p->at;
    return &t->fields[t->n_fields++];
}

static void parse_field(struct parser *p, struct words *w)
{
    struct gen_field *f;

    if (w->n < 3)
        fail(p->at, "NAME TYPE NUMBER expected");
    for (int i = 0; i < p->type->n_fields; i++)
        if (p->type->fields[i].name != NULL && strcmp(p->type->fields[i].name, w->v[0]) == 0)
            fail(p->at, "field %s is there already", w->v[0]);
    f = field_add(p);
    f->name = text_copy(w->v[0]);
    f->type_name = text_copy(w->v[1]);
    f->pb = parse_number(p, w->v[2], "a protobuf number");
    for (int i = 3; i < w->n; i++)
        parse_attr(p, f, w->v[i]);
    p->help = &f->help;
}

/* ---- directives --------------------------------------------------------------------------------- */

static unsigned parse_verbs(const struct parser *p, const char *text)
{
    static const char *const verbs[] = { "get",    "list",  "watch",  "create",
                                         "update", "patch", "delete", "deletecollection" };
    struct list l = split_list(p, text);
    unsigned bits = 0;

    if (strcmp(text, "all") == 0)
        return 0xff;
    for (int i = 0; i < l.n; i++) {
        unsigned v = 0;

        while (v < 8 && strcmp(l.v[i], verbs[v]) != 0)
            v++;
        if (v == 8)
            fail(p->at, "%s: no such verb", l.v[i]);
        bits |= 1u << v;
    }
    return bits;
}

static void parse_resource_attr(struct parser *p, struct gen_resource *r, char *a)
{
    char *v;

    if ((v = attr(a, "singular")) != NULL)
        r->singular = text_copy(v);
    else if ((v = attr(a, "short")) != NULL)
        r->short_names = split_list(p, v);
    else if ((v = attr(a, "categories")) != NULL)
        r->categories = split_list(p, v);
    else if ((v = attr(a, "verbs")) != NULL)
        r->verbs = parse_verbs(p, v);
    else if ((v = attr(a, "storage")) != NULL)
        r->storage = text_copy(v);
    else if ((v = attr(a, "stored-as")) != NULL)
        r->stored_as = text_copy(v);
    else if (strcmp(a, "namespaced") == 0)
        r->namespaced = true;
    else if (strcmp(a, "status") == 0)
        r->status = true;
    else if (strcmp(a, "generation") == 0)
        r->generation = true;
    else if (strcmp(a, "virtual") == 0)
        r->virtual_ = true;
    else
        fail(p->at, "%s: no such attribute of a resource", a);
}

static void parse_resource(struct parser *p, struct words *w)
{
    struct gen_resource *r = more(NULL, 0, sizeof(*r));

    if (!p->type->is_kind || p->type->resource != NULL || w->n < 2)
        fail(p->at, "@resource PLURAL... once in a kind expected");
    *r = (struct gen_resource){ .at = p->at, .plural = text_copy(w->v[1]), .kind = p->type };
    for (int i = 2; i < w->n; i++)
        parse_resource_attr(p, r, w->v[i]);
    if (r->singular == NULL || r->verbs == 0)
        fail(p->at, "a resource needs singular= and verbs=");
    p->type->resource = r;
    p->s->resources = more(p->s->resources, (size_t)p->s->n_resources, sizeof(p->s->resources[0]));
    p->s->resources[p->s->n_resources++] = r;
}

static void parse_sub(struct parser *p, struct gen_resource *r, struct words *w)
{
    struct gen_sub *sub;

    if (w->n < 3)
        fail(p->at, "@sub NAME VERBS expected");
    r->subs = more(r->subs, (size_t)r->n_subs, sizeof(r->subs[0]));
    sub = &r->subs[r->n_subs++];
    *sub = (struct gen_sub){ .at = p->at, .name = text_copy(w->v[1]), .verbs = parse_verbs(p, w->v[2]) };
    for (int i = 3; i < w->n; i++) {
        char *v = attr(w->v[i], "kind");

        if (v != NULL)
            sub->kind_name = text_copy(v);
        else if (strcmp(w->v[i], "connect") == 0)
            sub->connect = true;
        else if (strcmp(w->v[i], "of-status") == 0)
            sub->of_status = true;
        else
            fail(p->at, "%s: connect, of-status or kind= expected", w->v[i]);
    }
}

static void parse_column(struct parser *p, struct gen_resource *r, struct words *w)
{
    struct gen_column *c;
    char *from = w->n > 4 ? w->v[4] : NULL, *bracket = from != NULL ? strchr(from, '(') : NULL;
    size_t n = from != NULL ? strlen(from) : 0;

    if (w->n < 5 || w->n > 6 || (w->n == 6 && strcmp(w->v[5], "wide") != 0))
        fail(p->at, "@column NAME TYPE FORMAT PATH|FUNC()|FUNC(PATH) [wide] expected");
    r->columns = more(r->columns, (size_t)r->n_columns, sizeof(r->columns[0]));
    c = &r->columns[r->n_columns++];
    c->name = text_copy(w->v[1]);
    c->type = text_copy(w->v[2]);
    c->format = strcmp(w->v[3], "-") == 0 ? text_copy("") : text_copy(w->v[3]);
    c->wide = w->n == 6;
    if (bracket > from && from[n - 1] == ')') {
        from[n - 1] = *bracket = '\0';
        c->func = text_copy(from);
        c->path = bracket[1] != '\0' ? text_copy(bracket + 1) : NULL;
    } else {
        c->path = text_copy(from);
    }
    p->help = &c->help;
}

/* "text" */
static char *unquoted(const char *text)
{
    char *copy = text_copy(text + (text[0] == '"'));
    size_t n = strlen(copy);

    if (n > 0 && copy[n - 1] == '"')
        copy[n - 1] = '\0';
    return copy;
}

static void parse_one_of(struct parser *p, struct gen_type *t, struct words *w)
{
    char *v;

    for (int i = 1; i < w->n; i++)
        if ((v = attr(w->v[i], "none")) != NULL)
            t->none = unquoted(v);
        else if ((v = attr(w->v[i], "several")) != NULL)
            t->several = unquoted(v);
        else if (t->one_of.n == MAX_LIST)
            fail(p->at, "more than %d fields", MAX_LIST);
        else
            t->one_of.v[t->one_of.n++] = text_copy(w->v[i]);
    if (t->one_of.n < 2 || t->none == NULL)
        fail(p->at, "@oneof NAME NAME... none=MESSAGE [several=MESSAGE] expected");
}

static void parse_directive(struct parser *p, struct words *w)
{
    struct gen_resource *r = p->type->resource;

    p->help = NULL;
    if (strcmp(w->v[0], "@inline") == 0) {
        struct gen_field *f;

        if (w->n != 3)
            fail(p->at, "@inline TYPE NUMBER expected");
        f = field_add(p);
        f->is_inline = true;
        f->type_name = text_copy(w->v[1]);
        f->pb = parse_number(p, w->v[2], "a protobuf number");
    } else if (strcmp(w->v[0], "@resource") == 0) {
        parse_resource(p, w);
    } else if (strcmp(w->v[0], "@oneof") == 0) {
        parse_one_of(p, p->type, w);
    } else if (strcmp(w->v[0], "@atomic") == 0) {
        p->type->atomic = true;
    } else if (r == NULL) {
        fail(p->at, "%s must follow @resource", w->v[0]);
    } else if (strcmp(w->v[0], "@sub") == 0) {
        parse_sub(p, r, w);
    } else if (strcmp(w->v[0], "@column") == 0) {
        parse_column(p, r, w);
    } else if (strcmp(w->v[0], "@select") == 0) {
        for (int i = 1; i < w->n; i++) {
            if (r->select.n == MAX_LIST)
                fail(p->at, "more than %d paths", MAX_LIST);
            r->select.v[r->select.n++] = text_copy(w->v[i]);
        }
    } else {
        fail(p->at, "%s: no such directive", w->v[0]);
    }
}

/* ---- lines -------------------------------------------------------------------------------------- */

static void help_add(struct parser *p, const char *text)
{
    char *old, *joined;
    size_t n;

    if (p->help == NULL)
        fail(p->at, "nothing here that could be described");
    text += strspn(text, " ");
    old = *p->help;
    n = (old != NULL ? strlen(old) + 1 : 0) + strlen(text) + 1;
    joined = more(NULL, 0, n);
    snprintf(joined, n, "%s%s%s", old != NULL ? old : "", old != NULL ? " " : "", text);
    *p->help = joined;
}

static void parse_line(struct parser *p, char *line)
{
    bool indented = line[0] == ' ';
    char *text = line + strspn(line, " \t"), *bar, *help = NULL;
    struct words w;

    if (*text == '\0' || *text == '#')
        return;
    if (*text == '|') {
        help_add(p, text + 1);
        return;
    }
    bar = strstr(text, " | ");
    if (bar != NULL) {
        *bar = '\0';
        help = bar + 3;
    }
    w = split_words(p, text);
    if (!indented)
        parse_top(p, &w);
    else if (p->type == NULL)
        fail(p->at, "an indented line outside of a type");
    else if (w.v[0][0] == '@')
        parse_directive(p, &w);
    else
        parse_field(p, &w);
    if (help != NULL)
        help_add(p, help);
}

void parse_file(struct schema *s, const char *path)
{
    struct parser p = { .s = s, .at = { text_copy(path), 0 } };
    char *line = NULL, *joined = NULL;
    size_t cap = 0, n_joined = 0;
    ssize_t n;
    FILE *in = fopen(path, "r");

    if (in == NULL)
        fail(p.at, "%s", strerror(errno));
    while ((n = getline(&line, &cap, in)) > 0) {
        bool go_on;

        p.at.line++;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' '))
            line[--n] = '\0';
        go_on = n > 0 && line[n - 1] == '\\';
        if (go_on)
            line[--n] = '\0';
        joined = realloc(joined, n_joined + (size_t)n + 1);
        if (joined == NULL)
            abort();
        memcpy(joined + n_joined, line, (size_t)n + 1);
        n_joined += (size_t)n;
        if (go_on)
            continue;
        parse_line(&p, joined);
        n_joined = 0;
    }
    if (n_joined > 0)
        fail(p.at, "the last line ends with a \\");
    free(joined);
    free(line);
    fclose(in);
}
