# SPDX-License-Identifier: GPL-2.0-only
"""What this host can do, judged from evidence.

The judgements are pure functions of records; `kvm_evidence()` is the only
place that asks the kernel.
"""

from __future__ import annotations

import array
import fcntl
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

KVM_GET_API_VERSION = 0xAE00
KVM_CHECK_EXTENSION = 0xAE03
KVM_GET_SUPPORTED_CPUID = 0xC008AE05
KVM_GET_MSRS = 0xC008AE88
KVM_CAP_NESTED_STATE = 157

_CPUID_ENTRY = struct.Struct("<7I3I")
_MAX_ENTRIES = 256

SVM_LEAF = 0x80000001
SVM_BIT = 1 << 2
NESTED_PAGING_LEAF = 0x8000000A
NESTED_PAGING_BIT = 1 << 0

#: CPUID leaf 1, ECX: VMX (SDM 2A, CPUID).
VMX_LEAF = 1
VMX_BIT = 1 << 5
#: Allowed-1 settings of the secondary controls are the upper half (SDM 3D, A.3.3).
VMX_SECONDARY_MSR = 0x48B
EPT_CONTROL = 1 << 33
UNRESTRICTED_CONTROL = 1 << 39
#: EPT with four levels and write-back structures (SDM 3D, A.10).
VMX_EPT_MSR = 0x48C
EPT_FORMAT = 1 << 6 | 1 << 14


@dataclass(frozen=True)
class CpuidRecord:
    """One record of KVM_GET_SUPPORTED_CPUID."""

    function: int
    index: int
    eax: int = 0
    ebx: int = 0
    ecx: int = 0
    edx: int = 0


@dataclass(frozen=True)
class KvmEvidence:
    """What the host's KVM answered. `error` says why it did not."""

    records: tuple[CpuidRecord, ...] = ()
    api_version: int = 0
    nested_state: bool = False
    error: str = ""
    #: Feature MSRs that a guest may see, by number; those that KVM knows.
    features: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """Whether something is possible, and the facts that say so."""

    possible: bool
    reasons: tuple[str, ...]


def judge_kvm_svm(evidence: KvmEvidence) -> Judgement:
    """Can a guest of this KVM use SVM with nested paging?"""
    if evidence.error:
        return Judgement(False, (evidence.error,))
    reasons = [f"KVM API version {evidence.api_version}"]
    possible = evidence.api_version == 12
    for title, leaf, word, bit in (
        ("SVM", SVM_LEAF, "ecx", SVM_BIT),
        ("nested paging", NESTED_PAGING_LEAF, "edx", NESTED_PAGING_BIT),
    ):
        value = _find(evidence.records, leaf, word)
        if value is None:
            reasons.append(f"{title}: KVM offers no CPUID leaf {leaf:#x}")
            possible = False
            continue
        offered = bool(value & bit)
        possible = possible and offered
        reasons.append(
            f"{title}: CPUID {leaf:#x} {word.upper()} = {value:#010x}, "
            f"{'offered' if offered else 'not offered'} to guests"
        )
    reasons.append(f"nested state can be saved: {'yes' if evidence.nested_state else 'no'}")
    return Judgement(possible, tuple(reasons))


def judge_kvm_vmx(evidence: KvmEvidence) -> Judgement:
    """Can a guest of this KVM use VMX with what the hypervisor requires?"""
    if evidence.error:
        return Judgement(False, (evidence.error,))
    ecx = _find(evidence.records, VMX_LEAF, "ecx") or 0
    offered = bool(ecx & VMX_BIT)
    reasons = [
        f"KVM API version {evidence.api_version}",
        f"VMX: CPUID {VMX_LEAF:#x} ECX = {ecx:#010x}, "
        f"{'offered' if offered else 'not offered'} to guests",
    ]
    possible = offered and evidence.api_version == 12
    for title, msr, bits in (
        ("EPT", VMX_SECONDARY_MSR, EPT_CONTROL),
        ("unrestricted guest", VMX_SECONDARY_MSR, UNRESTRICTED_CONTROL),
        ("EPT with four levels, write-back", VMX_EPT_MSR, EPT_FORMAT),
    ):
        value = evidence.features.get(msr)
        there = value is not None and value & bits == bits
        possible = possible and there
        shown = "not known to KVM" if value is None else f"{value:#018x}"
        reasons.append(f"{title}: MSR {msr:#x} {shown}, {'there' if there else 'missing'}")
    reasons.append(f"nested state can be saved: {'yes' if evidence.nested_state else 'no'}")
    return Judgement(possible, tuple(reasons))


def _find(records: tuple[CpuidRecord, ...], leaf: int, word: str) -> int | None:
    for record in records:
        if record.function == leaf:
            return int(getattr(record, word))
    return None


def parse_cpuid(raw: bytes) -> tuple[CpuidRecord, ...]:
    """Records of a kvm_cpuid2 structure (u32 count, u32 padding, 40-byte entries)."""
    (count,) = struct.unpack_from("<I", raw)
    records = []
    for number in range(count):
        function, index, _, eax, ebx, ecx, edx, *_ = _CPUID_ENTRY.unpack_from(
            raw, 8 + number * _CPUID_ENTRY.size
        )
        records.append(CpuidRecord(function, index, eax, ebx, ecx, edx))
    return tuple(records)


def kvm_evidence(path: Path = Path("/dev/kvm")) -> KvmEvidence:
    """Ask the host's KVM; never raises."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return KvmEvidence(error=f"{path}: {error.strerror}")
    try:
        version = fcntl.ioctl(handle, KVM_GET_API_VERSION, 0)
        nested = fcntl.ioctl(handle, KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE)
        features = _feature_msrs(handle, (VMX_SECONDARY_MSR, VMX_EPT_MSR))
        return KvmEvidence(_supported_cpuid(handle), version, nested > 0, features=features)
    except OSError as error:
        return KvmEvidence(error=f"{path}: KVM ioctl: {error.strerror}")
    finally:
        os.close(handle)


def _supported_cpuid(handle: int) -> tuple[CpuidRecord, ...]:
    raw = array.array("B", bytes(8 + _MAX_ENTRIES * _CPUID_ENTRY.size))
    struct.pack_into("<I", raw, 0, _MAX_ENTRIES)
    fcntl.ioctl(handle, KVM_GET_SUPPORTED_CPUID, raw)
    return parse_cpuid(raw.tobytes())


def _feature_msrs(handle: int, numbers: Sequence[int]) -> dict[int, int]:
    """What KVM lets guests see of those MSRs (struct kvm_msrs); unknown ones are left out."""
    found = {}
    for number in numbers:
        raw = bytearray(struct.pack("<IIIIQ", 1, 0, number, 0, 0))
        try:
            if fcntl.ioctl(handle, KVM_GET_MSRS, raw) == 1:
                found[number] = struct.unpack_from("<Q", raw, 16)[0]
        except OSError:
            # Neither this MSR nor the question is known to this KVM.
            continue
    return found


def bochs_possible(machine: str = platform.machine()) -> Judgement:
    """Bochs interprets VMX anywhere; its boot ROM is assembled by an x86-64 compiler."""
    if machine != "x86_64":
        return Judgement(False, (f"the boot ROM is assembled on x86_64 hosts, this is {machine}",))
    return Judgement(True, ("Bochs interprets VMX with EPT on any host",))


def svm_possible_in_kvm() -> Judgement:
    """`judge_kvm_svm()` of this host."""
    return judge_kvm_svm(kvm_evidence())


def vmx_possible_in_kvm() -> Judgement:
    """`judge_kvm_vmx()` of this host."""
    return judge_kvm_vmx(kvm_evidence())
