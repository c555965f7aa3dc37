# SPDX-License-Identifier: GPL-2.0-or-later
"""Small images in formats that qemu-img reads but cannot create.

bochs, cloop and dmg from a raw disk.  Whether they are valid is QEMU's own
readers' judgement: the tests compare each with the raw disk first.
"""

import base64
import bz2
import struct
import zlib

SECTOR = 512
ZERO, RAW, IGNORE, ZLIB, BZIP2, END = (0, 1, 2, 0x80000005, 0x80000006,
                                       0xffffffff)


def pieces(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def bochs(raw, path, extent=65536):
    """A growing redolog: catalogue, then bitmap and sectors per extent."""
    with open(raw, 'rb') as f:
        extents = pieces(f.read(), extent)
    catalog, body = [], b''
    for data in extents:
        if not data.strip(b'\0'):
            catalog.append(0xffffffff)
            continue
        data = data.ljust(extent, b'\0')
        bitmap = bytearray(SECTOR)
        for n, sector in enumerate(pieces(data, SECTOR)):
            if sector.strip(b'\0'):
                bitmap[n // 8] |= 1 << n % 8
        catalog.append(len(body) // (extent + SECTOR))
        body += bytes(bitmap) + data
    size = sum(map(len, extents))
    header = struct.pack('<32s16s16sIIIIIIQ', b'Bochs Virtual HD Image',
                         b'Redolog', b'Growing', 0x20000, SECTOR,
                         len(catalog), SECTOR, extent, 0, size)
    with open(path, 'wb') as f:
        f.write(header.ljust(SECTOR, b'\0'))
        f.write(struct.pack(f'<{len(catalog)}I', *catalog))
        f.write(body)


def cloop(raw, path, block=65536):
    """Header, offsets, one zlib stream per block."""
    with open(raw, 'rb') as f:
        blocks = [zlib.compress(b.ljust(block, b'\0'))
                  for b in pieces(f.read(), block)]
    head = (b'#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && '
            b'mount -r -t iso9660 /dev/cloop $1\n').ljust(128, b'\0')
    offset = 128 + 8 + 8 * (len(blocks) + 1)
    offsets = []
    for b in blocks:
        offsets.append(offset)
        offset += len(b)
    offsets.append(offset)
    with open(path, 'wb') as f:
        f.write(head + struct.pack('>II', block, len(blocks)))
        f.write(struct.pack(f'>{len(offsets)}Q', *offsets))
        f.writelines(blocks)


def dmg(raw, path, chunk=131072):
    """UDIF: chunks of each kind in turn, XML plist, koly trailer."""
    with open(raw, 'rb') as f:
        chunks = pieces(f.read(), chunk)
    table, fork, sector, kinds = b'', b'', 0, (ZLIB, BZIP2, RAW)
    for n, data in enumerate(chunks):
        count = len(data) // SECTOR
        if data.strip(b'\0'):
            kind = kinds[n % len(kinds)]
        else:
            kind = (ZERO, IGNORE)[n % 2]
        packed = {ZLIB: zlib.compress, BZIP2: bz2.compress, RAW: bytes}.get(
            kind, lambda _: b'')(data)
        table += struct.pack('>IIQQQQ', kind, 0, sector, count, len(fork),
                             len(packed))
        fork += packed
        sector += count
    table += struct.pack('>IIQQQQ', END, 0, sector, 0, len(fork), 0)
    # magic, version, first sector, sectors, data offset; 204 bytes in all
    mish = struct.pack('>4sIQQQ', b'mish', 1, 0, sector, 0)
    mish = mish.ljust(200, b'\0') + struct.pack('>I', len(table) // 40)
    plist = (b'<?xml version="1.0"?><plist version="1.0"><dict>'
             b'<key>resource-fork</key><dict><key>blkx</key><array><dict>'
             b'<key>Data</key><data>' + base64.b64encode(mish + table) +
             b'</data></dict></array></dict></dict></plist>')
    koly = bytearray(512)
    struct.pack_into('>4sII', koly, 0, b'koly', 4, 512)
    struct.pack_into('>QQQQ', koly, 0x18, 0, len(fork), 0, 0)
    struct.pack_into('>QQ', koly, 0xd8, len(fork), len(plist))
    struct.pack_into('>Q', koly, 0x1ec, sector)
    with open(path, 'wb') as f:
        f.write(fork + plist + koly)
