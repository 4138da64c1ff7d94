/* SPDX-License-Identifier: MIT */
#ifndef IO_INTERNAL_H
#define IO_INTERNAL_H

#include "io.h"

struct io_ops {
	int (*read)(struct io *io, uint8_t *buf, struct pkt *pkt);
	int (*write)(struct io *io, const struct pkt *pkt);
	void (*close)(struct io *io);
};

/* Each back end begins with this. */
struct io {
	const struct io_ops *ops;
	int fd;
	bool uso;
};

#endif
