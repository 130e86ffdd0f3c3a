/* net/tls_memory.h: the heap of the TLS library; for net/tls.c only. */
#ifndef NET_TLS_MEMORY_H
#define NET_TLS_MEMORY_H

/* Before the library's first allocation; later it has no effect. */
void tls__memory_init(void);

#endif
