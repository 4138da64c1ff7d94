/* SPDX-License-Identifier: MIT */
#include "io.h"

#include "io_internal.h"

void io_close(struct io *io)
{
	if (io)
		io->ops->close(io);
}

int io_fd(const struct io *io)
{
	return io->fd;
}

bool io_has_uso(const struct io *io)
{
	return io->uso;
}

int io_read(struct io *io, uint8_t *buf, struct pkt *pkt)
{
	return io->ops->read(io, buf, pkt);
}

int io_write(struct io *io, const struct pkt *pkt)
{
	return io->ops->write(io, pkt);
}
