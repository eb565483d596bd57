// SPDX-License-Identifier: GPL-2.0-only
/* MMIO decoder test, 32-bit code: see mmio-access.h. */
#include "mmio-access.h"
#include "report.h"

static const struct insn reads[] = {
	{ __LINE__, INSN_LOAD, { 0x8a }, .access = 1 },
	{ __LINE__, INSN_LOAD, { 0x8b }, .access = 2, .operand16 = true },
	{ __LINE__, INSN_LOAD, { 0x8b }, .access = 4 },
	{ __LINE__, INSN_LOAD_ZX, { 0x0f, 0xb6 }, .access = 1,
		.operand16 = true },
	{ __LINE__, INSN_LOAD_ZX, { 0x0f, 0xb6 }, .access = 1 },
	{ __LINE__, INSN_LOAD_ZX, { 0x0f, 0xb7 }, .access = 2 },
	{ __LINE__, INSN_LOAD_MOFFS, { 0xa1 }, .access = 2, .operand16 = true },
	{ __LINE__, INSN_LOAD_MOFFS, { 0xa1 }, .access = 4 },
};

static const struct insn writes[] = {
	{ __LINE__, INSN_STORE, { 0x88 }, .access = 1 },
	{ __LINE__, INSN_STORE, { 0x89 }, .access = 2, .operand16 = true },
	{ __LINE__, INSN_STORE, { 0x89 }, .access = 4 },
	{ __LINE__, INSN_STORE_IMM, { 0xc7 }, .access = 2, .operand16 = true },
	{ __LINE__, INSN_STORE_IMM, { 0xc7 }, .access = 4 },
	{ __LINE__, INSN_STORE_MOFFS, { 0xa3 }, .access = 2,
		.operand16 = true },
	{ __LINE__, INSN_STORE_MOFFS, { 0xa3 }, .access = 4 },
};

void inmate_main(void)
{
	bool read_ok, write_ok;

	mmio_access_init();
	read_ok = check_insns(reads, ARRAY_SIZE(reads));
	printf("MMIO read test %s\n", read_ok ? "passed" : "FAILED");
	write_ok = check_insns(writes, ARRAY_SIZE(writes));
	printf("MMIO write test %s\n", write_ok ? "passed" : "FAILED");
	report_done("mmio-access-32", read_ok && write_ok);
}
