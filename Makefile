# SPDX-License-Identifier: GPL-2.0-only
#
# make              hypervisor, driver, inmates and configurations, into $(O)
# make setup        Python environment, kernels and emulator; no network after it
# make demo|test|soak|bench
# make report       the newest run as one HTML file; jitter-report: the newest figures
# make install      and modules_install, firmware_install, tool_inmates_install

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

O ?= $(CURDIR)/build
override O := $(abspath $(O))

# --- what to build for -------------------------------------------------------

host-arch := $(shell uname -m | sed -e 's/x86_64/x86/' -e 's/armv7l/arm/' -e 's/aarch64/arm64/')
ARCH ?= $(host-arch)
CROSS_COMPILE ?=
CONFIG ?=
V ?= 0
# The kernel series whose guest the tests build for: 6.1 or 6.12.
KERNEL ?= 6.1

VENV := $(CURDIR)/.venv
PYTHON := $(VENV)/bin/python
# The interpreter the environment is made from: the distribution's, not the first in PATH.
SYSTEM_PYTHON ?= /usr/bin/python3

# The running kernel's build directory, or that of the guest's kernel.
debian-arch := $(patsubst x86,amd64,$(ARCH))
ifeq ($(origin KDIR), undefined)
ifeq ($(ARCH),$(host-arch))
KDIR := $(wildcard /lib/modules/$(shell uname -r)/build)
endif
ifeq ($(KDIR),)
KDIR = $(eval KDIR := $$(shell $(SYSTEM_PYTHON) -m harness.provision kdir \
	--kernel $(KERNEL) --arch $(debian-arch)))$(KDIR)
endif
endif

COMPONENT = $(MAKE) --no-print-directory O=$(O) ARCH=$(ARCH) CROSS_COMPILE=$(CROSS_COMPILE) V=$(V)

# --- where to install --------------------------------------------------------

DESTDIR ?=
INSTALL_MOD_PATH ?= $(DESTDIR)
prefix ?= /usr/local
exec_prefix ?= $(prefix)
sbindir ?= $(exec_prefix)/sbin
libexecdir ?= $(exec_prefix)/libexec
datarootdir ?= $(prefix)/share
datadir ?= $(datarootdir)
man8dir ?= $(datarootdir)/man/man8
completionsdir ?= /usr/share/bash-completion/completions
firmwaredir ?= /lib/firmware

INSTALL ?= install
INSTALL_DATA ?= $(INSTALL) -m 644

# --- building ----------------------------------------------------------------

.PHONY: all modules hypervisor driver inmates configs clean

all: hypervisor driver inmates configs
modules: all

hypervisor:
	+$(COMPONENT) -C hypervisor CONFIG="$(CONFIG)"

driver:
	+$(COMPONENT) -C driver KDIR=$(KDIR)

inmates:
	+$(COMPONENT) -C inmates

configs:
	+$(COMPONENT) -C configs

# Everything, against each kernel that guests run.
KERNELS := 6.1 6.12
.PHONY: kernels $(addprefix kernel-,$(KERNELS))
kernels: $(addprefix kernel-,$(KERNELS))

$(addprefix kernel-,$(KERNELS)): kernel-%: $(VENV_STAMP)
	+@kdir=$$($(PYTHON) -m harness.provision kdir --kernel $*) && \
		$(MAKE) --no-print-directory all KERNEL=$* KDIR=$$kdir

clean:
	rm -rf $(addprefix $(O)/,hypervisor driver inmates configs)

# --- preparing ---------------------------------------------------------------

.PHONY: setup setup-demo venv

# What `make demo` and `make bench` run on; `make soak` takes several names.
TARGET ?= amd-tcg

VENV_STAMP := $(VENV)/.requirements

# What checks and reports need on top; a demo does not.
VENV_TEST_STAMP := $(VENV)/.requirements-test

venv: $(VENV_STAMP) $(VENV_TEST_STAMP)

