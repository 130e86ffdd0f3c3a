/* tools/bench_grpc.h: gRPC calls of many workers over one connection of HTTP/2, made for load: the client
 * takes as little CPU as it can, so that the servers get what is left of a machine that both share.
 *
 * Only what unary calls need of RFC 9113 is here.  Frames are made and cut by hand, their heads
 * (de)compressed by nghttp2's HPACK; all calls of a turn share one write.  Whatever else a server sends ends
 * the connection, and with it the calls in flight.
 * A worker's place is a bench_conn (tools/bench_conn.h) whose member `grpc` is set before it is opened; its
 * requests are bench_grpc_request()s, the status that on_response gets is that of HTTP which comes closest to
 * gRPC's (200: OK), the message of a failure comes by on_body.
 * Lifetime: freed after all its places are closed and the loop has stopped.  Thread: loop only. */
#ifndef TOOLS_BENCH_GRPC_H
#define TOOLS_BENCH_GRPC_H

#include "tools/bench_conn.h"

struct bench_grpc;
struct bench_grpc *bench_grpc_new(struct loop *l);
void bench_grpc_shut(struct bench_grpc *g);       /* no more calls: the connection ends */
void bench_grpc_free(struct bench_grpc *g);       /* not from inside an event */

/* What bench_conn_send() takes: the method's path with its length in front, then the message. */
void bench_grpc_request(struct buf *out, const char *path, struct str message);

/* For bench_conn.c. */
/* Connects to t (borrowed), if it is not connected already. */
int  bench_grpc_open(struct bench_conn *c, const struct bench_target *t, struct errbuf *err);
void bench_grpc_send(struct bench_conn *c, struct str request);
void bench_grpc_close(struct bench_conn *c);

#endif
