# SPDX-License-Identifier: GPL-2.0-only
"""Judgements on hand-built answers of KVM."""

import struct

import pytest

from harness.probes import (
    VMX_EPT_MSR,
    VMX_SECONDARY_MSR,
    CpuidRecord,
    KvmEvidence,
    bochs_possible,
    judge_kvm_svm,
    judge_kvm_vmx,
    parse_cpuid,
)

SVM = CpuidRecord(0x80000001, 0, ecx=1 << 2)
NO_SVM = CpuidRecord(0x80000001, 0, ecx=0x00400393)
NPT = CpuidRecord(0x8000000A, 0, edx=1)
NO_NPT = CpuidRecord(0x8000000A, 0)


def test_svm_and_nested_paging_are_needed() -> None:
    for records, possible in (
        ((SVM, NPT), True),
        ((SVM, NO_NPT), False),
        ((NO_SVM, NPT), False),
        ((SVM,), False),
        ((), False),
    ):
        judged = judge_kvm_svm(KvmEvidence(records, 12, True))
        assert judged.possible is possible, judged


def test_the_reason_names_the_register() -> None:
    judged = judge_kvm_svm(KvmEvidence((NO_SVM, NO_NPT), 12, False))
    text = "\n".join(judged.reasons)
    assert "CPUID 0x80000001 ECX = 0x00400393, not offered" in text
    assert "nested state can be saved: no" in text


def test_no_kvm() -> None:
    judged = judge_kvm_svm(KvmEvidence(error="/dev/kvm: Permission denied"))
    assert not judged.possible
    assert judged.reasons == ("/dev/kvm: Permission denied",)


def test_foreign_api_version() -> None:
    assert not judge_kvm_svm(KvmEvidence((SVM, NPT), 11, True)).possible


def test_parse_cpuid() -> None:
    entry = struct.Struct("<7I12x")
    raw = struct.pack("<II", 2, 0)
    raw += entry.pack(0x80000001, 0, 0, 1, 2, 4, 8)
    raw += entry.pack(0x8000000A, 3, 1, 5, 6, 7, 1)
    raw += bytes(400)
    assert parse_cpuid(raw) == (
        CpuidRecord(0x80000001, 0, 1, 2, 4, 8),
        CpuidRecord(0x8000000A, 3, 5, 6, 7, 1),
    )


VMX = CpuidRecord(1, 0, ecx=1 << 5)
NO_VMX = CpuidRecord(1, 0, ecx=0x80202001)
#: Hand-built: the bits that are asked for, and some others.
CONTROLS = {VMX_SECONDARY_MSR: 0x00003CFF_00000000, VMX_EPT_MSR: 0x00000F01_06334141}


@pytest.mark.parametrize(
    ("record", "features", "possible"),
    [
        (VMX, CONTROLS, True),
        (NO_VMX, CONTROLS, False),
        (VMX, {}, False),
        (VMX, CONTROLS | {VMX_SECONDARY_MSR: 0x00003C7F_00000000}, False),
        (VMX, CONTROLS | {VMX_SECONDARY_MSR: 0x00003CFD_00000000}, False),
        (VMX, CONTROLS | {VMX_EPT_MSR: 0x00000F01_06330101}, False),
    ],
    ids=["haswell", "no VMX", "no MSRs", "no unrestricted guest", "no EPT", "no write-back"],
)
def test_vmx_and_what_the_hypervisor_requires_of_it(
    record: CpuidRecord, features: dict[int, int], possible: bool
) -> None:
    judged = judge_kvm_vmx(KvmEvidence((record,), 12, True, features=features))
    assert judged.possible is possible, judged


def test_missing_vmx_names_register_and_msr() -> None:
    text = "\n".join(judge_kvm_vmx(KvmEvidence((NO_VMX,), 12, True)).reasons)
    assert "CPUID 0x1 ECX = 0x80202001, not offered" in text
    assert "unrestricted guest: MSR 0x48b not known to KVM, missing" in text


def test_bochs_wants_an_x86_host() -> None:
    assert bochs_possible("x86_64").possible
    assert "this is aarch64" in bochs_possible("aarch64").reasons[0]
