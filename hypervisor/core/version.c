// SPDX-License-Identifier: GPL-2.0-only
/* Alone in its file, because it is rebuilt with every commit. */
#include <core/version.h>
#include <version.h>

const char hypervisor_version[] = JAILHOUSE_VERSION;
