# SPDX-License-Identifier: GPL-2.0-or-later
"""Broken ZVHD2 images, one wrong thing each, for the tests of the driver.

CASES lists them: a name, the rules (of block/zvhd2.rst) that may be named in
the answer, when at the latest it must be noticed, how to make it.

when  'open'   opening is refused
      'read'   reading the whole disk fails
      'check'  only qemu-img check must tell; the data may still be read
"""

import dataclasses
import struct
import typing
import zlib

import zvhd2ref as ref
from zvhd2ref import GIB, MIB, PAGE, Draft

SIZE = 20 * MIB
BLOCKS = {1: b'one', 3: b'three', 4: b'four' * 5000, 7: b'seven'}
BIG = (1 << 64) - 1


@dataclasses.dataclass
class Case:
    name: str
    rules: tuple
    when: str
    change: typing.Callable     # called with the placed draft
    knobs: dict = dataclasses.field(default_factory=dict)
    blocks: dict = dataclasses.field(default_factory=lambda: BLOCKS)
    before: typing.Callable = None  # called before offsets are fixed
    size: int = SIZE

    def write(self, path):
        draft = Draft(self.size, self.blocks, **self.knobs)
        if self.before:
            self.before(draft)
        draft.place()
        raw = self.change(draft) if self.change else None
        with open(path, 'wb') as f:
            f.write(draft.pack() if raw is None else raw)
        return path


CASES = []


def case(name, rules, when, change=None, **kw):
    rules = (rules,) if isinstance(rules, int) else rules
    CASES.append(Case(name, rules, when, change, **kw))


# --- descriptor fields, in the footer alone and in all three -------------

def footer(**fields):
    def change(draft):
        for name, value in fields.items():
            setattr(draft.footer, name, value)
    return change


def everywhere(**fields):
    def change(draft):
        for d in (draft.header, draft.marker, draft.footer):
            for name, value in fields.items():
                setattr(d, name, value)
    return change


case('footer: no cookie', 1, 'open', footer(cookie=b'z3strm\0\0'))
case('footer: bad checksum', 2, 'open', footer(checksum=1))
case('footer: all zero', 1, 'open',
     lambda d: d.pack()[:-PAGE] + bytes(PAGE))
case('footer: one bit of uuid flipped', 2, 'open',
     lambda d: flip(d.pack(), -PAGE + 70))
for value in (0, 0x20000, 0xffffffff):
    case(f'ff_version {value:#x}', 3, 'open', everywhere(ff_version=value))
for value in (0, 2, 0xffffffff):
    case(f'type {value:#x}', 3, 'open', everywhere(type=value))
for value in (2, 255):
    case(f'zvhd2_version {value}', 3, 'open',
         everywhere(zvhd2_version=value))
