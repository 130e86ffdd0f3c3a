/* api/cel/type.c: static types: the simple ones, those of the schema tables, what fits where, what they are
 * called. */
#include "api/cel/impl.h"
#include "api/schema.h"

#define SIMPLE(k) [k] = { .kind = k, .max = CEL_UNBOUNDED }
static const struct cel_type simple[CEL_N_KINDS] = {
    SIMPLE(CEL_DYN),
    SIMPLE(CEL_NULL),
    SIMPLE(CEL_BOOL),
    SIMPLE(CEL_INT),
    SIMPLE(CEL_UINT),
    SIMPLE(CEL_DOUBLE),
    SIMPLE(CEL_STRING),
    SIMPLE(CEL_BYTES),
    SIMPLE(CEL_TIMESTAMP),
    SIMPLE(CEL_DURATION),
    [CEL_LIST] = { .kind = CEL_LIST, .elem = &simple[CEL_DYN], .max = CEL_UNBOUNDED },
    [CEL_MAP] = { .kind = CEL_MAP,
                  .elem = &simple[CEL_DYN],
                  .key = &simple[CEL_DYN],
                  .max = CEL_UNBOUNDED },
    SIMPLE(CEL_OBJECT),
    [CEL_TYPE] = { .kind = CEL_TYPE, .elem = &simple[CEL_DYN], .max = CEL_UNBOUNDED },
    [CEL_OPTIONAL] = { .kind = CEL_OPTIONAL, .elem = &simple[CEL_DYN], .max = CEL_UNBOUNDED },
    SIMPLE(CEL_QUANTITY),
    SIMPLE(CEL_URL),
    SIMPLE(CEL_IP),
    SIMPLE(CEL_CIDR),
    SIMPLE(CEL_FORMAT),
    SIMPLE(CEL_SEMVER),
    SIMPLE(CEL_AUTHORIZER),
    SIMPLE(CEL_PATH_CHECK),
    SIMPLE(CEL_GROUP_CHECK),
    SIMPLE(CEL_RESOURCE_CHECK),
    SIMPLE(CEL_DECISION),
    SIMPLE(CEL_ERROR),
};

/* What errors call a type, and what type() answers where that differs. */
static const struct { const char *text, *name; } kind_names[CEL_N_KINDS] = {
    [CEL_DYN] = { "dyn", NULL }, [CEL_NULL] = { "null", "null_type" }, [CEL_BOOL] = { "bool", NULL },
    [CEL_INT] = { "int", NULL }, [CEL_UINT] = { "uint", NULL }, [CEL_DOUBLE] = { "double", NULL },
    [CEL_STRING] = { "string", NULL }, [CEL_BYTES] = { "bytes", NULL },
    [CEL_TIMESTAMP] = { "timestamp", "google.protobuf.Timestamp" },
    [CEL_DURATION] = { "duration", "google.protobuf.Duration" }, [CEL_LIST] = { "list", NULL },
    [CEL_MAP] = { "map", NULL }, [CEL_OBJECT] = { "object", NULL }, [CEL_TYPE] = { "type", NULL },
    [CEL_OPTIONAL] = { "optional_type", NULL }, [CEL_QUANTITY] = { "kubernetes.Quantity", NULL },
    [CEL_URL] = { "kubernetes.URL", NULL }, [CEL_IP] = { "net.IP", NULL }, [CEL_CIDR] = { "net.CIDR", NULL },
    [CEL_FORMAT] = { "kubernetes.NamedFormat", NULL }, [CEL_SEMVER] = { "kubernetes.Semver", NULL },
    [CEL_AUTHORIZER] = { "kubernetes.authorization.Authorizer", NULL },
    [CEL_PATH_CHECK] = { "kubernetes.authorization.PathCheck", NULL },
    [CEL_GROUP_CHECK] = { "kubernetes.authorization.GroupCheck", NULL },
    [CEL_RESOURCE_CHECK] = { "kubernetes.authorization.ResourceCheck", NULL },
    [CEL_DECISION] = { "kubernetes.authorization.Decision", NULL }, [CEL_ERROR] = { "error", NULL },
};

const struct cel_type *cel_type(enum cel_kind kind) { return &simple[kind]; }

