/* api/kinds/check.c: checks of small things that many kinds have: labels, selectors, counts or percentages,
 * addresses. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include "api/kinds/kinds_impl.h"

#define ANNOTATIONS_MAX (256u << 10)             /* bytes of all keys and values together */

void check_text(name_check_fn *check, struct str s, const struct at *at, struct causes *causes)
{
    const char *wrong = s.n > 0 ? check(s) : NULL;

    if (wrong != NULL)
        cause_invalid(causes, at, s, wrong);
}

void cause_invalid_int(struct causes *causes, const struct at *at, int64_t value, const char *detail)
{
    cause_add(causes, CAUSE_INVALID, at, "Invalid value: %" PRIi64 ": %s", value, detail);
}

void cause_not_found(struct causes *causes, const struct at *at, struct str value)
{
    cause_add(causes, CAUSE_NOT_FOUND, at, "Not found: \"%.*s\"", STR_ARG(value));
}

void cause_too_many(struct causes *causes, const struct at *at, unsigned n, unsigned max)
{
    cause_add(causes, CAUSE_TOO_MANY, at, "Too many: %u: must have at most %u items", n, max);
}

bool json_is_blank(const struct json *v)
{
    if (v == NULL || v->type == JSON_NULL)
        return true;
    return v->type == JSON_STRING ? v->s.n == 0 : v->type >= JSON_ARRAY && v->n == 0;
}

void object_append(struct json *obj, struct str key, struct json *v)
{
    must(obj->type == JSON_OBJECT);
    v->key = key;
    v->next = NULL;
    if (obj->n++ == 0)
        obj->first = v;
    else
        obj->last->next = v;
    obj->last = v;
}

struct str json_text(struct arena *a, const struct json *v)
{
    struct buf b = BUF_INIT;
    struct str s;

    if (v == NULL)
        return STR("null");
    json_write(&b, v);
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

size_t base64_decoded_size(struct str s)
{
    size_t n = s.n / 4 * 3;

    if (s.n >= 4 && s.p[s.n - 1] == '=')
        n -= s.p[s.n - 2] == '=' ? 2 : 1;
    return n;
}

void check_immutable_data(const struct json *old, const struct json *obj, const char *const *maps, size_t n,
                          struct causes *causes)
{
    static const char why[] = "field is immutable when `immutable` is set";
    struct at at = AT_KEY(NULL, "immutable");

    if (!json_true(json_getz(old, "immutable")))
        return;
    if (!json_true(json_getz(obj, "immutable")))
        cause_forbidden(causes, &at, why);
    for (size_t i = 0; i < n; i++) {
        const struct json *was = json_getz(old, maps[i]), *now = json_getz(obj, maps[i]);
        struct at          here = AT_STR(NULL, str_of(maps[i]));

        if (json_is_blank(was) != json_is_blank(now) || (!json_is_blank(was) && !json_equal(was, now)))
            cause_forbidden(causes, &here, why);
    }
}

/* ---- Duplicates ------------------------------------------------------------------------------------- */

struct seen seen_new(struct arena *a, size_t n)
{
    size_t size = 8;

    while (size < 2 * n)
        size *= 2;
    return (struct seen){ arena_zalloc(a, size * sizeof(struct str)), size - 1 };
}

/* Where it is or would go. */
static struct str *seen_slot(const struct seen *s, struct str text)
{
    size_t i = str_hash(text) & s->mask;

