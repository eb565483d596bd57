// SPDX-License-Identifier: GPL-2.0-only
/* Registers of an emulated CPU, by name. */
#include <string.h>
#include <core/types.h>

#define MAX_REGISTERS	64

static struct {
	const char *name;
	u64 value;
} registers[MAX_REGISTERS];

u64 *fake_sysreg(const char *name);
u64 *fake_sysreg(const char *name)
{
	unsigned int n;

	for (n = 0; n < MAX_REGISTERS - 1 && registers[n].name; n++)
		if (strcmp(registers[n].name, name) == 0)
			return &registers[n].value;
	registers[n].name = strdup(name);
	return &registers[n].value;
}
