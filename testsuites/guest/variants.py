# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: offers malformed configurations to everybody who has to
refuse them.

stdin (compressed by zlib): JSON with "kind" ("cell" or "system") and "variants":
[name, hexadecimal data, whether to ask the hypervisor]. stdout: JSON list of
[name, errno of the driver, result of a direct hypercall or null, mem pages used,
remap pages used]; an operation that is not refused gives 0, and is undone.
"""

import json
import struct
import sys
import zlib

import hvcall

from jailhouse import device

CREATE, DESTROY = 1, 4
ID_OFFSET, UNUSED_ID = 40, 7


def used(name):
    with open(f"/sys/devices/jailhouse/{name}_pool_used") as file:
        return int(file.read())


def attempt(operation, data):
    try:
        operation(data)
    except OSError as error:
        return error.errno
    return 0


def driver_says(kind, data):
    if kind == "system":
        code = attempt(device.enable, data)
        if code == 0:
            device.disable()
        return code
    code = attempt(device.create, data)
    if code == 0:
        device.destroy(bytes(data[8:40]).split(b"\0")[0].decode(errors="replace"))
    return code


def hypervisor_says(handle, data):
    """The hypercall itself; a configuration in the file has number 0, which is root's."""
    content = bytearray(data)
    struct.pack_into("<I", content, ID_OFFSET, UNUSED_ID)
    errno, result, _ = hvcall.call(handle, hvcall.CREATE, -1, content.hex(), 0)
    if errno:
        return errno
    if result == 0:
        hvcall.call(handle, 1, -1, DESTROY, UNUSED_ID, 0)
    return struct.unpack("<i", struct.pack("<I", result & 0xFFFFFFFF))[0]


def main():
    request = json.loads(zlib.decompress(sys.stdin.buffer.read()))
    kind = request["kind"]
    answers = []
    with open("/dev/jailhouse-hvcall", "rb+", buffering=0) as handle:
        for name, text, ask in request["variants"]:
            data = bytes.fromhex(text)
            answers.append(
                [
                    name,
                    driver_says(kind, data),
                    hypervisor_says(handle, data) if ask else None,
                    used("mem"),
                    used("remap"),
                ]
            )
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
