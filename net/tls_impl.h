/* net/tls_impl.h: TLS for the real streams; for net/ only. */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include "net/tls.h"

/* A session of c on fd, ready for its handshake.  name: what a client demands of the certificate; a
 * server passes NULL.  NULL and a reason on failure. */
SSL *tls__session(struct tls_ctx *c, int fd, const char *name, struct errbuf *err);
/* Why the last call on the session failed: E_DENIED when either side refuses the other's certificate,
 * else E_IO.  Empties OpenSSL's queue of errors. */
int  tls__reason(SSL *ssl, struct errbuf *err);
/* The verified peer, or NULL. */
struct tls_peer *tls__peer(SSL *ssl);
void tls__peer_free(struct tls_peer *p);
/* One line from OpenSSL's queue of errors, after "context: "; returns code. */
int  tls__err(struct errbuf *err, int code, const char *context);

#endif
