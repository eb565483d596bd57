# SPDX-License-Identifier: GPL-2.0-only
"""What people read after a run.

::

    collect    pytest plugin: what a run leaves for Allure, written while it runs
    crashed    results of tests whose worker died, written by the controller
    allure     the `allure` command from npm, and one HTML file out of a run
    jitter     one HTML page and JSON out of jitter measurements
    browser    headless Chromium, for tests that look at both
"""
