/* api/json_scan.c: members of compact JSON text, by skipping over what is not wanted. */
#include "api/json_scan.h"
#include "api/json.h"

/* p is after the opening quote; returns where the closing one is, or end. */
static const char *find_quote(const char *p, const char *end)
{
    for (const char *from = p; (p = memchr(p, '"', (size_t)(end - p))) != NULL; p++) {
        const char *q = p;

        while (q > from && q[-1] == '\\')
            q--;
        if ((p - q) % 2 == 0)
            return p;
    }
    return end;
}

static const char *skip_container(const char *p, const char *end)
{
    size_t depth = 0;

    for (; p < end; p++) {
        switch (*p) {
        case '{': case '[': depth++; break;
        case '}': case ']':
            if (--depth == 0)
                return p + 1;
            break;
        case '"':
            p = find_quote(p + 1, end);
            if (p == end)
                return end;
            break;
        default: break;
        }
    }
    return end;
}

static const char *skip_value(const char *p, const char *end)
{
    if (p < end && (*p == '{' || *p == '['))
        return skip_container(p, end);
    if (p < end && *p == '"') {
        p = find_quote(p + 1, end);
        return p < end ? p + 1 : end;
    }
    while (p < end && *p != ',' && *p != '}' && *p != ']')
        p++;
    return p;
}

bool json_scan_member(struct str *rest, struct str *ret_key, struct str *ret_value)
{
    const char *p = rest->p, *end = p + rest->n, *key_end, *value_end;

    if (rest->n < 2 || (*p != '{' && *p != ',') || p[1] != '"')
        return false;
    p += 2;
    key_end = find_quote(p, end);
    if (end - key_end < 2 || key_end[1] != ':')
        return false;
    value_end = skip_value(key_end + 2, end);
    *ret_key = str_make(p, (size_t)(key_end - p));
    *ret_value = str_make(key_end + 2, (size_t)(value_end - key_end - 2));
    *rest = str_make(value_end, (size_t)(end - value_end));
    return true;
}

bool json_scan_path(struct str text, const char *path, struct str *ret)
{
    while (*path != '\0') {
        size_t n = strcspn(path, ".");
        struct str rest = text, key, value;
        bool found = false;

        while (!found && json_scan_member(&rest, &key, &value))
            found = key.n == n && memcmp(key.p, path, n) == 0;
        if (!found)
            return false;
        text = value;
        path += n + (path[n] == '.');
    }
    *ret = text;
    return true;
}

bool json_scan_string(struct arena *a, struct str value, struct str *ret)
{
    struct json *j;

    if (value.n < 2 || value.p[0] != '"')
        return false;
    if (memchr(value.p, '\\', value.n) == NULL) {
        *ret = str_make(value.p + 1, value.n - 2);
        return true;
    }
    if (json_parse(a, value, &j, NULL) != 0 || j->type != JSON_STRING)
        return false;
    *ret = j->s;
    return true;
}
