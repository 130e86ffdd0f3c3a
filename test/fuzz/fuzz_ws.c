/* test/fuzz/fuzz_ws.c: hostile bytes at either side of a WebSocket.  First byte: which side, whether
 * the owner pauses and closes in between; second: how the bytes are cut.  on_close comes exactly once. */
#include "net/ws.h"
#include "test/net/mem_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side { struct ws *w; unsigned flags; int closed; };

static void side_on_message(void *arg, struct ws *w, bool text, const char *p, size_t n)
{
    struct side *s = arg;

    ws_send(w, text, p, n);
    if (s->flags & 2)
        ws_pause(w);
    if (s->flags & 4)
        ws_close(w, 1000, "enough");
}

static void side_on_close(void *arg, struct ws *w, int code, const char *reason)
{
    struct side *s = arg;

    must(s->closed++ == 0);
    s->w = NULL;
}

static void side_on_accept(void *arg, struct stream *st)
{
    static const struct ws_events ev = { .on_message = side_on_message, .on_close = side_on_close };
    struct side *s = arg;

    s->w = ws_new(st, s->flags & 1, 100000, &ev, s);
}

static void peer_on_data(void *arg, struct stream *s, const char *p, size_t n) { }
static void peer_on_close(void *arg, struct stream *s, int err, const char *reason) { *(bool *)arg = true; }
static const struct stream_events peer_events = { .on_data = peer_on_data, .on_close = peer_on_close };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    long blocks = mem_live();
    bool gone = false;
    struct side side = { .flags = data[0] };
    struct mem_world *w = mem_world_new();
    struct listener_opts lo = { .addr = "ws", .on_accept = side_on_accept, .arg = &side };
    struct stream_connect_opts co = { .addr = "ws", .ev = &peer_events, .arg = &gone };
    struct listener *ln;
    struct stream *s;

    if (data[1] != 0)
        w->piece = data[1];
    must(listener_open(&w->l, &lo, &ln, NULL) == 0 && stream_connect(&w->l, &co, &s, NULL) == 0);
    mem_run_for(w, 1);
    stream_write(s, data + 2, size - 2);
    for (int i = 0; i < 20; i++) {
        mem_run_for(w, 10);
        if (side.w != NULL)
            ws_resume(side.w);
    }
    if (!gone)
        stream_close(s);
    for (size_t i = 0; i <= size && side.w != NULL; i++) {
        ws_resume(side.w);                       /* it may pause at every message */
        mem_run_for(w, 1);
    }
    mem_run_for(w, 30000);
    must(side.closed == 1 && gone);
    listener_close(ln);
    loop_free(&w->l);
    must(mem_live() == blocks);
    return 0;
}
