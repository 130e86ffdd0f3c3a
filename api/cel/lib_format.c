/* api/cel/lib_format.c: named formats of strings: format.dns1123Label().validate(s). */
#include "api/cel/opaque.h"
#include "api/names.h"
#include "api/time_fmt.h"
#include "net/tls.h"

static const char *check_label_prefix(struct str s) { return name_check_generate(name_check_label, s); }
static const char *check_subdomain_prefix(struct str s)
{
    return name_check_generate(name_check_subdomain, s);
}
static const char *check_label_1035_prefix(struct str s)
{
    return name_check_generate(name_check_label_1035, s);
}

static const char *check_uri(struct str s)
{
    struct cel_url u;
    return cel_url_read(s, &u) ? NULL : "invalid URI";
}
static const char *check_uuid(struct str s)
{
    return name_check_uuid(s) == NULL ? NULL : "does not match the UUID format";
}
static const char *check_byte(struct str s)
{
    struct buf b = BUF_INIT;
    int        rc = base64_decode(&b, s, false);

    buf_release(&b);
    return rc == 0 ? NULL : "invalid base64";
}
static const char *check_datetime(struct str s)
{
    int64_t  t;
    uint32_t ns;
    return time_parse(s, &t, &ns) ? NULL : "invalid datetime";
}
static const char *check_date(struct str s)
{
    char room[] = "0000-00-00T00:00:00Z";

    if (s.n != 10)
        return "invalid date";
    memcpy(room, s.p, 10);
    return check_datetime(str_of(room)) == NULL ? NULL : "invalid date";
}

static const struct { struct cel_format format; const char *(*check)(struct str s);
} formats[] = {
    { { "dns1123Label" }, name_check_label },
    { { "dns1123Subdomain" }, name_check_subdomain },
    { { "dns1035Label" }, name_check_label_1035 },
    { { "qualifiedName" }, name_check_qualified },
    { { "dns1123LabelPrefix" }, check_label_prefix },
    { { "dns1123SubdomainPrefix" }, check_subdomain_prefix },
    { { "dns1035LabelPrefix" }, check_label_1035_prefix },
    { { "labelValue" }, name_check_label_value },
    { { "uri" }, check_uri },
    { { "uuid" }, check_uuid },
    { { "byte" }, check_byte },
    { { "date" }, check_date },
    { { "datetime" }, check_datetime },
};

CEL_FN(named)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_is(a[0].u.s, formats[i].format.name))
            return cel_some(r, cel_opaque(CEL_FORMAT, &formats[i].format));
    return cel_none();
}

#define FORMAT(fn, i) CEL_FN(fn) { return cel_opaque(CEL_FORMAT, &formats[i].format); }
FORMAT(f0, 0)
FORMAT(f1, 1)
FORMAT(f2, 2)
FORMAT(f3, 3)
FORMAT(f4, 4)
FORMAT(f5, 5)
FORMAT(f6, 6)
FORMAT(f7, 7)
FORMAT(f8, 8)
FORMAT(f9, 9)
FORMAT(f10, 10)
FORMAT(f11, 11)
FORMAT(f12, 12)

/* None when it is valid, else what is wrong. */
CEL_FN(validate)
{
    const struct cel_format *f = a[0].u.opaque;
    struct cel_items        *items;

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        const char *why = f == &formats[i].format ? formats[i].check(a[1].u.s) : NULL;
        if (why == NULL)
            continue;
        if ((items = cel_items_new(r, 1)) == NULL || !cel_items_add(r, items, cel_string(str_of(why))))
            return cel_over(r);
        return cel_some(r, cel_list(items));
    }
    return cel_none();
}

#define ROW(name, sig, fn) { name, sig, fn, COST_ONE, SIZE_NONE }
static const struct cel_function functions[] = {
    ROW("format.named", "s:of", named),
    { "validate", "f.s:ols", validate, COST_SCAN_ARG, 0 },
    ROW("format.dns1123Label", ":f", f0),
    ROW("format.dns1123Subdomain", ":f", f1),
    ROW("format.dns1035Label", ":f", f2),
    ROW("format.qualifiedName", ":f", f3),
    ROW("format.dns1123LabelPrefix", ":f", f4),
    ROW("format.dns1123SubdomainPrefix", ":f", f5),
    ROW("format.dns1035LabelPrefix", ":f", f6),
    ROW("format.labelValue", ":f", f7),
    ROW("format.uri", ":f", f8),
    ROW("format.uuid", ":f", f9),
    ROW("format.byte", ":f", f10),
    ROW("format.date", ":f", f11),
    ROW("format.datetime", ":f", f12),
};
const struct cel_library cel_lib_format = { functions, ARRAY_LEN(functions) };
