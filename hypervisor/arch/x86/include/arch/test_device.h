/* SPDX-License-Identifier: GPL-2.0-only */
/* A page that tests of the instruction decoder access (abi.md 12.4). */
#ifndef ARCH_TEST_DEVICE_H
#define ARCH_TEST_DEVICE_H

#include <core/unit.h>

#ifdef CONFIG_TEST_DEVICE
extern const struct unit test_device_unit;
/* An element of the table of units */
#define TEST_DEVICE_UNIT	&test_device_unit,
#else
#define TEST_DEVICE_UNIT
#endif

#endif
