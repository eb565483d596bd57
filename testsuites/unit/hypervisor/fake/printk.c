// SPDX-License-Identifier: GPL-2.0-only
/* Collects what the code under test prints. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <core/printk.h>

char fake_log[65536];
static size_t used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void collect(const char *fmt, va_list args)
{
	int len;

	pthread_mutex_lock(&mutex);
	len = vsnprintf(fake_log + used, sizeof(fake_log) - used, fmt, args);
	if (len > 0)
		used = MIN(used + (size_t)len, sizeof(fake_log) - 1);
	pthread_mutex_unlock(&mutex);
}

void fake_log_clear(void);
void fake_log_clear(void)
{
	used = 0;
	fake_log[0] = 0;
}

void printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	collect(fmt, args);
	va_end(args);
}

void panic_printk(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	collect(fmt, args);
	va_end(args);
}

void panic_begin(void) { }
void panic_end(void) { }