const char *cel_kind_name(enum cel_kind kind)
{
    return kind_names[kind].name != NULL ? kind_names[kind].name : kind_names[kind].text;
}

bool cel_kind_by_name(struct str name, enum cel_kind *ret)
{
    for (unsigned k = CEL_NULL; k < CEL_ERROR; k++) {
        if (k != CEL_OBJECT && str_is(name, cel_kind_name((enum cel_kind)k))) {
            *ret = (enum cel_kind)k;
            return true;
        }
    }
    return false;
}

const struct cel_type *cel_type_pair(struct arena *a, const struct cel_type *key, const struct cel_type *elem)
{
    struct cel_type *t = arena_new(a, struct cel_type);

    *t = (struct cel_type){ .kind = CEL_MAP, .key = key, .elem = elem, .max = CEL_UNBOUNDED };
    return t;
}

const struct cel_type *cel_type_wrap(struct arena *a, enum cel_kind kind, const struct cel_type *elem)
{
    struct cel_type *t = arena_new(a, struct cel_type);

    *t = (struct cel_type){ .kind = kind, .elem = elem, .max = CEL_UNBOUNDED };
    return t;
}

const struct cel_type *cel_type_list(struct arena *a, const struct cel_type *elem)
{
    return cel_type_wrap(a, CEL_LIST, elem);
}

const struct cel_type *cel_type_map(struct arena *a, const struct cel_type *elem)
{
    return cel_type_pair(a, cel_type(CEL_STRING), elem);
}

struct str cel_type_text(struct arena *a, const struct cel_type *t)
{
    struct str name = str_of(kind_names[t->kind].text), elem;

    if (t->kind == CEL_OBJECT)
        return str_empty(t->name) ? name : t->name;
    if (t->elem == NULL)
        return name;
    elem = cel_type_text(a, t->elem);
    if (t->kind == CEL_MAP) {
        struct str key = t->key != NULL ? cel_type_text(a, t->key) : STR("string");
        return arena_fmt(a, "map(%.*s, %.*s)", STR_ARG(key), STR_ARG(elem));
    }
    return arena_fmt(a, "%.*s(%.*s)", STR_ARG(name), STR_ARG(elem));
}

/* ---- What fits -------------------------------------------------------------------------------------- */

static const struct cel_type *key_of(const struct cel_type *map)
{
    return map->key != NULL ? map->key : cel_type(CEL_STRING);
}

static bool takes_null(const struct cel_type *t)
{
    return t->kind == CEL_OBJECT || t->kind == CEL_TIMESTAMP || t->kind == CEL_DURATION ||
           t->kind >= CEL_OPTIONAL;
}

bool cel_type_fits(const struct cel_type *want, const struct cel_type *have)
{
    if (want == have || want->kind == CEL_DYN || have->kind == CEL_DYN || have->kind == CEL_ERROR)
        return true;
    if (have->kind == CEL_NULL && takes_null(want))
        return true;
    if (want->kind != have->kind)
        return false;
    switch (want->kind) {
    case CEL_LIST: case CEL_OPTIONAL:
        return cel_type_fits(want->elem, have->elem);
    case CEL_MAP:
        return cel_type_fits(key_of(want), key_of(have)) && cel_type_fits(want->elem, have->elem);
    case CEL_OBJECT:
        return str_eq(want->name, have->name);
    default:
        return true;                             /* types of types are all one */
    }
}

const struct cel_type *cel_type_join(const struct cel_type *x, const struct cel_type *y)
{
    if (x->kind == CEL_DYN || y->kind == CEL_DYN)
        return cel_type(CEL_DYN);
    if (x->kind == CEL_NULL && cel_type_fits(y, x))
        return y;
    if (!cel_type_fits(x, y))
        return cel_type(CEL_DYN);
    /* Of two lists the one that says less of its elements. */
    return y->elem != NULL && y->elem->kind == CEL_DYN ? y : x;
}

/* ---- Fields ----------------------------------------------------------------------------------------- */

/* What an escape at the front of s stands for; *ret_took 0: none. */
static struct str escape_at(struct str s, size_t *ret_took)
{
    static const struct { const char *code, *text; } escapes[] = {
        { "__underscores__", "__" }, { "__dot__", "." }, { "__dash__", "-" }, { "__slash__", "/" },
    };

