/* node/server.h: the agent's HTTPS server for the heads, with the paths a kubelet has:
 *     GET  /containerLogs/NS/POD/CONTAINER?follow&previous&tailLines&sinceSeconds&sinceTime&timestamps&limitBytes
 *     GET, POST /exec/NS/POD/CONTAINER?command=..&input=1&output=1&error=1&tty=1       by WebSocket or
 * SPDY/3.1
 *     GET, POST /attach/NS/POD/CONTAINER?input=1&output=1&error=1&tty=1
 *     GET, POST /portForward/NS/POD[?port=N,M]  by SPDY/3.1, straight or in a WebSocket; with ports by
 * WebSocket
 *     GET  /tunnel/NS/POD/PORT[?tls=1]          Upgrade: tcp; Coracle's own, for the proxy subresource
 *     GET  /pods  /healthz  /metrics
 * Client certificates are required (CN of a head: kube-apiserver-kubelet-client or system:masters). */
#ifndef NODE_SERVER_H
#define NODE_SERVER_H

#include "node/agent_impl.h"

int  agent_server_open(struct agent *a, const char *addr, struct tls_ctx *tls, struct errbuf *err);
void agent_server_close(struct agent *a);

#endif
