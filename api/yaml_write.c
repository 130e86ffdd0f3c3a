/* api/yaml_write.c: see api/yaml_write.h.  Strings that could be read as anything but themselves are written
 * as JSON strings, which are valid YAML: always right, if not always pretty. */
#include "api/yaml_write.h"

static bool plain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/';
}

/* Words that YAML 1.1 reads as booleans or null. */
static bool reserved_word(struct str s)
{
    static const char *const words[] = { "true", "false", "yes",  "no",  "on", "off",
                                         "y",    "n",     "null", "nan", "inf" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ieq(s, str_of(words[i])))
            return true;
    return false;
}

static bool plain(struct str s)
{
    if (s.n == 0 || s.n > 256 || reserved_word(s))
        return false;
    if (!((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z')))
        return false;                            /* numbers, dates, "-", "." */
    for (size_t i = 0; i < s.n; i++)
        if (!plain_char(s.p[i]))
            return false;
    return true;
}

/* The length of a character that JSON lets stand in a string but YAML doesn't (or reads as a line's end);
 * else 0. */
static unsigned needs_escape(const char *p, const char *end, unsigned *ret_code)
{
    const unsigned char *u = (const unsigned char *)p;

    if (u[0] == 0x7f) {
        *ret_code = u[0];
        return 1;
    }
    if (end - p >= 2 && u[0] == 0xc2 && u[1] < 0xa0) {
        *ret_code = u[1];                        /* U+0080 to U+009F */
        return 2;
    }
    if (end - p >= 3 && u[0] == 0xef && ((u[1] == 0xbb && u[2] == 0xbf) || (u[1] == 0xbf && u[2] >= 0xbe))) {
        *ret_code = u[1] == 0xbb ? 0xfeff : 0xff00u | (u[2] + 0x40u);
        return 3;
    }
    return 0;
}

/* A JSON string but for those. */
static void write_quoted(struct buf *out, struct str s)
{
    struct buf text = BUF_INIT;
    const char *p, *end, *run;
    unsigned n, code;

    json_write_string(&text, s);
    end = text.p + text.n;
    for (p = run = text.p; p < end; p += n) {
        n = needs_escape(p, end, &code);
        if (n == 0) {
            n = 1;
            continue;
        }
        buf_add(out, run, (size_t)(p - run));
        buf_fmt(out, "\\u%04x", code);
        run = p + n;
    }
    buf_add(out, run, (size_t)(end - run));
    buf_release(&text);
}

static void write_text(struct buf *out, struct str s)
{
    if (plain(s))
        buf_str_add(out, s);
    else
        write_quoted(out, s);
}

static void indent_by(struct buf *out, unsigned indent)
{
    for (unsigned i = 0; i < indent; i++)
        buf_z(out, "  ");
}

static void write_node(struct buf *out, const struct json *j, unsigned indent, bool first_on_line);

/* The key and its ':'.  YAML finds a key without a mark only when it ends within 1024 characters. */
static void write_key(struct buf *out, struct str key, unsigned indent)
{
    size_t at = out->n;

    write_text(out, key);
    if (out->n - at > 1000) {
        out->n = at;
        buf_z(out, "? ");
        write_text(out, key);
        buf_char(out, '\n');
        indent_by(out, indent);
    }
    buf_char(out, ':');
}

static void write_members(struct buf *out, const struct json *j, unsigned indent, bool first_on_line)
{
    json_each(it, j) {
        if (!first_on_line)
            indent_by(out, indent);
        first_on_line = false;
        write_key(out, it->key, indent);
        if (it->type >= JSON_ARRAY && it->n > 0) {
            buf_char(out, '\n');
            write_node(out, it, it->type == JSON_ARRAY ? indent : indent + 1, false);
        } else {
            buf_char(out, ' ');
            write_node(out, it, indent, true);
        }
    }
}

static void write_elements(struct buf *out, const struct json *j, unsigned indent, bool first_on_line)
{
    json_each(it, j) {
        if (!first_on_line)
            indent_by(out, indent);
        first_on_line = false;
        buf_z(out, "- ");
        write_node(out, it, indent + 1, true);
    }
}

/* first_on_line: the cursor stands where the node's first line goes on. */
static void write_node(struct buf *out, const struct json *j, unsigned indent, bool first_on_line)
{
    if (j->type == JSON_OBJECT && j->n > 0) {
        write_members(out, j, indent, first_on_line);
        return;
    }
    if (j->type == JSON_ARRAY && j->n > 0) {
        write_elements(out, j, indent, first_on_line);
        return;
    }
    if (j->type == JSON_STRING)
        write_text(out, j->s);
    else
        json_write(out, j);
    buf_char(out, '\n');
}

void yaml_write(struct buf *out, const struct json *j)
{
    write_node(out, j, 0, false);
}
