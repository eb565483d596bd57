# SPDX-License-Identifier: GPL-2.0-only
"""The Jailhouse management tool and its parts, usable as a library.

``device``    the driver's ioctls          ``sysfs``   what the driver tells
``cellfile``  configurations, read, write  ``check``   configurations, judged
``hardware``  can this machine run it      ``stats``   live exit counters
``cli``       the ``jailhouse`` command

Importing this package imports none of them: `jailhouse cell list` has to be
cheap on small targets.
"""

VERSION = "v0.1"
