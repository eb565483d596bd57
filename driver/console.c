// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's log page: read through sysfs (all that is left of it) and
 * through /dev/jailhouse (a stream with a position per open file, abi 5.5).
 */
#include "driver.h"

#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define RING	JAILHOUSE_CONSOLE_SIZE

/* A consistent copy of the page: the last bytes, in order. */
struct log {
	u32 tail;		/* bytes ever written */
	u32 length;		/* bytes in text, the newest ones */
	char text[RING];
};

struct reader {
	unsigned int session;	/* what pos belongs to */
	u32 pos;
	unsigned int kept_session;	/* kept log already delivered */
	struct log log;		/* too large for the stack */
};

/* Every attempt to enter is a session; under jailhouse_lock. */
static unsigned int session;
static bool log_readable;
static struct log kept_log;
static unsigned int kept_session;

static void log_copy(struct log *log, const char *ring, u32 tail)
{
	u32 length = min_t(u32, tail, RING);
	u32 start = (tail - length) % RING;
	u32 first = min_t(u32, length, RING - start);

	log->tail = tail;
	log->length = length;
	memcpy(log->text, ring + start, first);
	memcpy(log->text + first, ring, length - first);
}

/* The writer raises busy, moves tail, drops busy, with barriers between. */
static void log_read(struct log *log)
{
	const struct jailhouse_virt_console *page = hypervisor_log;
	unsigned int attempts = 1000000;
	u32 tail;

	do {
		while (READ_ONCE(page->busy) && --attempts)
			cpu_relax();
		tail = READ_ONCE(page->tail);
		smp_rmb();
		log_copy(log, page->content, tail);
		smp_rmb();
	} while ((READ_ONCE(page->tail) != tail || READ_ONCE(page->busy)) && --attempts);
}

/* Before entering. */
void console_init(bool readable)
{
	session++;
	log_readable = readable;
}

/* After a failed enable or a disable: the page goes away. */
void console_keep(void)
{
	if (!log_readable)
		return;
	log_read(&kept_log);
	kept_session = session;
}

static ssize_t emit_log(struct log *log, char *buffer)
{
	memcpy(buffer, log->text, log->length);
	return log->length;
}

ssize_t console_show_all(char *buffer)
{
	ssize_t result = 0;
	struct log *log;

	BUILD_BUG_ON(RING > PAGE_SIZE);
	log = kmalloc(sizeof(*log), GFP_KERNEL);
	if (!log)
		return -ENOMEM;

	down_read(&hypervisor_sem);
	if (jailhouse_enabled && !log_readable)
		result = -EPERM;
	else if (jailhouse_enabled)
		log_read(log);
	else
		log->length = 0;
	up_read(&hypervisor_sem);

	if (!result)
		result = emit_log(log, buffer);
	kfree(log);
	return result;
}

int jailhouse_console_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc(sizeof(struct reader), GFP_KERNEL);
	return file->private_data ? 0 : -ENOMEM;
}

int jailhouse_console_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

/* One line in place of what was overwritten, and go on behind the gap. */
static ssize_t report_missed(struct reader *reader, u32 missed, char __user *out, size_t size)
{
	char line[64];
	size_t length = scnprintf(line, sizeof(line), "<missed %u bytes of console log>\n", missed);

	reader->pos += missed;
	length = min(length, size);
	return copy_to_user(out, line, length) ? -EFAULT : length;
}

/* What the reader has not seen of its copy; 0: nothing. */
static ssize_t deliver(struct reader *reader, char __user *out, size_t size)
{
	const struct log *log = &reader->log;
	u32 unread = log->tail - reader->pos;
	u32 length;

	if (unread > log->length)
		return report_missed(reader, unread - log->length, out, size);
	length = min_t(size_t, unread, size);
	if (copy_to_user(out, log->text + log->length - unread, length))
		return -EFAULT;
	reader->pos += length;
	return length;
}

static void reader_follow(struct reader *reader, unsigned int of_session)
{
	if (reader->session != of_session)
		reader->pos = 0;
	reader->session = of_session;
}

static ssize_t read_live(struct reader *reader, char __user *out, size_t size)
{
	if (!log_readable)
		return -EPERM;
	reader_follow(reader, session);
	log_read(&reader->log);
	return deliver(reader, out, size);
}

/* The kept log, once per open file. */
static ssize_t read_kept(struct reader *reader, char __user *out, size_t size)
{
	ssize_t result;

	if (kept_session == 0 || reader->kept_session == kept_session) {
		reader->pos = 0;
		return -EAGAIN;
	}
	reader_follow(reader, kept_session);
	reader->log = kept_log;
	result = deliver(reader, out, size);
	if (result >= 0 && reader->pos == kept_log.tail)
		reader->kept_session = kept_session;
	return result;
}

/* >0: bytes, 0: enabled but no news, -EAGAIN: not enabled, others: errors. */
static ssize_t read_once(struct reader *reader, char __user *out, size_t size)
{
	ssize_t result;

	if (mutex_lock_interruptible(&jailhouse_lock))
		return -EINTR;
	result = jailhouse_enabled ? read_live(reader, out, size) : read_kept(reader, out, size);
	mutex_unlock(&jailhouse_lock);
	return result;
}

ssize_t jailhouse_console_read(struct file *file, char __user *out, size_t size, loff_t *off)
{
	struct reader *reader = file->private_data;
	ssize_t result;

	if (size == 0)
		return 0;
	for (;;) {
		result = read_once(reader, out, size);
		if (result != 0 && result != -EAGAIN)
			return result;
		if (file->f_flags & O_NONBLOCK)
			return result;
		if (schedule_timeout_interruptible(HZ / 10), signal_pending(current))
			return -EINTR;
	}
}
