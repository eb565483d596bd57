// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin of QEMU's TCG: a guest CPU that spins gives its host core away.
 *
 * A machine has more CPUs than the host has cores, and each is a thread.  One that spins
 * (a lock, stop_machine(), a CPU of the hypervisor that waits for the others) burns the
 * time slice of the thread that it waits for.  It says so by PAUSE (SDM vol. 2) or by
 * YIELD and WFE (Arm ARM C6.2), which TCG does nothing about with a thread a CPU.
 *
 * Only where time is the host's: counted time has one thread and must not know the host.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* From QEMU's documentation, "TCG plugins": Debian has no package with the header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*translate_cb)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*execute_cb)(unsigned int, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translate_cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, execute_cb,
					    enum qemu_plugin_cb_flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);

#define EXPORTED __attribute__((visibility("default")))

/*
 * Often enough to leave most of a time slice to others, and not oftener: each time may cost
 * a slice, and waits that are bounded by turns (msg_reply_timeout: abi.md 4.3) get longer by
 * it.  The clock is looked at once in some turns, because a turn on ARM takes nanoseconds.
 */
#define INTERVAL_NS	200000
#define TURNS		64

/* The oldest interface that has what we call. */
EXPORTED int qemu_plugin_version = 2;

static int is_arm;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void spins(unsigned int cpu, void *data)
{
	static __thread unsigned int turns;
	static __thread uint64_t yielded;

	(void)cpu;
	(void)data;
	if (++turns % TURNS || now_ns() - yielded < INTERVAL_NS)
		return;
	sched_yield();
	yielded = now_ns();
}

static int is_hint(const unsigned char *code, size_t size)
{
	static const unsigned char pause[] = { 0xf3, 0x90 };
	static const unsigned char yield[] = { 0x3f, 0x20, 0x03, 0xd5 };
	static const unsigned char wfe[] = { 0x5f, 0x20, 0x03, 0xd5 };

	if (is_arm)
		return size == 4 && (!memcmp(code, yield, 4) || !memcmp(code, wfe, 4));
	return size == 2 && !memcmp(code, pause, 2);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
	size_t count = qemu_plugin_tb_n_insns(block);

	(void)id;
	for (size_t n = 0; n < count; n++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, n);
		unsigned char code[16];

		if (is_hint(code, qemu_plugin_insn_data(insn, code, sizeof(code))))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, spins, QEMU_PLUGIN_CB_NO_REGS,
							       NULL);
	}
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
				 char **argv);

/* The one argument is "arch=x86" or "arch=arm64". */
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1)
		return 1;
	is_arm = !strcmp(argv[0], "arch=arm64");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
