// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into Bochs, for two things it does not offer:
 *
 * read(): Bochs 2.7 and 3.0 load a memory image with read() straight into guest
 * memory, which they keep in blocks of 128 KiB that do not follow each other:
 * one long read would overwrite its neighbours. They go on after a short read,
 * as every reader has to, block by block if the image starts at one.
 *
 * bind(): its only display that needs no terminal is a VNC server, on all
 * interfaces and a fixed range of ports. Here it is on loopback, on any port.
 */

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK	(128 * 1024)

ssize_t read(int handle, void *buffer, size_t size)
{
	return syscall(SYS_read, handle, buffer, size < BLOCK ? size : BLOCK);
}

int bind(int handle, const struct sockaddr *address, socklen_t size)
{
	struct sockaddr_in loopback = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	if (address->sa_family == AF_INET) {
		address = (const struct sockaddr *)&loopback;
		size = sizeof(loopback);
	}
	return syscall(SYS_bind, handle, address, size);
}
