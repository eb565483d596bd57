# SPDX-License-Identifier: GPL-2.0-only
"""The exceptions of the harness; the root of each says whose fault it is.

::

    Verdict
     +-- ProductFailure            ours to fix: hypervisor, driver, tools, inmates
     |    +-- DeadlineExpired      something the product had to do did not happen
     |    |    +-- CommandTimeout  a command in the guest did not end
     |    +-- CommandFailed        a command ended with the wrong status
     |    +-- NetworkLost          SSH is gone, the root cell answers on serial
     |    +-- RootCellDead         no channel answers
     |    +-- GuestSick            oops, lockup or hypervisor exception seen
     |    +-- MachineReset         a guest reset the machine or switched it off
     +-- HarnessFailure            harness, image, host tools; also everything unclassified
     |    +-- ChannelError         a channel broke its own protocol
     |    +-- ChannelClosed        the other end of a channel is gone
     |    +-- EmulatorDied         the emulator ended without being asked to
     |    +-- BootFailure          Linux did not get as far as its channels
     |    +-- BuildFailure         `make` or the image build failed
     +-- EmulatorErratum           a known defect of an emulator, by ledger entry
     +-- HostStarved               the host did not run the emulator long enough
     +-- Unsupported               the target lacks a feature (must be listed)
"""

from __future__ import annotations


class Verdict(Exception):
    """Root of everything the harness raises."""

    #: Word used in reports and records.
    verdict = "harness"


class ProductFailure(Verdict):
    """The product did something wrong."""

    verdict = "product"


class DeadlineExpired(ProductFailure):
    """An event of the product did not come in time."""


class CommandTimeout(DeadlineExpired):
    """A command in the guest did not end in time."""


class CommandFailed(ProductFailure):
    """A command in the guest ended with a status nobody wanted."""


class NetworkLost(ProductFailure):
    """SSH died while the root cell still answers on its serial channel."""


class RootCellDead(ProductFailure):
    """Neither SSH nor the serial channel answers."""


class GuestSick(ProductFailure):
    """A console shows an oops, a lock-up or a hypervisor exception."""


class MachineReset(ProductFailure):
    """The emulator ended in good order: its guest triple-faulted, rebooted or powered off."""


class HarnessFailure(Verdict):
    """The harness, the image or the host's tools are at fault."""


class ChannelError(HarnessFailure):
    """A channel violated its own protocol."""


class ChannelClosed(HarnessFailure):
    """The other end of a channel went away."""


class EmulatorDied(HarnessFailure):
    """The emulator ended although nobody asked it to."""


#: The machine is not there any more.
GONE = (EmulatorDied, MachineReset)


class BootFailure(HarnessFailure):
    """Linux did not reach the point where its channels answer."""


class BuildFailure(HarnessFailure):
    """Building what is to be tested failed."""


class EmulatorErratum(Verdict):
    """A known defect of an emulator; names its ledger entry."""

    verdict = "erratum"


class HostStarved(Verdict):
    """The emulator waited for a CPU of the host more than half of the wait."""

    verdict = "starved"


class Unsupported(Verdict):
    """The target lacks a feature; legal only if listed in testsuites/expected."""

    verdict = "unsupported"


#: Exit codes of a run, worst first: (verdict, exit code).
EXIT_CODES: dict[str, int] = {
    "product": 1,
    "harness": 11,
    "starved": 12,
    "expectation": 14,
}


def verdict_of(exc: BaseException) -> str:
    """Whose fault an exception is, as one word.

    A failed assertion speaks about the product; whatever nobody classified is
    the harness's own fault.
    """
    if isinstance(exc, Verdict):
        return exc.verdict
    if isinstance(exc, AssertionError):
        return "product"
    # pytest.fail() is an assertion in other words.
    if any(base.__name__ == "OutcomeException" for base in type(exc).__mro__):
        return "product"
    return "harness"
