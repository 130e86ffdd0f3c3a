/* test/fuzz/fuzz_request.c: any method, path and query: a tuple without '/' in its parts, or a refusal. */
#include "api/continue.h"
#include "api/negotiate.h"
#include "api/request.h"

static void part(struct str s)
{
    must(str_find(s, '/') < 0 && str_find(s, '%') < 0 && !str_is(s, "..") && !str_is(s, "."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena   a = ARENA_INIT;
    struct str     in = str_make((const char *)data, size), method, path, query, accept, after;
    struct request r;
    struct accept  out;
    struct errbuf  err;
    uint64_t       rev;

    if (str_split(&in, '\n', &method) && str_split(&in, '\n', &path) && str_split(&in, '\n', &query)) {
        if (request_parse(&a, method, path, query, &r, &err) == 0) {
            part(r.group);
            part(r.version);
            part(r.resource);
            part(r.subresource);
            part(r.ns);
            part(r.name);
            continue_parse(&a, r.opt.continue_, &rev, &after);
        }
        while (str_split(&in, '\n', &accept)) {
            accept_parse(accept, ACCEPT_TABLE | ACCEPT_PROTOBUF, &out);
            accept_discovery(accept);
            body_format_of(accept);
        }
    }
    arena_release(&a);
    return 0;
}
