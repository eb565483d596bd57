# SPDX-License-Identifier: GPL-2.0-only
"""Checks of the sources that need more than one command: `make check` runs them."""
