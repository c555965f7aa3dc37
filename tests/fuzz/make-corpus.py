#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the seeds of the ZVHD2 fuzz targets into tests/fuzz/corpus/.

    tests/fuzz/make-corpus.py [FOLDER]

The seeds are checked in; run this to make them again after a change here.
Images come from the independent writer in tests/lib, good ones and one for
each kind of damage that a reader has to notice; what fuzzing finds goes into
corpus/TARGET/ under a name that does not start with 'seed-'.
"""
import glob
import os
import re
import struct
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))

# pylint: disable=wrong-import-position
import zvhd2ref as ref  # noqa: E402
from zvhd2ref import MIB, PAGE  # noqa: E402

SMALL = {0: b'zero', 1: b'one', 3: b'three' * 100, 9: b'nine'}


def packed(image):
    """An image in the form of fuzz-zvhd2.c: its length, then what is not 0."""
    out = [struct.pack('<H', len(image) // PAGE)]
    for m in re.finditer(rb'[^\0](?:.{0,24}[^\0])*', image, re.S):
        for at in range(m.start(), m.end(), 65535):
            part = image[at:min(at + 65535, m.end())]
            out.append(struct.pack('<IH', at, len(part)) + part)
    return b''.join(out)


def image(change=None, size=20 * MIB, blocks=None, **knobs):
    draft = ref.Draft(size, SMALL if blocks is None else blocks,
                      block_size=knobs.pop('block_size', MIB), **knobs)
    draft.place()
    raw = change(draft) if change else None
    return packed(raw if isinstance(raw, bytes) else draft.pack())


def fields(part, **values):
    def change(draft):
        for d in (('header', 'marker', 'footer') if part == 'all'
                  else (part,)):
            for name, value in values.items():
                setattr(getattr(draft, d), name, value)
    return change


def record(**values):
    def change(draft):
        for name, value in values.items():
            setattr(draft.records[1], name, value)
    return change


def entry(**values):
    return lambda draft: draft.set_entry(1, **values)


def bit(n):
    def change(draft):
        draft.bitmap[n // 8] ^= 1 << n % 8
    return change


def images():
    yield 'empty', image(blocks={}, size=0)
    yield 'all-zero', image(blocks={}, size=64 * MIB)
    yield 'one-sector', image(blocks={0: b'sector'}, size=512)
    yield 'dense', image()
    yield 'sparse', image(sparse=True)
    yield 'zlib', image(method='zlib', level=9)
    yield 'zlib-finished', image(method='zlib', level=9, finish_zlib=True)
    yield 'block-2M', image(block_size=2 * MIB)
    yield 'no-index', image(version=0)
    yield 'two-bitmap-segments', image(
        size=(32768 + 9) * MIB, blocks={0: b'a', 32767: b'b', 32768: b'c'})
    yield 'two-index-segments', image(
        size=(32768 + 9) * MIB, sparse=True,
        blocks={1: b'a', 32767: b'b', 32768: b'c'})
    for field, value in (('zvhd2_version', 2), ('block_size', 3 * MIB),
                         ('block_size', 32 * MIB), ('orig_size', (1 << 64) - 512),
                         ('curr_size', 1 << 63), ('max_blk_num', 0xffffffff),
                         ('compress_method', 2), ('uuid', bytes(16))):
        yield f'header-{field}-{value if field != "uuid" else "other"}', \
            image(fields('header', **{field: value}))
    for field, value in (('index_seg_num', 8193), ('index_size', 0xffffffff),
                         ('index_lba', (1 << 64) - PAGE), ('index_lba', PAGE),
                         ('bitmap_lba', 0), ('bitmap_seg_num', 1 << 20),
                         ('non_zero_blk_num', 5), ('checksum', 1)):
        yield f'footer-{field}-{value}', \
            image(fields('footer', **{field: value}))
    yield 'huge-disk', image(fields('all', orig_size=1 << 46, curr_size=1 << 46,
                                    max_blk_num=1 << 26))
    for n in (2, 3, 20, 32767):
        yield f'bitmap-bit-{n}', image(bit(n))
    for name, value in (('at', 1), ('at', PAGE), ('at', (1 << 64) - PAGE),
                        ('blk', 7), ('length', 0), ('length', 0xfffff000),
                        ('length', 2 * PAGE)):
        yield f'entry-{name}-{value}', image(entry(**{name: value}))
    for name, value in (('magic', bytes(12)), ('blk', 2), ('blk', 0xffffffff),
                        ('size', 0), ('size', 0xffffffff), ('size', 5000),
                        ('end', b'eod\0')):
        text = value if isinstance(value, int) else 'bad'
        yield f'record-{name}-{text}', image(record(**{name: value}))
        yield f'walk-record-{name}-{text}', image(record(**{name: value}),
                                                  version=0)


def payloads():
    """Inputs of fuzz-zvhd2-codec.c; the first byte says what they are."""
    block = b'a block'.ljust(MIB, b'.')
    for name, data in (
            ('good', ref.zstd_compress(block)),
            ('short', ref.zstd_compress(block[1:])),
            ('long', ref.zstd_compress(block + b'x')),
            ('two', ref.zstd_compress(block) * 2),
            ('skippable', struct.pack('<II', 0x184d2a50, 8) + bytes(8)),
            ('dictionary', struct.pack('<IBI', 0xfd2fb528, 0x23, 99) + b'xyz')):
        yield f'zstd-{name}', b'\1' + data
        yield f'zstd-2M-{name}', b'\3' + data
    for name, data in (
            ('good', ref.zlib_compress(block)),
            ('finished', ref.zlib_compress(block, finish=True)),
            ('short', ref.zlib_compress(block[1:])),
            ('long', ref.zlib_compress(block + b'x')),
            ('two', ref.zlib_compress(block) * 2),
            ('raw', zlib.compress(block)[2:])):
        yield f'zlib-{name}', b'\0' + data
    noise = b''.join(zlib.crc32(struct.pack('<I', n)).to_bytes(4, 'little')
                     for n in range(512))
    for method in range(2):
        yield f'block-{method}-text', bytes([8 + method]) + b'some text. ' * 9
        yield f'block-{method}-noise', bytes([8 + method]) + noise
        yield f'block-{method}-nothing', bytes([8 + method])
    yield 'nothing', b''


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, 'corpus')
    for target, seeds in (('zvhd2', images()), ('zvhd2-codec', payloads())):
        folder = os.path.join(top, target)
        os.makedirs(folder, exist_ok=True)
        for old in glob.glob(os.path.join(folder, 'seed-*')):
            os.unlink(old)
        count = size = 0
        for name, data in seeds:
            with open(os.path.join(folder, 'seed-' + name), 'wb') as f:
                f.write(data)
            count, size = count + 1, size + len(data)
        print(f'{target}: {count} seeds, {size} bytes')


if __name__ == '__main__':
    main()
