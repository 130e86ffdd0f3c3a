/* net/spdy_accept.c: from HTTP to SPDY/3.1, straight or through a WebSocket. */
#include "net/http_wire.h"
#include "net/spdy_impl.h"

#define TUNNEL_MESSAGE_MAX (1u << 20)            /* kubectl's have 32 kB */
#define UPGRADE            "SPDY/3.1"

static struct str header_of(const struct http_req *req, const char *name)
{
    return http_header_get(req->headers, req->n_headers, name);
}

static bool wants_tunnel(const struct http_req *req, const char *tunnel)
{
    struct str list = header_of(req, "Sec-WebSocket-Protocol"), one;

    if (tunnel == NULL || !http_list_has(header_of(req, "Upgrade"), "websocket"))
        return false;
    while (str_split(&list, ',', &one))
        if (str_is(str_trim(one), tunnel))
            return true;
    return false;
}

static bool wants_spdy(const struct http_req *req)
{
    return req->upgrade && http_list_has(header_of(req, "Upgrade"), "spdy/3.1");
}

bool spdy_asked(const struct http_req *req, const char *tunnel)
{
    return wants_spdy(req) || wants_tunnel(req, tunnel);
}

/* The first of the client's that is spoken here.  *ret_any: it named one at all. */
static const char *choose(const struct http_req *req, const struct spdy_accept_opts *o, bool *ret_any)
{
    *ret_any = false;
    for (size_t h = 0; h < req->n_headers; h++) {
        struct str list = req->headers[h].value, one;
        if (!str_ieq(req->headers[h].name, STR("x-stream-protocol-version")))
            continue;
        while (str_split(&list, ',', &one)) {
            *ret_any = true;
            for (size_t i = 0; i < o->n_protocols; i++)
                if (str_is(str_trim(one), o->protocols[i]))
                    return o->protocols[i];
        }
    }
    return NULL;
}

static struct spdy *accept_tunnel(struct http_req *req, const struct spdy_accept_opts *o, struct spdy *sp,
                                  struct spdy_refusal *why)
{
    struct ws_accept_opts wo = { .protocols = &o->tunnel, .n_protocols = 1, .max_message = TUNNEL_MESSAGE_MAX,
                                 .ev = &spdy__ws_events, .arg = sp };
    struct ws *w = ws_accept(req, &wo, NULL, &why->reason);

    if (w == NULL) {
        why->status = 400;
        spdy__discard(sp);
        return NULL;
    }
    spdy__on_ws(sp, w);
    return sp;
}

struct spdy *spdy_accept(struct http_req *req, const struct spdy_accept_opts *o, const char **ret_protocol,
                         struct spdy_refusal *ret_why)
{
    bool any;
    const char *protocol = choose(req, o, &any);

    if (wants_tunnel(req, o->tunnel))
        return accept_tunnel(req, o, spdy__new(http_req_loop(req), o->ev, o->arg), ret_why);
    if (!wants_spdy(req)) {
        *ret_why = (struct spdy_refusal){ 400, "unable to upgrade: missing upgrade headers in request" };
        return NULL;
    }
    if (protocol == NULL) {
        *ret_why = any ? (struct spdy_refusal){ 403, "unable to upgrade: unable to negotiate protocol" }
                       : (struct spdy_refusal){ 400,
                                                "unable to upgrade: X-Stream-Protocol-Version is required" };
        return NULL;
    }
    struct http_header h[] = { { STR("Upgrade"), STR(UPGRADE) },
                               { STR("X-Stream-Protocol-Version"), str_of(protocol) } };
    struct spdy *sp = spdy__new(http_req_loop(req), o->ev, o->arg);
    struct stream *s = http_upgrade(req, h, ARRAY_LEN(h), &spdy__stream_events, sp);
    if (s == NULL) {
        spdy__discard(sp);
        *ret_why = (struct spdy_refusal){ 400, "the connection is gone" };
        return NULL;
    }
    spdy__on_stream(sp, s);
    *ret_protocol = protocol;
    return sp;
}