    *ret_took = 0;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        if (str_starts(s, str_of(escapes[i].code))) {
            *ret_took = strlen(escapes[i].code);
            return str_of(escapes[i].text);
        }
    }
    return STR_NONE;
}

struct str cel_unescape(struct str name, char *to, size_t room)
{
    size_t n = 0, took;

    if (name.n > room || memmem(name.p, name.n, "__", 2) == NULL)
        return name;
    escape_at(name, &took);
    if (took != name.n && name.n > 4 && str_starts(name, STR("__")) && str_ends(name, STR("__")) &&
        memchr(name.p + 2, '_', name.n - 4) == NULL)
        return str_make(name.p + 2, name.n - 4); /* a reserved word */
    for (struct str rest = name; rest.n > 0; rest = str_from(rest, took)) {
        struct str text = escape_at(rest, &took);
        if (took == 0) {
            text = str_upto(rest, 1);
            took = 1;
        }
        memcpy(to + n, text.p, text.n);
        n += text.n;
    }
    return str_make(to, n);
}

const struct cel_field *cel_type_field(const struct cel_type *t, struct str name)
{
    char       room[256];
    struct str plain = cel_unescape(name, room, sizeof room);

    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < t->n_fields; i++)
            if (str_eq(t->fields[i].name, round == 0 ? plain : name))
                return &t->fields[i];
        if (str_eq(plain, name))
            break;
    }
    return NULL;
}

/* ---- From the schema tables ------------------------------------------------------------------------- */

struct cel_known { const struct schema_type *schema; const struct cel_type *type; struct cel_known *next; };

static const struct cel_type *base_type(struct cel_types *types, const struct schema_field *f)
{
    static const uint8_t kinds[] = {
        [SCHEMA_STRING] = CEL_STRING, [SCHEMA_BOOL] = CEL_BOOL, [SCHEMA_INT32] = CEL_INT,
        [SCHEMA_INT64] = CEL_INT, [SCHEMA_DOUBLE] = CEL_DOUBLE, [SCHEMA_BYTES] = CEL_BYTES,
        [SCHEMA_TIME] = CEL_TIMESTAMP, [SCHEMA_MICROTIME] = CEL_TIMESTAMP, [SCHEMA_DURATION] = CEL_STRING,
        [SCHEMA_QUANTITY] = CEL_DYN, [SCHEMA_INT_OR_STRING] = CEL_DYN, [SCHEMA_RAW] = CEL_DYN,
        [SCHEMA_FIELDS_V1] = CEL_DYN, [SCHEMA_OBJECT] = CEL_OBJECT,
    };

    if (f->base == SCHEMA_OBJECT)
        return cel_types_of(types, f->type);
    if (f->base == SCHEMA_STRINGS)
        return cel_type_list(types->arena, cel_type(CEL_STRING));
    return cel_type(kinds[f->base]);
}

static void convert(struct cel_types *types, const struct schema_type *schema, struct cel_type *t)
{
    struct cel_field *fields = arena_zalloc(types->arena, schema->n_fields * sizeof *fields);

    for (unsigned i = 0; i < schema->n_fields; i++) {
        const struct schema_field *f = &schema->fields[i];
        const struct cel_type     *base = base_type(types, f);
        if (f->shape == SCHEMA_LIST)
            base = cel_type_list(types->arena, base);
        else if (f->shape == SCHEMA_MAP)
            base = cel_type_map(types->arena, base);
        fields[i] = (struct cel_field){ f->name, base, (f->flags & SCHEMA_REQUIRED) != 0 };
    }
    t->fields = fields;
    t->n_fields = schema->n_fields;
}

const struct cel_type *cel_types_of(struct cel_types *types, const struct schema_type *schema)
{
    struct cel_known *known;
    struct cel_type  *t;

    for (known = types->known; known != NULL; known = known->next)
        if (known->schema == schema)
            return known->type;
    t = arena_new(types->arena, struct cel_type);
    *t = (struct cel_type){ .kind = CEL_OBJECT, .name = str_of(schema->name), .max = CEL_UNBOUNDED };
    known = arena_new(types->arena, struct cel_known);
    *known = (struct cel_known){ schema, t, types->known };
    types->known = known;                        /* first: a type may have itself in it */
    convert(types, schema, t);
    return t;
}
