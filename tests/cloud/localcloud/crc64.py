# SPDX-License-Identifier: GPL-2.0-or-later
"""CRC-64/XZ (ECMA-182 reflected), the checksum newer OBS regions offer.

Plain Python, some MB/s: computed only when a client sends the value or the
setting crc64 is on.
"""

POLY = 0xc96c5795d7870f42
MASK = 0xffffffffffffffff


def _table():
    result = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLY if value & 1 else 0)
        result.append(value)
    return result


TABLE = _table()


def crc64(data, value=0):
    """CRC of DATA; pass the last result to go on."""
    value ^= MASK
    table = TABLE
    for byte in bytes(data):
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ MASK
