/* test/fuzz/fuzz_spdy.c: hostile bytes at a SPDY session.  First byte: whether the owner pauses, refuses
 * and closes in between; second: how the bytes are cut; third: compress the rest's blocks (so that they can
 * be right). on_close comes exactly once and nothing is left behind. */
#include "test/net/spdy_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame for each step of the input: kind, stream, some bytes. */
static void make_frames(struct frames *f, const uint8_t *p, size_t n)
{
    while (n >= 3) {
        char text[17] = "";
        uint32_t id = p[1];
        size_t len = MIN_OF((size_t)(p[2] & 15), n - 3);

        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + p[3 + i] % 26);
        switch (p[0] % 8) {
        case 0: put_syn(f, id, p[2] >> 7, text); break;
        case 1: put_data(f, id, p[2] >> 7, text); break;
        case 2: put_two(f, FRAME_RST, id, 5); break;
        case 3: put_ping(f, id); break;
        case 4: put_two(f, FRAME_GOAWAY, id, 0); break;
        case 5: put_syn(f, id * 2 + 1, p[2] >> 7, NULL); break;
        case 6: put_data(f, id * 2 + 1, p[2] >> 7, text); break;
        default: put_control(f, p[1], p[2] >> 7, str_make((const char *)p + 3, len)); break;
        }
        p += 3 + len;
        n -= 3 + len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spdy_rig r;
    struct frames f = { 0 };

    if (size < 3)
        return 0;
    spdy_rig_open(&r);
    r.pause_each = data[0] & 1;
    r.free_each = data[0] & 2;
    if (data[1] != 0)
        r.w->piece = data[1];
    if (data[2] & 1)
        make_frames(&f, data + 3, size - 3);
    else
        buf_add(&f.b, data + 3, size - 3);
    stream_write(r.raw.s, f.b.p, f.b.n);
    for (int i = 0; i < 20 && r.sp != NULL; i++) {
        mem_run_for(r.w, 10);
        if (r.sp != NULL)
            spdy_resume(r.sp);
        if (i == 10 && (data[0] & 4) && r.sp != NULL)
            spdy_close(r.sp);
    }
    frames_free(&f);
    must(spdy_rig_close(&r));
    return 0;
}
