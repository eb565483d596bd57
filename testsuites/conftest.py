# SPDX-License-Identifier: GPL-2.0-only
"""All tests use the harness's plugins."""

pytest_plugins = ["harness.plugin", "harness.selection", "harness.hang.hooks", "harness.keep",
                  "harness.verdicts"]  # fmt: skip
