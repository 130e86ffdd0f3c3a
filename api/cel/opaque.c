/* api/cel/opaque.c: equality and text of the libraries' own kinds. */
#include "api/cel/opaque.h"

bool cel_opaque_equal(const struct cel_value *x, const struct cel_value *y)
{
    const void *p = x->u.opaque, *q = y->u.opaque;

    switch (x->kind) {
    case CEL_QUANTITY: return quantity_cmp(*(const struct quantity *)p, *(const struct quantity *)q) == 0;
    case CEL_IP:       return ip_eq(*(const struct ip *)p, *(const struct ip *)q);
    case CEL_CIDR:
        return ip_eq(((const struct cel_cidr *)p)->ip, ((const struct cel_cidr *)q)->ip) &&
               ((const struct cel_cidr *)p)->bits == ((const struct cel_cidr *)q)->bits;
    case CEL_URL:    return str_eq(((const struct cel_url *)p)->text, ((const struct cel_url *)q)->text);
    case CEL_FORMAT:
        return strcmp(((const struct cel_format *)p)->name, ((const struct cel_format *)q)->name) == 0;
    case CEL_SEMVER: return cel_semver_order(p, q) == 0;
    default:         return p == q;
    }
}

struct str cel_opaque_text(struct arena *a, const struct cel_value *v)
{
    const void *p = v->u.opaque;

    switch (v->kind) {
    case CEL_QUANTITY: return quantity_text(a, *(const struct quantity *)p);
    case CEL_IP:       return ip_text(a, *(const struct ip *)p);
    case CEL_CIDR:     return cel_cidr_text(a, *(const struct cel_cidr *)p);
    case CEL_URL:      return ((const struct cel_url *)p)->text;
    case CEL_SEMVER:   return cel_semver_text(a, p);
    case CEL_OPTIONAL: return v->u.some != NULL ? cel_value_text(a, v->u.some) : STR("optional.none()");
    default:           return str_of(cel_kind_name((enum cel_kind)v->kind));
    }
}
