/* SPDX-License-Identifier: MIT */
/*
 * The server of a `tls` measure.
 *
 * Theory of operation
 *
 * A thread for each connection, so that one that hangs in a black hole holds
 * up no other; each gives up after a while by itself. The certificate is made
 * at the start: an elliptic-curve key, signed by itself, with as many names as
 * make it as long as the chains of real sites. Nobody checks who signed it:
 * what is measured is the way, not the trust.
 */
#include "tls_internal.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S   30
#define CERT_DAYS    1
#define NAMES_BYTES  (TLS_CHAIN_BYTES + 64)
#define ANSWER_BYTES 16384 /* a record */

static SSL_CTX *context;

/* ---- the certificate -------------------------------------------------------
 */

/* "DNS:host0.slash.example,DNS:host1..." of about TLS_CHAIN_BYTES. */
static void list_names(char *text)
{
	size_t at = 0;

	for (int i = 0; at < TLS_CHAIN_BYTES; i++)
		at += (size_t)snprintf(text + at, NAMES_BYTES - at,
				       "%sDNS:host%d.slash.example",
				       i ? "," : "", i);
}

static int add_names(X509 *cert)
{
	char names[NAMES_BYTES];
	X509_EXTENSION *ext;
	int ok;

	list_names(names);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	ok = ext && X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static X509 *make_cert(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), CERT_DAYS * 86400L);
	if (!X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					(const unsigned char *)"slash.example",
					-1, -1, 0) ||
	    !X509_set_issuer_name(cert, name) || !X509_set_pubkey(cert, key) ||
	    !add_names(cert) || !X509_sign(cert, key, EVP_sha256())) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static int open_context(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? make_cert(key) : NULL;
	int ok;

	context = SSL_CTX_new(TLS_server_method());
	ok = context && cert &&
	     SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
	     SSL_CTX_use_certificate(context, cert) == 1 &&
	     SSL_CTX_use_PrivateKey(context, key) == 1;
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok ? 0 : -1;
}

/* ---- connections -----------------------------------------------------------
 */

static bool read_all(SSL *tls, char *buf, size_t len)
{
	for (size_t n = 0, got; n < len; n += got)
		if (!SSL_read_ex(tls, buf + n, len - n, &got))
			return false;
	return true;
}

/* One line, whole: connections end at the same time. */
static void tell(int fd)
{
	struct tcp_info info = {0};
	int lost = tls_lost(fd, &info);

	printf("{\"mss\": %u, \"retransmits\": %u, \"lost\": %d}\n",
	       info.tcpi_snd_mss, info.tcpi_total_retrans, lost);
	fflush(stdout);
}

static void serve_one(SSL *tls)
{
	static const char answer[ANSWER_BYTES];
	char request[TLS_REQUEST_BYTES + 1];
	size_t left, done;

	if (SSL_accept(tls) != 1 || !read_all(tls, request, TLS_REQUEST_BYTES))
		return;
	request[TLS_REQUEST_BYTES] = '\0';
	left = strtoul(request, NULL, 10);
	while (left) {
		size_t part = left < ANSWER_BYTES ? left : ANSWER_BYTES;

		if (!SSL_write_ex(tls, answer, part, &done))
			return;
		left -= done;
	}
	/* its end of the connection says that all has arrived */
	while (SSL_read_ex(tls, request, 1, &done))
		;
	tell(SSL_get_fd(tls));
}

static void *on_connection(void *arg)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = (int)(intptr_t)arg;
	SSL *tls = SSL_new(context);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (tls && SSL_set_fd(tls, fd))
		serve_one(tls);
	SSL_free(tls);
	close(fd);
	return NULL;
}

int tls_serve(int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int zero = 0, one = 1, conn;
	pthread_t thread;

	if (open_context()) {
		ERR_print_errors_fp(stderr);
		return 1;
	}
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    listen(fd, 64)) {
		perror("tls: server");
		return 1;
	}
	while ((conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (pthread_create(&thread, NULL, on_connection,
				   (void *)(intptr_t)conn))
			close(conn);
		else
			pthread_detach(thread);
	}
	perror("tls: accept");
	return 1;
}
