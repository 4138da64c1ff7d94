/* SPDX-License-Identifier: MIT */
/* The two sides of a `tls` measure, inside their nodes. */
#ifndef PROBE_TLS_INTERNAL_H
#define PROBE_TLS_INTERNAL_H

#include <linux/tcp.h>
#include <stdint.h>

/*
 * tls_serve - answer requests over TLS 1.3 until a signal ends it. The
 * certificate is made here; with it the server's first flight is about
 * TLS_CHAIN_BYTES long, as that of a site with an intermediate and many names.
 * A client that has its answer closes its side; then one JSON object a line
 * tells what TCP had to do for it, and only then the server closes the other.
 * Returns an exit status.
 */
int tls_serve(int port);

#define TLS_CHAIN_BYTES 4000

/*
 * What a client asks for: a line with the length of the answer, and blanks up
 * to TLS_REQUEST_BYTES, as a request with its cookies has.
 */
#define TLS_REQUEST_BYTES 2000

/*
 * tls_lost - segments of @fd that had to be sent again: without those that the
 * other end said it had already (RFC 2883), which were only late.
 * @info: all of what the kernel says of the connection, for other uses
 */
int tls_lost(int fd, struct tcp_info *info);

#endif
