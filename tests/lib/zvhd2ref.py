#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second opinion on ZVHD2: an independent reader, checker and writer.

It shares no code with the C side: where both agree about a file, two people
have read the format the same way.  It is slow, strict and whole-file; it is
never linked into anything.

    zvhd2ref.py check [--lenient] FILE   every rule; findings, exit 1 if any
    zvhd2ref.py dump FILE                descriptors and records
    zvhd2ref.py expand [--curr] FILE OUT sparse raw disk of the guest
    zvhd2ref.py sha FILE                 SHA-256 of every expanded block
    zvhd2ref.py make OUT SIZE [N=TEXT..] small image; block N starts with TEXT

Standard library only.  Python 3.11 has no zstd, so libzstd.so.1 is called by
ctypes: one-shot calls, the same that foreign readers make.
"""

import argparse
import ctypes
import functools
import hashlib
import mmap
import os
import struct
import sys
import zlib

SECTOR = 512
PAGE = 4096
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
COOKIE = b'z2strm'
RECORD_MAGIC = b'hwstream bg\0'
RECORD_HEAD = 48
END_MARK = b'end\0'
INDEX_SEG = 524288
INDEX_ENTRY = 16
ENTRIES_PER_SEG = INDEX_SEG // INDEX_ENTRY
BITMAP_SEG = 4096
BLOCKS_PER_BITMAP_SEG = BITMAP_SEG * 8
EPOCH_2000 = 946684800
ZLIB, ZSTD = 0, 1
METHODS = {'zlib': ZLIB, 'zstd': ZSTD}

# offset, struct code, name, value in a file written the vendor's way
DESCRIPTOR = (
    (0, '8s', 'cookie', COOKIE + b'\0\0'),
    (8, 'I', 'features', 2),
    (12, 'I', 'ff_version', 0x10000),
    (16, 'Q', 'data_offset', 0xffffffffffffffff),
    (24, 'I', 'timestamp', 0),
    (28, '4s', 'crtr_app', b'tap\0'),
    (32, 'I', 'crtr_ver', 0x10004),
    (36, 'I', 'crtr_os', 0),
    (40, 'Q', 'orig_size', 0),
    (48, 'Q', 'curr_size', 0),
    (56, 'I', 'geometry', 0),
    (60, 'I', 'type', 4),
    (64, 'I', 'checksum', None),
    (68, '16s', 'uuid', b''),
    (84, 'B', 'saved', 0),
    (85, 'B', 'hidden', 0),
    (86, 'B', 'align_64', 0),
    (87, 'B', 'zvhd2_version', 1),
    (88, 'I', 'block_size', 2 * MIB),
    (92, 'I', 'max_blk_num', 0),
    (96, 'Q', 'index_lba', 0),
    (104, 'Q', 'bitmap_lba', 0),
    (112, 'I', 'index_size', 0),
    (116, 'I', 'bitmap_size', 0),
    (120, 'I', 'index_seg_size', 0),
    (124, 'I', 'bitmap_seg_size', 0),
    (128, 'I', 'index_seg_num', 0),
    (132, 'I', 'bitmap_seg_num', 0),
    (136, 'I', 'non_zero_blk_num', 0),
    (140, 'B', 'index_contains_zero_blk', 0),
    (141, 'B', 'compress_method', ZSTD),
    (142, '370s', 'reserved', bytes(370)),
)
CONSTANT = ('cookie', 'features', 'ff_version', 'data_offset', 'crtr_app',
            'crtr_ver', 'crtr_os', 'type', 'saved', 'hidden', 'align_64',
            'reserved')
SAME_IN_ALL = ('timestamp', 'orig_size', 'curr_size', 'geometry', 'uuid',
               'zvhd2_version', 'block_size', 'max_blk_num',
               'index_contains_zero_blk', 'compress_method')
TRAILER_FIELDS = ('index_lba', 'bitmap_lba', 'index_size', 'bitmap_size',
                  'index_seg_size', 'bitmap_seg_size', 'index_seg_num',
                  'bitmap_seg_num')
CHECKSUM_AT = 64
ZEROS = bytes(64 * KIB)


class FormatError(Exception):
    """The file cannot be read as ZVHD2; the text says where and why."""


def round_up(n, unit):
    return -(-n // unit) * unit


def div_up(n, unit):
    return -(-n // unit)


def chs_geometry(size):
    """The VHD specification's cylinder/head/sector guess, packed."""
    total = min(size // SECTOR, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        spt, heads = 255, 16
        cyl_heads = total // spt
    else:
        spt = 17
        cyl_heads = total // spt
        heads = max((cyl_heads + 1023) // 1024, 4)
        if cyl_heads >= heads * 1024 or heads > 16:
            spt, heads = 31, 16
            cyl_heads = total // spt
        if cyl_heads >= heads * 1024:
            spt, heads = 63, 16
            cyl_heads = total // spt
    return cyl_heads // heads << 16 | heads << 8 | spt


def checksum(raw):
    """Ones' complement of the byte sum, the checksum field taken as zero."""
    total = sum(raw[:CHECKSUM_AT]) + sum(raw[CHECKSUM_AT + 4:SECTOR])
    return ~total & 0xffffffff


class Descriptor:
    """The 512 bytes that header, end marker and footer are made of."""

    def __init__(self, **fields):
        for _, _, name, default in DESCRIPTOR:
            setattr(self, name, fields.pop(name, default))
        if fields:
            raise TypeError('no such field: ' + ', '.join(fields))

    @classmethod
    def parse(cls, raw):
        return cls(**{name: struct.unpack_from('<' + code, raw, off)[0]
                      for off, code, name, _ in DESCRIPTOR})

    def copy(self, **changes):
        return Descriptor(**{**vars(self), **changes})

    def pack(self):
        """checksum None means: the right one."""
        raw = bytearray(SECTOR)
        for off, code, name, _ in DESCRIPTOR:
            struct.pack_into('<' + code, raw, off, getattr(self, name) or
                             (b'' if code.endswith('s') else 0))
        if self.checksum is None:
            struct.pack_into('<I', raw, CHECKSUM_AT, checksum(raw))
        return bytes(raw)


# --- codec ---------------------------------------------------------------

@functools.cache
def libzstd():
    lib = ctypes.CDLL('libzstd.so.1')
    size_t, void_p = ctypes.c_size_t, ctypes.c_void_p
    for name, result, args in (
            ('ZSTD_compressBound', size_t, [size_t]),
            ('ZSTD_isError', ctypes.c_uint, [size_t]),
            ('ZSTD_getErrorName', ctypes.c_char_p, [size_t]),
            ('ZSTD_decompress', size_t, [void_p, size_t, void_p, size_t]),
            ('ZSTD_compressCCtx', size_t, [void_p, void_p, size_t, void_p,
                                           size_t, ctypes.c_int]),
            ('ZSTD_createCCtx', void_p, []),
            ('ZSTD_freeCCtx', size_t, [void_p]),
            ('ZSTD_getFrameContentSize', ctypes.c_ulonglong,
             [void_p, size_t]),
            ('ZSTD_findFrameCompressedSize', size_t, [void_p, size_t])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, args
    return lib


def zstd_compress(data, level=3):
    lib = libzstd()
    out = ctypes.create_string_buffer(lib.ZSTD_compressBound(len(data)))
    ctx = lib.ZSTD_createCCtx()
    got = lib.ZSTD_compressCCtx(ctx, out, len(out), bytes(data), len(data),
                                level)
    lib.ZSTD_freeCCtx(ctx)
    if lib.ZSTD_isError(got):
        raise FormatError('zstd: ' + lib.ZSTD_getErrorName(got).decode())
    return out.raw[:got]


def zstd_expand(payload, block_size, strict):
    lib = libzstd()
    frame = lib.ZSTD_findFrameCompressedSize(payload, len(payload))
    if lib.ZSTD_isError(frame):
        raise FormatError('zstd: ' + lib.ZSTD_getErrorName(frame).decode())
    if frame != len(payload):
        raise FormatError(f'zstd: frame of {frame} bytes in a payload of '
                          f'{len(payload)}')
    stated = lib.ZSTD_getFrameContentSize(payload, len(payload))
    if strict and stated != block_size:
        raise FormatError(f'zstd: frame states a content size of {stated}')
    # one byte more than a block, so that too long a frame is seen as such
    out = ctypes.create_string_buffer(block_size + 1)
    got = lib.ZSTD_decompress(out, len(out), payload, len(payload))
    if lib.ZSTD_isError(got):
        raise FormatError('zstd: ' + lib.ZSTD_getErrorName(got).decode())
    return out.raw[:got]


def zlib_compress(data, level=1, finish=False):
    """As the format has it: flushed, but the stream is not finished."""
    z = zlib.compressobj(level, zlib.DEFLATED, 15)
    return z.compress(data) + z.flush(zlib.Z_FINISH if finish
                                      else zlib.Z_SYNC_FLUSH)


def zlib_expand(payload, block_size, strict):
    z = zlib.decompressobj(15)
    try:
        data = z.decompress(payload, block_size + 1)
    except zlib.error as e:
        raise FormatError(f'zlib: {e}') from None
    if strict:
        if z.eof:
            raise FormatError('zlib: the stream is finished')
        if payload[:1] != b'\x78' or payload[-4:] != b'\0\0\xff\xff':
            raise FormatError('zlib: no 32 KiB window or no sync flush')
    if z.unused_data or z.unconsumed_tail:
        raise FormatError('zlib: bytes behind the stream')
    return data


@functools.lru_cache(maxsize=4)
def expand(payload, method, block_size, strict=False):
    """One payload to exactly one block."""
    decode = {ZLIB: zlib_expand, ZSTD: zstd_expand}.get(method)
    if decode is None:
        raise FormatError(f'compress_method {method} is unknown')
    data = decode(payload, block_size, strict)
    if len(data) != block_size:
        raise FormatError(f'payload expands to {len(data)} bytes, '
                          f'not {block_size}')
    return data


def worst_payload(method, block_size):
    if method == ZSTD:
        return libzstd().ZSTD_compressBound(block_size)
    # zlib: a stored block costs 5 bytes per 16 KiB - 1 at the smallest
    # memLevel; header and sync flush on top
    return block_size + 5 * (block_size // 16383 + 1) + 64


# --- reader --------------------------------------------------------------

class Record:
    """A data record; `at` is its offset, `length` all of it with padding."""

    def __init__(self, raw, at):
        if raw[at:at + 12] != RECORD_MAGIC:
            raise FormatError(f'offset {at}: no record prefix')
        (self.size, self.blk, self.compressed, self.reserved3,
         self.orig_size, self.reserved20) = struct.unpack_from(
             '<IIB3sI20s', raw, at + 12)
        self.at = at
        self.length = round_up(RECORD_HEAD + self.size + 4, PAGE)
        if at + self.length > len(raw):
            raise FormatError(f'offset {at}: record of block {self.blk} '
                              'ends behind the end of the file')
        self.payload = bytes(raw[at + RECORD_HEAD:
                                 at + RECORD_HEAD + self.size])
        self.tail = bytes(raw[at + RECORD_HEAD + self.size:
                              at + self.length])


class Image:
    """A whole file, mapped.  `blocks` maps block number to Record."""

    def __init__(self, path):
        with open(path, 'rb') as f:
            size = os.fstat(f.fileno()).st_size
            if size < PAGE:
                raise FormatError(f'{path}: {size} bytes are no image')
            self.raw = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.header = self.descriptor(0)
        self.scan()

    def descriptor(self, at):
        raw = self.raw[at:at + SECTOR]
        if len(raw) < SECTOR or not raw.startswith(COOKIE):
            raise FormatError(f'offset {at}: no descriptor')
        return Descriptor.parse(raw)

    def scan(self):
        """Walk the records as a reader does that cannot seek."""
        self.records, at = [], PAGE
        while self.raw[at:at + 6] != COOKIE:
            record = Record(self.raw, at)
            self.records.append(record)
            at += record.length
        self.marker_at = at
        self.marker = self.descriptor(at)
        self.blocks = {r.blk: r for r in self.records}

    def expand(self, record, strict=False):
        return expand(record.payload, self.header.compress_method,
                      self.header.block_size, strict)


def expand_to(path, out, size='orig'):
    """Write the guest's disk as a sparse raw file."""
    image = Image(path)
    end = getattr(image.header, size + '_size')
    with open(out, 'wb') as f:
        f.truncate(end)
        for r in image.records:
            data = image.expand(r)
            start = r.blk * len(data)
            for off in range(0, min(len(data), end - start), 64 * KIB):
                part = data[off:min(off + 64 * KIB, end - start)]
                if part != ZEROS[:len(part)]:
                    f.seek(start + off)
                    f.write(part)


def block_hashes(path):
    image = Image(path)
    return {r.blk: hashlib.sha256(image.expand(r)).hexdigest()
            for r in image.records}


def same_but_identity(path):
    """SHA-256 of the file with uuid, timestamp and checksums blanked."""
    image = Image(path)
    raw = bytearray(image.raw)
    for at in (0, image.marker_at, len(raw) - PAGE):
        for off, length in ((24, 4), (64, 4), (68, 16)):
            raw[at + off:at + off + length] = bytes(length)
    return hashlib.sha256(raw).hexdigest()


# --- strict check --------------------------------------------------------

class Checker:
    """Collects findings; never stops at the first one.

    lenient allows what other writers are known to leave: stale padding
    bytes and a stale checksum in the end marker.
    """

    def __init__(self, path, lenient=False):
        self.lenient = lenient
        self.findings = []
        try:
            self.image = Image(path)
        except FormatError as e:
            self.findings.append(f'layout: {e}')
            return
        self.raw = self.image.raw
        self.expect('layout', len(self.raw) % PAGE == 0,
                    f'file size {len(self.raw)} is no multiple of {PAGE}')
        self.check_identity('header', 0, self.image.header)
        self.check_sizes(self.image.header)
        if self.findings:
            return
        self.check_records()
        self.check_marker()
        if self.image.header.zvhd2_version == 1:
            self.check_trailer()
        else:
            self.expect('layout',
                        len(self.raw) == self.image.marker_at + PAGE,
                        f'offset {self.image.marker_at + PAGE}: bytes '
                        'behind the end marker')

    def expect(self, rule, good, text):
        if not good:
            self.findings.append(f'{rule}: {text}')

    def check_identity(self, name, at, d):
        for _, _, field, value in DESCRIPTOR:
            if field in CONSTANT:
                got = getattr(d, field)
                older = (self.lenient and field == 'crtr_ver' and
                         got == 0x10003)
                self.expect(f'{name}.{field}', got == value or older,
                            f'is {got!r}')
        right = checksum(self.raw[at:at + SECTOR])
        self.expect(f'{name}.checksum', d.checksum == right or
                    (self.lenient and name == 'marker'),
                    f'is {d.checksum:#x}, should be {right:#x}')
        self.expect(f'{name}.rest',
                    not any(self.raw[at + SECTOR:at + PAGE]),
                    f'offset {at}: bytes after the descriptor not zero')

    def check_sizes(self, h):
        bs = h.block_size
        self.expect('header.block_size', bs & (bs - 1) == 0 and
                    MIB <= bs <= 32 * MIB, f'is {bs}')
        self.expect('header.orig_size', h.orig_size % SECTOR == 0,
                    f'is {h.orig_size}')
        self.expect('header.curr_size',
                    h.curr_size == round_up(h.orig_size, GIB),
                    f'is {h.curr_size}')
        self.expect('header.geometry',
                    h.geometry == chs_geometry(h.orig_size),
                    f'is {h.geometry:#x}')
        if bs:
            self.expect('header.max_blk_num',
                        h.max_blk_num == div_up(h.orig_size, bs),
                        f'is {h.max_blk_num}')
        self.expect('header.zvhd2_version', h.zvhd2_version in (0, 1),
                    f'is {h.zvhd2_version}')
        self.expect('header.index_kind', h.index_contains_zero_blk in (0, 1),
                    f'is {h.index_contains_zero_blk}')
        self.expect('header.compress_method',
                    h.compress_method in METHODS.values(),
                    f'is {h.compress_method}')
        for field in TRAILER_FIELDS + ('non_zero_blk_num',):
            self.expect(f'header.{field}', getattr(h, field) == 0,
                        f'is {getattr(h, field)} in the header')

    def check_records(self):
        h, last = self.image.header, -1
        for r in self.image.records:
            where = f'offset {r.at} block {r.blk}'
            self.expect('record.order', last < r.blk < h.max_blk_num,
                        f'{where}: after block {last}, disk has '
                        f'{h.max_blk_num}')
            last = r.blk
            self.expect('record.size', 0 < r.size <=
                        worst_payload(h.compress_method, h.block_size),
                        f'{where}: payload of {r.size} bytes')
            self.expect('record.reserved',
                        not (r.compressed or r.orig_size or
                             any(r.reserved3) or any(r.reserved20)),
                        f'{where}: reserved bytes not zero')
            self.expect('record.end', r.tail[-4:] == END_MARK,
                        f'{where}: no end mark')
            self.expect('record.padding',
                        self.lenient or not any(r.tail[:-4]),
                        f'{where}: padding not zero')
            try:
                data = self.image.expand(r, strict=True)
            except FormatError as e:
                self.expect('record.payload', False, f'{where}: {e}')
                continue
            self.expect('record.zero', self.lenient or
                        data != bytes(len(data)),
                        f'{where}: a block of zeros has a record')
            past = h.orig_size - r.blk * h.block_size
            if past < h.block_size:
                self.expect('record.beyond', not any(data[past:]),
                            f'{where}: data past the end of the disk')

    def check_same(self, name, d):
        for field in SAME_IN_ALL:
            ours, theirs = getattr(d, field), getattr(self.image.header,
                                                      field)
            self.expect(f'{name}.{field}', ours == theirs,
                        f'is {ours!r}, header has {theirs!r}')
        self.expect(f'{name}.non_zero_blk_num',
                    d.non_zero_blk_num == len(self.image.records),
                    f'is {d.non_zero_blk_num}, there are '
                    f'{len(self.image.records)} records')

    def check_marker(self):
        at, d = self.image.marker_at, self.image.marker
        self.check_identity('marker', at, d)
        self.check_same('marker', d)
        for field in TRAILER_FIELDS:
            self.expect(f'marker.{field}', getattr(d, field) == 0,
                        f'is {getattr(d, field)} in the end marker')

    def check_trailer(self):
        image, raw = self.image, self.raw
        foot_at = len(raw) - PAGE
        try:
            f = image.descriptor(foot_at)
        except FormatError as e:
            self.expect('footer', False, str(e))
            return
        self.expect('footer', foot_at > image.marker_at,
                    'the end marker is the last page of the file')
        self.check_identity('footer', foot_at, f)
        self.check_same('footer', f)
        h = image.header
        sparse = h.index_contains_zero_blk
        entries = h.max_blk_num if sparse else len(image.records)
        want = {'index_lba': image.marker_at + PAGE,
                'index_seg_num': div_up(entries, ENTRIES_PER_SEG),
                'index_seg_size': INDEX_SEG,
                'bitmap_seg_num': div_up(h.max_blk_num,
                                         BLOCKS_PER_BITMAP_SEG),
                'bitmap_seg_size': BITMAP_SEG}
        want['index_size'] = want['index_seg_num'] * INDEX_SEG
        want['bitmap_lba'] = want['index_lba'] + want['index_size']
        want['bitmap_size'] = want['bitmap_seg_num'] * BITMAP_SEG
        for field, value in want.items():
            self.expect(f'footer.{field}', getattr(f, field) == value,
                        f'is {getattr(f, field)}, should be {value}')
        self.expect('layout', foot_at ==
                    want['bitmap_lba'] + want['bitmap_size'],
                    f'footer at {foot_at}, bitmap ends at '
                    f"{want['bitmap_lba'] + want['bitmap_size']}")
        index = make_index(h, [(r.blk, r.at, r.length)
                               for r in image.records])
        at = want['index_lba']
        for off in range(0, len(index), INDEX_ENTRY):
            got = raw[at + off:at + off + INDEX_ENTRY]
            if got != index[off:off + INDEX_ENTRY]:
                self.expect('index', False, f'offset {at + off} entry '
                            f'{off // INDEX_ENTRY}: is {got.hex()}, should '
                            f'be {index[off:off + INDEX_ENTRY].hex()}')
                break
        self.expect('bitmap', raw[want['bitmap_lba']:foot_at] ==
                    make_bitmap(h, image.blocks),
                    f"offset {want['bitmap_lba']}: bits and records differ")


def check(path, lenient=False):
    """Findings as text, one each; an empty list means a perfect file."""
    return Checker(path, lenient).findings


# --- writer --------------------------------------------------------------

def make_index(h, placed):
    """The whole index for [(block, offset, length)] in ascending order."""
    sparse = h.index_contains_zero_blk
    entries = h.max_blk_num if sparse else len(placed)
    index = bytearray(div_up(entries, ENTRIES_PER_SEG) * INDEX_SEG)
    for k, (blk, at, length) in enumerate(placed):
        slot = (blk if sparse else k) * INDEX_ENTRY
        if slot + INDEX_ENTRY <= len(index):
            struct.pack_into('<QII', index, slot, at, blk, length)
    return bytes(index)


def make_bitmap(h, blocks):
    bitmap = bytearray(div_up(h.max_blk_num, BLOCKS_PER_BITMAP_SEG) *
                       BITMAP_SEG)
    for blk in blocks:
        if blk // 8 < len(bitmap):
            bitmap[blk // 8] |= 1 << blk % 8
    return bytes(bitmap)


class NewRecord:
    """A record about to be written; every byte of it can be set wrong."""

    def __init__(self, blk, payload):
        self.magic = RECORD_MAGIC
        self.blk = blk
        self.payload = payload
        self.size = len(payload)
        self.compressed = 0
        self.orig_size = 0
        self.reserved = bytes(20)
        self.fill = b'\0'
        self.end = END_MARK

    def pack(self):
        head = struct.pack('<12sIIBxxxI20s', self.magic,
                           self.size & 0xffffffff, self.blk & 0xffffffff,
                           self.compressed, self.orig_size, self.reserved)
        length = round_up(RECORD_HEAD + len(self.payload) + 4, PAGE)
        body = head + self.payload
        pad = length - len(body) - 4
        return body + (self.fill * pad)[:pad] + self.end


class Draft:
    """An image in parts.  place() fixes offsets and fills the trailer; then
    any part may be changed (`entries`, `bitmap`, `footer`, ...) before
    write().  A descriptor whose checksum stays None gets the right one.
    """

    def __init__(self, size, blocks, *, block_size=2 * MIB, method='zstd',
                 level=None, finish_zlib=False, sparse=False, version=1,
                 timestamp=848661147, uuid=b'independent wri\0',
                 crtr_ver=0x10004, max_blk_num=None):
        h = self.header = Descriptor(
            timestamp=timestamp, uuid=uuid, orig_size=size,
            curr_size=round_up(size, GIB), geometry=chs_geometry(size),
            block_size=block_size, zvhd2_version=version, crtr_ver=crtr_ver,
            max_blk_num=div_up(size, block_size),
            index_contains_zero_blk=int(sparse),
            compress_method=METHODS[method])
        if max_blk_num is not None:
            h.max_blk_num = max_blk_num
        self.records = []
        for blk in sorted(blocks):
            data = blocks[blk].ljust(block_size, b'\0')
            if method == 'zstd':
                payload = zstd_compress(data, 3 if level is None else level)
            else:
                payload = zlib_compress(data, 1 if level is None else level,
                                        finish_zlib)
            self.records.append(NewRecord(blk, payload))

    def place(self):
        h, at, placed = self.header, PAGE, []
        for r in self.records:
            length = len(r.pack())
            placed.append((r.blk, at, length))
            at += length
        self.placed = placed
        self.marker_at = at
        self.marker = h.copy(non_zero_blk_num=len(placed))
        self.footer = self.marker.copy()
        self.index = self.bitmap = b''
        if h.zvhd2_version == 1:
            self.index = bytearray(make_index(h, placed))
            self.bitmap = bytearray(make_bitmap(h, [p[0] for p in placed]))
            f = self.footer
            f.index_lba = at + PAGE
            f.index_size = len(self.index)
            f.index_seg_size, f.bitmap_seg_size = INDEX_SEG, BITMAP_SEG
            f.index_seg_num = len(self.index) // INDEX_SEG
            f.bitmap_lba = f.index_lba + f.index_size
            f.bitmap_size = len(self.bitmap)
            f.bitmap_seg_num = len(self.bitmap) // BITMAP_SEG
        return self

    def set_entry(self, k, at=None, blk=None, length=None):
        """Change fields of index entry k."""
        old = struct.unpack_from('<QII', self.index, k * INDEX_ENTRY)
        new = [o if n is None else n for o, n in zip(old, (at, blk, length))]
        struct.pack_into('<QII', self.index, k * INDEX_ENTRY, *new)

    def pack(self):
        out = [self.header.pack().ljust(PAGE, b'\0')]
        out += [r.pack() for r in self.records]
        out.append(self.marker.pack().ljust(PAGE, b'\0'))
        if self.header.zvhd2_version == 1:
            out += [self.index, self.bitmap,
                    self.footer.pack().ljust(PAGE, b'\0')]
        return b''.join(out)

    def write(self, path):
        with open(path, 'wb') as f:
            f.write(self.pack())
        return path


def make(path, size, blocks, **knobs):
    """A good image of {block number: bytes}, blocks zero-padded at will."""
    return Draft(size, blocks, **knobs).place().write(path)


# --- command line --------------------------------------------------------

def parse_size(text):
    unit = {'K': KIB, 'M': MIB, 'G': GIB, 'T': GIB << 10}.get(text[-1:], 1)
    return int(text.rstrip('KMGT')) * unit


def dump(path):
    image = Image(path)
    parts = [('header', 0, image.header),
             ('end marker', image.marker_at, image.marker)]
    foot_at = len(image.raw) - PAGE
    if foot_at > image.marker_at:
        parts.append(('footer', foot_at, image.descriptor(foot_at)))
    for name, at, d in parts:
        print(f'{name} at {at}')
        for _, _, field, _ in DESCRIPTOR:
            if field != 'reserved':
                print(f'  {field:24} {getattr(d, field)!r}')
    for r in image.records:
        print(f'block {r.blk} at {r.at} payload {r.size} record {r.length}')


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    sub = ap.add_subparsers(dest='verb', required=True)
    for verb in ('check', 'dump', 'sha', 'expand', 'make'):
        p = sub.add_parser(verb)
        p.add_argument('file')
        if verb == 'check':
            p.add_argument('--lenient', action='store_true')
        elif verb == 'expand':
            p.add_argument('out')
            p.add_argument('--curr', action='store_true',
                           help='whole GiB, as readers show the disk')
        elif verb == 'make':
            p.add_argument('size', type=parse_size)
            p.add_argument('blocks', nargs='*', metavar='N=TEXT')
            p.add_argument('--block-size', type=parse_size, default=2 * MIB)
            p.add_argument('--method', choices=METHODS, default='zstd')
            p.add_argument('--sparse-index', action='store_true')
            p.add_argument('--version', type=int, choices=(0, 1), default=1)
    args = ap.parse_args()
    try:
        if args.verb == 'check':
            findings = check(args.file, args.lenient)
            print('\n'.join(findings) or 'no finding')
            return 1 if findings else 0
        if args.verb == 'dump':
            dump(args.file)
        elif args.verb == 'sha':
            for blk, digest in block_hashes(args.file).items():
                print(blk, digest)
        elif args.verb == 'expand':
            expand_to(args.file, args.out, 'curr' if args.curr else 'orig')
        else:
            blocks = dict(b.split('=', 1) for b in args.blocks)
            make(args.file, args.size,
                 {int(n): text.encode() for n, text in blocks.items()},
                 block_size=args.block_size, method=args.method,
                 sparse=args.sparse_index, version=args.version)
    except (FormatError, OSError) as e:
        print(f'zvhd2ref: {e}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
