/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CORE_VERSION_H
#define CORE_VERSION_H

extern const char hypervisor_version[];

#endif