for value in (0, 1, 512, MIB // 2, 3 * MIB, 64 * MIB, 1 << 31, (1 << 32) - 1):
    case(f'block_size {value}', (4, 6), 'open', everywhere(block_size=value))
for value in (SIZE + 1, SIZE - 512 + 7, 1 << 47, 1 << 63, BIG, BIG - 511):
    case(f'orig_size {value:#x}', (5, 6), 'open',
         everywhere(orig_size=value))
for value in (0, SIZE - 512, GIB + 1, 1 << 63, BIG, BIG - 511):
    case(f'curr_size {value:#x}', 5, 'open', everywhere(curr_size=value))
for value in (0, 9, 11, 32768, 1 << 31, (1 << 32) - 1):
    case(f'max_blk_num {value:#x}', 6, 'open', everywhere(max_blk_num=value))
for value in (2, 255):
    case(f'compress_method {value}', 7, 'open',
         everywhere(compress_method=value))
    case(f'index kind {value}', 7, 'open',
         everywhere(index_contains_zero_blk=value))

# --- places of index and bitmap ------------------------------------------

for field, values in {
        'index_seg_size': (0, 1, 524287, 1 << 31),
        'bitmap_seg_size': (0, 1, 8192, (1 << 32) - 1),
        'index_seg_num': (0, 2, 8192, (1 << 32) - 1),
        'bitmap_seg_num': (0, 2, 1 << 20, (1 << 32) - 1),
        'index_size': (0, 16, 524288 - 4096, 1 << 31, (1 << 32) - 1),
        'bitmap_size': (0, 1, 8192, (1 << 32) - 1)}.items():
    for value in values:
        case(f'{field} {value:#x}', (8, 9), 'open', footer(**{field: value}))
for field in ('index_lba', 'bitmap_lba'):
    for value in (0, 1, 4095, 4096, 1 << 40, 1 << 63, BIG, BIG - 4095):
        case(f'{field} {value:#x}', (8, 9, 10), 'open',
             footer(**{field: value}))


def swap_areas(draft):
    f = draft.footer
    f.index_lba, f.bitmap_lba = f.bitmap_lba, f.index_lba


case('index and bitmap swapped', (8, 9), 'open', swap_areas)
case('index over the bitmap', (8, 9), 'open',
     lambda d: footer(bitmap_lba=d.footer.index_lba)(d))
case('index inside the records', (8, 9, 10, 25), 'open',
     lambda d: footer(index_lba=PAGE * 2)(d))
for value in (0, 3, 5, 11, 32768, (1 << 32) - 1):
    case(f'non_zero_blk_num {value:#x}', (8, 9, 10, 13), 'open',
         everywhere(non_zero_blk_num=value))
case('huge disk claimed by a small file', (5, 6, 8, 9), 'open',
     everywhere(orig_size=1 << 46, curr_size=1 << 46, max_blk_num=1 << 25))
case('page behind the footer', (1, 2, 9), 'open',
     lambda d: d.pack() + bytes(PAGE))
case('bytes behind the footer', (1, 2, 9), 'open',
     lambda d: d.pack() + b'tail')

# --- header against footer -----------------------------------------------


def header(**fields):
    def change(draft):
        for name, value in fields.items():
            setattr(draft.header, name, value)
    return change


case('header: no cookie', (1, 11), 'open', header(cookie=b'zzstrm\0\0'))
case('header: bad checksum', (2, 11), 'check', header(checksum=5))
for field, value in (('orig_size', SIZE - 512), ('curr_size', 2 * GIB),
                     ('block_size', 4 * MIB), ('max_blk_num', 9),
                     ('compress_method', 0), ('uuid', bytes(16)),
                     ('index_contains_zero_blk', 1)):
    case(f'header: other {field}', (4, 5, 6, 11), 'check',
         header(**{field: value}))

# --- bitmap --------------------------------------------------------------


def bits(*flips):
    def change(draft):
        for n in flips:
            draft.bitmap[n // 8] ^= 1 << n % 8
    return change


case('bitmap: bit past the disk', (12, 13), 'open', bits(10, 1))
case('bitmap: last bit of the segment', (12, 13), 'open', bits(32767, 1))
case('bitmap: a bit too many', 13, 'open', bits(2))
case('bitmap: a bit too few', 13, 'open', bits(3))
case('bitmap: bit of another block', (14, 20, 21), 'read', bits(3, 2))

# --- index entries: dense entry 1 is block 3; sparse entry 3 too ---------


def entry(**fields):
    def change(draft):
        k = 3 if draft.header.index_contains_zero_blk else 1
        draft.set_entry(k, **{n: v(draft) if callable(v) else v
                              for n, v in fields.items()})
    return change


for sparse in (False, True):
    kind = 'sparse' if sparse else 'dense'
    knobs = {'sparse': sparse}
    for value in (1, 4, 12, 1 << 31, (1 << 32) - 1):
        case(f'{kind} entry: block {value}', (14,), 'read', entry(blk=value),
             knobs=knobs)
    for value in (1, 0, 512, 4095, 8191, 1 << 40, 1 << 63, BIG, BIG - 4095):
        if value or not sparse:
            case(f'{kind} entry: offset {value:#x}', (15, 17), 'read',
                 entry(at=value), knobs=knobs)
    case(f'{kind} entry: offset 0 of a block in the bitmap', (14, 15), 'read',
         entry(at=0), knobs=knobs)
    case(f'{kind} entry: another record', (15, 16, 17, 21), 'read',
         entry(at=PAGE), knobs=knobs)
    case(f'{kind} entry: the header', (15,), 'read', entry(at=0, length=PAGE),
         knobs=knobs)
    case(f'{kind} entry: the index', (15,), 'read',
         entry(at=lambda d: d.footer.index_lba), knobs=knobs)
    case(f'{kind} entry: the end marker', (15, 20), 'read',
         entry(at=lambda d: d.marker_at), knobs=knobs)
    for value in (0, 1, 48, 4095, 4097, 1 << 22, 1 << 31, (1 << 32) - 4096,
                  (1 << 32) - 1):
        case(f'{kind} entry: length {value:#x}', (15, 16, 17, 22, 23), 'read',
             entry(length=value), knobs=knobs)
case('dense: unused entry in use', 19, 'check',
     lambda d: d.set_entry(4, at=PAGE, blk=9, length=PAGE))
case('sparse: entry of a zero block in use', (14, 19), 'check',
     lambda d: d.set_entry(9, at=PAGE, blk=9, length=PAGE),
     knobs={'sparse': True})


def descending(draft):
    draft.records.reverse()


def put_entries_in_order(draft):
    """The records descend; index and bitmap tell the truth."""
    placed = sorted(draft.placed)
    draft.index[:] = ref.make_index(draft.header, placed)


case('records in descending order', 18, 'check', put_entries_in_order,
     before=descending)


def gap(draft):
    """A page of zeros before the third record, all offsets right."""
    raw = draft.pack()
    at = draft.placed[2][1]
    draft.footer.index_lba += PAGE
    draft.footer.bitmap_lba += PAGE
    for k in (2, 3):
        draft.set_entry(k, at=draft.placed[k][1] + PAGE)
    tail = draft.pack()[draft.marker_at:]
    return (raw[:at] + bytes(PAGE) + raw[at:draft.marker_at] + tail)


case('a gap between records', 18, 'check', gap)

# --- records -------------------------------------------------------------


def record(**fields):
    def change(draft):
        r = draft.records[1]
        for name, value in fields.items():
            setattr(r, name, value(r) if callable(value) else value)
    return change


case('record: bad prefix', 20, 'read', record(magic=b'hwstream bx\0'))
case('record: prefix all zero', 20, 'read', record(magic=bytes(12)))
case('record: block 4 instead of 3', 21, 'read', record(blk=4))
case('record: block 2^32-1', 21, 'read', record(blk=(1 << 32) - 1))
for value in (0, 4096 - 51, 1 << 20, 1 << 31, (1 << 32) - 1, (1 << 32) - 52):
    case(f'record: payload size {value:#x}', (22, 23, 24), 'read',
         record(size=value))
case('record: no end mark', 23, 'read', record(end=b'eod\0'))
case('record: end mark all zero', 23, 'read', record(end=bytes(4)))


def payload(data):
    """The record carries data, all else agrees with it."""
    def before(draft):
        old = draft.records[1]
        draft.records[1] = ref.NewRecord(old.blk, data())
    return before


def a_block(n=2 * MIB, text=b'three'):
    return text.ljust(n, b'\0')


def zstd_bomb(length, stated=None):
    """A zstd frame of 'x' by hand, so that the test needs no memory for it.

    stated: the content size that its header tells; None: nothing.
    """
    head = struct.pack('<I', 0xfd2fb528)
    if stated is None:
        head += bytes([0x00, 0x58])             # window of 2 MiB
    else:
        head += bytes([0xc0, 0x58]) + struct.pack('<Q', stated)
    rle = (65536 << 3 | 1 << 1).to_bytes(3, 'little') + b'x'
    last = (65536 << 3 | 1 << 1 | 1).to_bytes(3, 'little') + b'x'
    return head + rle * (length // 65536 - 1) + last


def zlib_bomb(length):
    z = zlib.compressobj(1)
    data = b''.join(z.compress(bytes(MIB)) for _ in range(length // MIB))
    return data + z.flush(zlib.Z_SYNC_FLUSH)


for name, data in {
        'random bytes': lambda: bytes(range(7, 256)),
        'zeros': lambda: bytes(64),
        'half a block': lambda: ref.zstd_compress(a_block(MIB)),
        'a block less a byte': lambda: ref.zstd_compress(
            a_block(2 * MIB - 1)),
        'a block and a byte': lambda: ref.zstd_compress(
            a_block(2 * MIB + 1)),
        'two blocks': lambda: ref.zstd_compress(a_block(4 * MIB)),
        '256 MiB': lambda: zstd_bomb(256 * MIB, 256 * MIB),
        '256 MiB that claim to be a block': lambda: zstd_bomb(256 * MIB,
                                                              2 * MIB),
        'half a block that claims to be one': lambda: zstd_bomb(MIB, 2 * MIB),
        'zlib in a zstd image': lambda: ref.zlib_compress(a_block()),
        'frame cut off': lambda: ref.zstd_compress(
            a_block(text=bytes(range(256)) * 20))[:-40],
        'two frames': lambda: ref.zstd_compress(a_block(MIB)) * 2,
        'two frames, the first a whole block': lambda: (
            ref.zstd_compress(a_block()) + ref.zstd_compress(b'more')),
        'empty frame': lambda: ref.zstd_compress(b''),
        'skippable frame': lambda: (
            struct.pack('<II', 0x184d2a50, 8) + b'8' * 8),
        'unstated size, 64 blocks': lambda: zstd_bomb(128 * MIB),
        'unstated size, short': lambda: zstd_bomb(MIB),
        'dictionary wanted': lambda: struct.pack(
            '<IBI', 0xfd2fb528, 0x23, 99) + b'\1\1\0\0x',
        }.items():
    case(f'payload: {name}', 24, 'read', before=payload(data))
for name, data in {
        'random bytes': lambda: bytes(range(7, 256)),
        'half a block': lambda: ref.zlib_compress(a_block(MIB)),
        'a block less a byte': lambda: ref.zlib_compress(
            a_block(2 * MIB - 1)),
        'a block and a byte': lambda: ref.zlib_compress(
            a_block(2 * MIB + 1)),
        '256 MiB': lambda: zlib_bomb(256 * MIB),
        'zstd in a zlib image': lambda: ref.zstd_compress(a_block()),
        'finished short stream': lambda: ref.zlib_compress(
            a_block(MIB), finish=True),
        'bad Adler-32': lambda: ref.zlib_compress(
            a_block(), finish=True)[:-1] + b'x',
        'stream cut off': lambda: ref.zlib_compress(
            a_block(text=bytes(range(256)) * 20))[:-40],
        'preset dictionary wanted': lambda: b'\x78\xbb\0\0\0\1',
        }.items():
    case(f'zlib payload: {name}', 24, 'read', before=payload(data),
         knobs={'method': 'zlib'})

# --- end marker ----------------------------------------------------------

case('end marker: all zero', 25, 'check',
     lambda d: cut(d.pack(), d.marker_at, bytes(PAGE)))
case('end marker: another count', 25, 'check',
     lambda d: setattr(d.marker, 'non_zero_blk_num', 3))
case('end marker: a record prefix', 25, 'check',
     lambda d: cut(d.pack(), d.marker_at, ref.RECORD_MAGIC))

# --- no index: read by scanning ------------------------------------------

SCAN = {'version': 0}
case('scan: no end marker', (1, 20, 22, 25), 'open',
     lambda d: d.pack()[:-PAGE], knobs=SCAN)
case('scan: bad prefix', (20, 25), 'open', record(magic=b'hwstream bx\0'),
     knobs=SCAN)
case('scan: block twice', (18, 21), 'open', record(blk=1), knobs=SCAN)
case('scan: descending', (18, 21), 'open', before=descending, knobs=SCAN)
case('scan: block past the disk', (6, 14, 18, 21), 'open', record(blk=10),
     knobs=SCAN)
case('scan: block 2^32-1', (6, 14, 18, 21), 'open',
     record(blk=(1 << 32) - 1), knobs=SCAN)
for value in (0, 1 << 20, 1 << 31, (1 << 32) - 1, (1 << 32) - 52):
    case(f'scan: payload size {value:#x}', (20, 22, 23, 24, 25), 'read',
         record(size=value), knobs=SCAN)
case('scan: no end mark', 23, 'read', record(end=b'eod\0'), knobs=SCAN)
case('scan: random payload', 24, 'read', knobs=SCAN,
     before=payload(lambda: bytes(range(7, 256))))
case('scan: other records than the marker counts', (10, 13, 25), 'open',
     everywhere(non_zero_blk_num=7), knobs=SCAN)
case('scan: bytes behind the end marker', (1, 9, 20, 25), 'check',
     lambda d: d.pack() + b'junk' * 1024, knobs=SCAN)


def flip(raw, at):
    raw = bytearray(raw)
    raw[at] ^= 1
    return bytes(raw)


def cut(raw, at, new):
    return raw[:at] + new + raw[at + len(new):]