$(VENV_STAMP): requirements.txt
	@echo "  venv: $$(grep -c == $<) pinned packages"
	@[ -x $(PYTHON) ] || $(SYSTEM_PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@cp $< $@

$(VENV_TEST_STAMP): requirements-test.txt $(VENV_STAMP)
	@echo "  venv: $$(grep -c == $<) pinned packages for checks and reports"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $<
	@cp $< $@

setup-demo: $(VENV_STAMP)
	@$(PYTHON) -m harness.prepare --kernel 6.1 --target $(TARGET)

setup: $(VENV_STAMP) $(VENV_TEST_STAMP)
	@$(PYTHON) -m harness.prepare --kernel 6.1 --kernel 6.12
	@$(PYTHON) -m harness.quality.sparse >/dev/null
	@$(PYTHON) -m harness.report --install

# --- running -----------------------------------------------------------------

.PHONY: demo test test-boards report jitter-report summary soak bench

N ?= 10
# Machines at once: as many as cores and memory carry (harness/plugin/workers.py).
JOBS ?= auto
PYTEST_ARGS ?=
# --suite: all that runs on machines, not the core only; --load: with every core busy.
SOAK_ARGS ?=

demo: setup-demo
	@$(PYTHON) -m harness demo --target $(TARGET)

test: setup check
	$(PYTHON) -m pytest testsuites/ -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

# The run that is reported on: the newest of tests, or RUN=results/...
RUN ?=

report: $(VENV_TEST_STAMP)
	@$(PYTHON) -m harness.report $(RUN)

# One table of all runs below RUNS, for a page of continuous integration.
RUNS ?= results

summary:
	@$(SYSTEM_PYTHON) -m harness.report.summary $(RUNS)

# The newest run that measured jitter, or JITTER=results/...
JITTER ?=

jitter-report: $(VENV_STAMP)
	@$(PYTHON) -m harness.report.jitter $(JITTER)

# Boards whose UARTs, clocks and cards are not those of QEMU's reference machines.
BOARDS := zcu102 imx8mp
BOARD_TESTS := testsuites/system

# What is listed in testsuites/shares/<board>.toml.
test-boards: setup
	$(PYTHON) -m pytest $(BOARD_TESTS) --share $(BOARDS:%=--target %) $(PYTEST_ARGS)

soak: setup
	@$(PYTHON) -m harness soak -N $(N) $(TARGET:%=--target %) $(SOAK_ARGS)

bench: setup
	@$(PYTHON) -m harness bench --target $(TARGET)

# --- checking the sources -------------------------------------------------------

.PHONY: check check-python check-arm64 check-format check-static check-workflows

# Each remembers what it has seen in $(O)/check, so that little is checked twice.
check: check-python check-format check-static check-arm64 check-workflows

check-python: $(VENV_STAMP) $(VENV_TEST_STAMP)
	$(PYTHON) -m ruff check --quiet .
	$(PYTHON) -m mypy

# No x86 creeps into what all architectures share.
check-arm64:
	+$(COMPONENT) -C hypervisor check-arm64

C_FILES = $(shell find configs driver harness hypervisor include inmates testsuites -name '*.[ch]')
FORMAT_RULES := .clang-format harness/quality/style.py requirements-test.txt

check-format: $(O)/check/format

# Only files that are newer; all of them when the rules are.
$(O)/check/format: $(FORMAT_RULES) $(C_FILES) | $(VENV_TEST_STAMP)
	@mkdir -p $(@D)
	$(PYTHON) -m harness.quality.style \
		$(if $(filter $(FORMAT_RULES),$?),$(C_FILES),$?)
	@touch $@

# The compiler's analyzer and sparse read every C file of the x86 hypervisor, sparse the driver's.
SPARSE = $(eval SPARSE := $$(shell $(PYTHON) -m harness.quality.sparse))$(SPARSE)

check-static: $(VENV_STAMP)
	@[ -n "$(SPARSE)" ]
	+@SPARSE=$(SPARSE) $(COMPONENT) -C hypervisor O=$(O)/check ARCH=x86 \
		CC=$(CURDIR)/.ci/checked-cc EXTRA_CFLAGS=-fanalyzer
	+@PATH=$(dir $(SPARSE)):$$PATH KBUILD_CHECKSRC=1 CF=-Wsparse-error \
		$(COMPONENT) -C driver O=$(O)/check KDIR=$(KDIR)

WORKFLOWS := $(wildcard .github/*.yml .github/workflows/*.yml)

check-workflows: $(O)/check/workflows

$(O)/check/workflows: $(WORKFLOWS) harness/quality/pins.py requirements-test.txt | $(VENV_TEST_STAMP)
	@mkdir -p $(@D)
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows \
		.github/workflows/*.yml
	@$(VENV)/bin/zizmor --offline --quiet --config .github/zizmor.yml .github/workflows
	@$(PYTHON) -m harness.quality.pins .github/workflows/*.yml
	@touch $@

# --- installing --------------------------------------------------------------

.PHONY: install modules_install firmware_install tool_inmates_install tools_install

install: modules_install firmware_install tool_inmates_install tools_install

# What modules are stamped with.
KERNEL_RELEASE = $(shell sed -n 's/^\#define UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h)

modules_install: driver
	$(INSTALL) -d $(INSTALL_MOD_PATH)/lib/modules/$(KERNEL_RELEASE)/updates
	$(INSTALL_DATA) $(O)/driver/$(KERNEL_RELEASE)/jailhouse.ko \
		$(INSTALL_MOD_PATH)/lib/modules/$(KERNEL_RELEASE)/updates
ifeq ($(INSTALL_MOD_PATH),)
	depmod $(KERNEL_RELEASE)
endif

firmware_install: hypervisor
	$(INSTALL) -d $(DESTDIR)$(firmwaredir)
	$(INSTALL_DATA) $(O)/hypervisor/jailhouse*.bin $(DESTDIR)$(firmwaredir)

tool_inmates_install: inmates
	$(INSTALL) -d $(DESTDIR)$(libexecdir)/jailhouse
	@for inmate in $(O)/inmates/tools/$(ARCH)/*.bin; do \
		[ ! -e $$inmate ] || \
			$(INSTALL_DATA) -v $$inmate $(DESTDIR)$(libexecdir)/jailhouse || exit; \
	done

tools_install:
	+$(MAKE) --no-print-directory -C tools install $(foreach v,DESTDIR prefix exec_prefix \
		sbindir libexecdir datarootdir datadir man8dir completionsdir,$(v)="$($(v))")