    while (s->slots[i].p != NULL && !str_eq(s->slots[i], text))
        i = (i + 1) & s->mask;
    return &s->slots[i];
}

bool seen_has(const struct seen *s, struct str text)
{
    return seen_slot(s, text)->p != NULL;
}

bool seen_add(struct seen *s, struct str text)
{
    struct str *slot = seen_slot(s, text);

    if (slot->p != NULL)
        return false;
    *slot = text.p != NULL ? text : STR("");
    return true;
}

/* ---- Labels ----------------------------------------------------------------------------------------- */

void check_labels(const struct json *labels, const struct at *at, struct causes *causes)
{
    const char *wrong;

    json_each(it, labels) {
        if ((wrong = name_check_qualified(it->key)) != NULL)
            cause_invalid(causes, at, it->key, wrong);
        if ((wrong = name_check_label_value(json_str(it))) != NULL)
            cause_invalid(causes, at, json_str(it), wrong);
    }
}

void check_annotations(const struct json *annotations, const struct at *at, struct causes *causes)
{
    size_t bytes = 0;

    json_each(it, annotations) {
        const char *wrong = name_check_qualified(it->key);

        if (wrong != NULL)
            cause_invalid(causes, at, it->key, wrong);
        bytes += it->key.n + json_str(it).n;
    }
    if (bytes > ANNOTATIONS_MAX)
        cause_too_long(causes, at, ANNOTATIONS_MAX);
}

void check_selector_values(const struct json *requirement, const struct at *at, struct causes *causes)
{
    struct str         op = json_str(json_getz(requirement, "operator"));
    const struct json *values = json_getz(requirement, "values");
    struct at          here = AT_KEY(at, "values");
    bool               some = values != NULL && values->n > 0;

    if ((str_is(op, "In") || str_is(op, "NotIn")) && !some)
        cause_required(causes, &here, "must be specified when `operator` is 'In' or 'NotIn'");
    else if ((str_is(op, "Exists") || str_is(op, "DoesNotExist")) && some)
        cause_forbidden(causes, &here, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
}

static void check_requirement(const struct json *requirement, const struct at *at, struct causes *causes)
{
    struct at key = AT_KEY(at, "key"), values = AT_KEY(at, "values");
    unsigned  i = 0;

    check_selector_values(requirement, at, causes);
    check_text(name_check_qualified, json_str(json_getz(requirement, "key")), &key, causes);
    json_each(v, json_getz(requirement, "values")) {
        struct at here = AT_INDEX(&values, i);

        i++;
        check_text(name_check_label_value, json_str(v), &here, causes);
    }
}

void check_label_selector(const struct json *selector, const struct at *at, struct causes *causes)
{
    struct at labels = AT_KEY(at, "matchLabels"), expressions = AT_KEY(at, "matchExpressions");
    unsigned  i = 0;

    check_labels(json_getz(selector, "matchLabels"), &labels, causes);
    json_each(it, json_getz(selector, "matchExpressions")) {
        struct at here = AT_INDEX(&expressions, i);

        i++;
        check_requirement(it, &here, causes);
    }
}

bool label_selector_is_empty(const struct json *selector)
{
    return json_is_blank(json_getz(selector, "matchLabels")) &&
           json_is_blank(json_getz(selector, "matchExpressions"));
}

static int by_key(const void *x, const void *y)
{
    const struct json *const *a = x, *const *b = y;

    return str_cmp((*a)->key, (*b)->key);
}

struct str go_string_map(struct arena *a, const struct json *map)
{
    const struct json **sorted;
    struct buf          b = BUF_INIT;
    struct str          s;
    size_t              n = 0;

    if (map == NULL)
        return STR("map[string]string(nil)");
    sorted = arena_alloc(a, (map->n + 1) * sizeof(*sorted));
    json_each(it, map)
        sorted[n++] = it;
    qsort(sorted, n, sizeof(*sorted), by_key);
    buf_z(&b, "map[string]string{");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_z(&b, ", ");
        json_write_string(&b, sorted[i]->key);
        buf_char(&b, ':');
        json_write_string(&b, json_str(sorted[i]));
    }
    buf_char(&b, '}');
    s = arena_str(a, buf_str(&b));
    buf_release(&b);
    return s;
}

/* ---- Counts or percentages -------------------------------------------------------------------------- */

struct str go_int_or_string(struct arena *a, const struct json *v)
{
    if (json_is(v, JSON_STRING))
        return arena_fmt(a, "intstr.IntOrString{Type:1, IntVal:0, StrVal:\"%.*s\"}", STR_ARG(v->s));
    return arena_fmt(a, "intstr.IntOrString{Type:0, IntVal:%" PRIi64 ", StrVal:\"\"}", json_i64_or(v, 0));
}

static bool is_percent(struct str s)
{
    if (s.n < 2 || s.p[s.n - 1] != '%')
        return false;
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

int64_t int_or_percent(const struct json *v, bool *ret_percent)
{
    int64_t n = 0;

    *ret_percent = json_is(v, JSON_STRING);
    if (!*ret_percent)
        return json_i64_or(v, 0);
    if (is_percent(v->s) && !str_i64(str_upto(v->s, v->s.n - 1), &n))
        n = INT64_MAX;                           /* more digits than anybody needs */
    return n;
}

void check_int_or_percent(const struct json *v, const struct at *at, struct causes *causes)
{
    if (v == NULL)
        return;
    if (json_is(v, JSON_STRING) && !is_percent(v->s))
        cause_invalid_raw(causes, at, go_int_or_string(causes->arena, v),
                          "a valid percent string must be a numeric string followed by "
                          "an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
    else if (json_is(v, JSON_NUMBER) && json_i64_or(v, 0) < 0)
        cause_invalid_int(causes, at, json_i64_or(v, 0), "must be greater than or equal to 0");
}

void check_at_most_100_percent(const struct json *v, const struct at *at, struct causes *causes)
{
    bool    percent;
    int64_t n = int_or_percent(v, &percent);

    if (percent && n > 100)
        cause_invalid_raw(causes, at, go_int_or_string(causes->arena, v), "must not be greater than 100%");
}

/* ---- Addresses -------------------------------------------------------------------------------------- */

static const char *special_ipv4(uint32_t ip)
{
    if (ip == 0)
        return "may not be unspecified (0.0.0.0 or ::)";
    if (ip >> 24 == 127)
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
    if (ip >> 16 == 0xa9fe)
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
    if (ip >> 8 == 0xe00000)
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    return NULL;
}

static const char *special_ipv6(const struct in6_addr *ip)
{
    if (IN6_IS_ADDR_UNSPECIFIED(ip))
        return "may not be unspecified (0.0.0.0 or ::)";
    if (IN6_IS_ADDR_LOOPBACK(ip))
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
    if (IN6_IS_ADDR_LINKLOCAL(ip))
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
    if (IN6_IS_ADDR_MC_LINKLOCAL(ip))
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
    return NULL;
}

void check_routable_ip(struct str ip, const struct at *at, struct causes *causes)
{
    char            z[INET6_ADDRSTRLEN];
    struct in_addr  v4;
    struct in6_addr v6;
    const char     *wrong = NULL;

    if (ip.n == 0 || ip.n >= sizeof(z))
        return;                                  /* not an address: the schema says so */
    memcpy(z, ip.p, ip.n);
    z[ip.n] = '\0';
    if (inet_pton(AF_INET, z, &v4) == 1)
        wrong = special_ipv4(ntohl(v4.s_addr));
    else if (inet_pton(AF_INET6, z, &v6) == 1)
        wrong = special_ipv6(&v6);
    if (wrong != NULL)
        cause_invalid(causes, at, ip, wrong);
}
