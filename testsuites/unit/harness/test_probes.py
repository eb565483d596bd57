# SPDX-License-Identifier: GPL-2.0-only
"""Judgements on hand-built answers of KVM."""

import struct

from harness.probes import CpuidRecord, KvmEvidence, judge_kvm_svm, parse_cpuid

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
