/* net/ws_handshake.c: from HTTP to WebSocket, on either side (RFC 6455 4). */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include "net/http_wire.h"
#include "net/ws.h"

#define WS_HEADERS_MAX 32                        /* of a caller; the handshake adds its own */

void ws_accept_key(struct str key, char ret[29])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char sum[SHA_DIGEST_LENGTH];
    struct buf b = BUF_INIT;

    buf_str_add(&b, key);
    buf_add(&b, guid, sizeof guid - 1);
    SHA1((unsigned char *)b.p, b.n, sum);        /* no secret: the handshake wants just this digest */
    must(EVP_EncodeBlock((unsigned char *)ret, sum, sizeof sum) == 28);
    buf_release(&b);
}

/* ---- server ------------------------------------------------------------------------------------- */

static bool list_holds(struct str list, struct str item)
{
    struct str one;

    while (str_split(&list, ',', &one))
        if (str_eq(str_trim(one), item))
            return true;
    return false;
}

static const char *protocol_choose(const struct ws_accept_opts *o, struct str offered)
{
    for (size_t i = 0; i < o->n_protocols; i++)
        if (list_holds(offered, str_of(o->protocols[i])))
            return o->protocols[i];
    return NULL;
}

/* A key is 16 bytes in base64: 22 digits and "==". */
static bool key_valid(struct str key)
{
    if (key.n != 24 || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.p[i], lower = c | 0x20;
        if (!((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '+' || c == '/'))
            return false;
    }
    return true;
}

static const char *request_judge(const struct http_req *req, struct str key)
{
    if (!req->upgrade || !http_list_has(http_header_get(req->headers, req->n_headers, "Upgrade"), "websocket"))
        return "this is no WebSocket request";
    if (!str_is(req->method, "GET"))
        return "a WebSocket begins with GET";
    if (!str_is(http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Version"), "13"))
        return "the WebSocket version spoken here is 13";
    if (!key_valid(key))
        return "Sec-WebSocket-Key is missing or malformed";
    return NULL;
}

struct ws *ws_accept(struct http_req *req, const struct ws_accept_opts *o, const char **ret_protocol,
                     const char **ret_reason)
{
    struct str key = http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Key");
    struct str offered = http_header_get(req->headers, req->n_headers, "Sec-WebSocket-Protocol");
    const char *protocol = protocol_choose(o, offered), *bad = request_judge(req, key);
    char accept[29];

    if (bad == NULL && o->n_protocols > 0 && protocol == NULL)
        bad = "none of the offered WebSocket protocols is spoken here";
    if (bad != NULL) {
        *ret_reason = bad;
        return NULL;
    }
    ws_accept_key(key, accept);
    struct http_header h[3] = { { STR("Upgrade"), STR("websocket") },
                                { STR("Sec-WebSocket-Accept"), str_of(accept) },
                                { STR("Sec-WebSocket-Protocol"), str_of(protocol) } };
    struct stream *s = http_upgrade(req, h, protocol != NULL ? 3 : 2, NULL, NULL);
    if (s == NULL) {
        *ret_reason = "the connection is gone";
        return NULL;
    }
    if (ret_protocol != NULL)
        *ret_protocol = protocol;
    return ws_new(s, false, o->max_message, o->ev, o->arg);
}

/* ---- client ------------------------------------------------------------------------------------- */

struct ws_connect { struct ws_connect_opts o; char accept[29]; char *protocols; };

static bool answer_valid(const struct ws_connect *wc, const struct http_header *h, size_t n)
{
    struct str protocol = http_header_get(h, n, "Sec-WebSocket-Protocol");

    return http_list_has(http_header_get(h, n, "Upgrade"), "websocket") &&
           http_list_has(http_header_get(h, n, "Connection"), "upgrade") &&
           str_is(http_header_get(h, n, "Sec-WebSocket-Accept"), wc->accept) &&
           http_header_get(h, n, "Sec-WebSocket-Extensions").p == NULL &&
           (protocol.n == 0 || list_holds(str_of(wc->protocols), protocol));
}

static void connect_on_upgraded(void *arg, int err, const char *reason, int status, const struct http_header *h,
                                size_t n, struct str body, struct stream *s)
{
    struct ws_connect *wc = arg;
    struct ws *w = NULL;

    if (s != NULL && answer_valid(wc, h, n)) {
        w = ws_new(s, true, wc->o.max_message, wc->o.ev, wc->o.arg);
    } else if (s != NULL) {
        stream_close(s);
        err = E_INVALID;
        reason = "the server's WebSocket handshake is wrong";
    }
    wc->o.on_open(wc->o.arg, err, reason, status, body, w, http_header_get(h, n, "Sec-WebSocket-Protocol"));
    mem_free(wc->protocols);
    mem_free(wc);
}

int ws_connect(struct http_client *c, const struct ws_connect_opts *o, struct errbuf *err)
{
    struct http_header h[WS_HEADERS_MAX + 4];
    unsigned char dice[16];
    char key[25];
    size_t n = o->n_headers;

    if (n > WS_HEADERS_MAX)
        return err_set(err, E_TOOBIG, "more than %d headers for a WebSocket", WS_HEADERS_MAX);
    struct ws_connect *wc = mem_new(struct ws_connect);
    wc->o = *o;
    wc->protocols = o->protocols != NULL ? mem_strdup(o->protocols) : NULL;
    loop_random(http_client_loop(c), dice, sizeof dice);
    must(EVP_EncodeBlock((unsigned char *)key, dice, sizeof dice) == 24);
    ws_accept_key(str_of(key), wc->accept);
    if (n > 0)
        memcpy(h, o->headers, n * sizeof *h);
    h[n++] = (struct http_header){ STR("Upgrade"), STR("websocket") };
    h[n++] = (struct http_header){ STR("Sec-WebSocket-Version"), STR("13") };
    h[n++] = (struct http_header){ STR("Sec-WebSocket-Key"), str_of(key) };
    if (wc->protocols != NULL)
        h[n++] = (struct http_header){ STR("Sec-WebSocket-Protocol"), str_of(wc->protocols) };
    struct http_upgrade_opts uo = { .method = "GET", .target = o->target, .headers = h, .n_headers = n,
                                    .timeout_ms = o->timeout_ms, .on_done = connect_on_upgraded, .arg = wc };
    int rc = http_client_upgrade(c, &uo, err);
    if (rc < 0) {
        mem_free(wc->protocols);
        mem_free(wc);
    }
    return rc;
}
