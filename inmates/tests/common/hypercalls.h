/* SPDX-License-Identifier: GPL-2.0-only */
/* Every hypercall from a cell, with what it answers: lines HC <code> <arg> <arg> = <result>. */
#ifndef HYPERCALLS_H
#define HYPERCALLS_H

#include <inmate.h>

static void print_hypercall(u32 code, unsigned long a, unsigned long b)
{
	printf("HC %u %lx %lx = %d\n", code, a, b, hypercall(code, a, b));
}

static void print_hypercalls(unsigned long own_cpu, unsigned long other_cpu)
{
	u32 code, type;

	for (code = 0; code <= 4; code++)
		print_hypercall(code, 1, 0);
	for (type = 0; type <= 5; type++)
		print_hypercall(5, type, 0);
	print_hypercall(5, ~0UL, 0);
	print_hypercall(6, 0, 0);
	print_hypercall(6, 1, 0);
	for (type = 0; type < 3; type++)
		print_hypercall(7, own_cpu, type);
	for (type = 1000; type <= 1012; type++)
		print_hypercall(7, own_cpu, type);
	print_hypercall(7, other_cpu, 0);
	print_hypercall(7, 4095, 0);
	print_hypercall(7, ~0UL, 0);
	print_hypercall(8, '.', 0);
	print_hypercall(99, 0, 0);
	print_hypercall(~0U, 0, 0);
}

#endif
