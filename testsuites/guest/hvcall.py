# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: a JSON list of [op, cpu, arguments...] on stdin, each
carried out by hvcall.ko; a list of [errno, result, value] on stdout.

Bytes for "create" are hexadecimal text in place of address and length.
"""

import array
import fcntl
import json
import struct
import sys

RUN = 0xC0484A01
RECORD = struct.Struct("<IiQQQQQQqq")
CREATE = 2
MASK = (1 << 64) - 1


def call(device, op, cpu, *arguments):
    keep = None
    if op == CREATE:
        keep = array.array("B", bytes.fromhex(arguments[0]))
        arguments = (keep.buffer_info()[0], len(keep), *arguments[1:])
    words = [number & MASK for number in arguments] + [0] * (6 - len(arguments))
    record = bytearray(RECORD.pack(op, cpu, *words, 0, 0))
    try:
        fcntl.ioctl(device, RUN, record)
    except OSError as error:
        return [error.errno, 0, 0]
    *_, result, value = RECORD.unpack(record)
    return [0, result, value & MASK]


def main():
    with open("/dev/jailhouse-hvcall", "rb+", buffering=0) as device:
        json.dump([call(device, *entry) for entry in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
