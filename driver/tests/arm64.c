// SPDX-License-Identifier: GPL-2.0-only
/* Firmware calls. */
#include <linux/arm-smccc.h>
#include <linux/kernel.h>

#include "arch.h"

/* Results: x0, and x1. */
static void do_smc(struct hvcall *call)
{
	struct arm_smccc_res res;

	arm_smccc_smc(call->arg[0], call->arg[1], call->arg[2], call->arg[3], call->arg[4],
		      call->arg[5], 0, 0, &res);
	call->result = res.a0;
	call->value = res.a1;
}

hvcall_operation hvcall_arch_operation(unsigned int op)
{
	return op == HVCALL_OP_SMC ? do_smc : NULL;
}
