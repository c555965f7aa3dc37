# SPDX-License-Identifier: GPL-2.0-or-later
"""How the image service reads an uploaded image: by ranges, lazily.

ZVHD2: footer, index, bitmap, then the heads and ends of some records and the
contents of a few.  RAW: its bitmap, and that no block which the bitmap calls
zero holds data.  Structures come from tests/lib/zvhd2ref.py.
"""

import struct

import zvhd2ref as ref

MAX_FILE = 1 << 40
MAX_DISK = 1 << 40
RECORD_SAMPLES = 64
EXPAND_SAMPLES = 4

BITMAP_BLOCK = 2 << 20      # the layout of ZVHD2's own bitmap
BITMAP_PAGE = 4096

# Other formats that a RAW might really be: offset (from the end if
# negative), magic, name.
FOREIGN = ((0, b'QFI\xfb', 'QCOW2'), (0, b'KDMV', 'VMDK'),
           (0, b'# Disk Descri', 'VMDK descriptor'),
           (0, b'vhdxfile', 'VHDX'), (0, b'QED\0', 'QED'),
           (64, b'\x7f\x10\xda\xbe', 'VDI'), (-512, b'conectix', 'VHD'))


class ImageError(Exception):
    """The image is refused: IMG code and reason."""

    def __init__(self, code, reason):
        super().__init__('%s: %s' % (code, reason))
        self.code = code
        self.reason = reason


class Reader:
    """Ranges of one object; counts what was read."""

    def __init__(self, store, content):
        self._store = store
        self.content = content
        self.size = content.size
        self.bytes_read = 0

    def read(self, offset, length):
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ImageError('IMG.0057', 'the image points outside of the '
                             'file: offset %d, length %d, file %d'
                             % (offset, length, self.size))
        self.bytes_read += length
        return self._store.read(self.content, offset, length)


class Facts:
    """What the service learned about a good image."""

    def __init__(self, disk_format, disk_size):
        self.disk_format = disk_format
        self.disk_size = disk_size


def bad(text, *values):
    return ImageError('IMG.0057', 'ZVHD2: ' + text % values)


def check_image(reader, key, bitmap_reader, need_bitmap=True):
    """Facts of an image, or ImageError.

    bitmap_reader: Reader of the .mf beside a RAW, None when there is none.
    """
    if reader.size == 0:
        raise ImageError('IMG.0057', 'the file is empty')
    if reader.size > MAX_FILE:
        raise ImageError('IMG.0059', 'the file is larger than 1 TB')
    head = reader.read(0, min(512, reader.size))
    if head[:6] == ref.COOKIE or key.lower().endswith('.zvhd2'):
        facts = check_zvhd2(reader)
    else:
        facts = check_raw(reader, bitmap_reader, need_bitmap)
    if facts.disk_size > MAX_DISK:
        raise ImageError('IMG.0111', 'the disk is larger than 1024 GB')
    return facts


# -- ZVHD2 -------------------------------------------------------------------

def read_descriptor(reader, offset, what, checked=True):
    raw = reader.read(offset, ref.PAGE)
    if raw[:6] != ref.COOKIE:
        raise bad('no %s at offset %d', what, offset)
    found = ref.Descriptor.parse(raw)
    if checked and found.checksum != ref.checksum(raw[:ref.SECTOR]):
        raise bad('the checksum of the %s is wrong', what)
    return found


def check_sizes(footer, header, size):
    """The fields of the footer, with each other and with the file."""
    block = footer.block_size
    if block & (block - 1) or not 1 << 20 <= block <= 32 << 20:
        raise bad('block size %d', block)
    if footer.zvhd2_version != 1:
        raise bad('version %d has no index', footer.zvhd2_version)
    if footer.compress_method not in (ref.ZLIB, ref.ZSTD):
        raise bad('unknown compression %d', footer.compress_method)
    if footer.orig_size == 0 or footer.orig_size % ref.SECTOR:
        raise bad('disk size %d', footer.orig_size)
    if footer.curr_size != ref.round_up(footer.orig_size, ref.GIB):
        raise bad('curr_size %d does not go with the disk size %d',
                  footer.curr_size, footer.orig_size)
    if footer.max_blk_num != ref.div_up(footer.orig_size, block):
        raise bad('%d blocks do not go with the disk size %d',
                  footer.max_blk_num, footer.orig_size)
    for name in ref.SAME_IN_ALL:
        if getattr(header, name) != getattr(footer, name):
            raise bad('header and footer differ in %s', name)
    entries = (footer.max_blk_num if footer.index_contains_zero_blk
               else footer.non_zero_blk_num)
    segments = ref.div_up(entries, ref.ENTRIES_PER_SEG)
    bitmaps = ref.div_up(footer.max_blk_num, ref.BLOCKS_PER_BITMAP_SEG)
    if (footer.index_seg_num, footer.index_size) != (
            segments, segments * ref.INDEX_SEG):
        raise bad('index of %d segments and %d bytes, %d segments expected',
                  footer.index_seg_num, footer.index_size, segments)
    if (footer.bitmap_seg_num, footer.bitmap_size) != (
            bitmaps, bitmaps * ref.BITMAP_SEG):
        raise bad('bitmap of %d segments and %d bytes, %d segments expected',
                  footer.bitmap_seg_num, footer.bitmap_size, bitmaps)
    if (footer.index_lba % ref.PAGE or footer.index_lba < 2 * ref.PAGE
            or footer.bitmap_lba != footer.index_lba + footer.index_size
            or footer.bitmap_lba + footer.bitmap_size
            != size - ref.PAGE):
        raise bad('index at %d, bitmap at %d, file of %d bytes do not go '
                  'together', footer.index_lba, footer.bitmap_lba, size)


def read_blocks(reader, footer):
    """Block numbers that have a record, from the bitmap, ascending."""
    bitmap = reader.read(footer.bitmap_lba, footer.bitmap_size)
    blocks = [8 * at + bit for at, byte in enumerate(bitmap) if byte
              for bit in range(8) if byte >> bit & 1]
    if blocks and blocks[-1] >= footer.max_blk_num:
        raise bad('the bitmap has block %d of %d', blocks[-1],
                  footer.max_blk_num)
    if len(blocks) != footer.non_zero_blk_num:
        raise bad('the bitmap has %d blocks, the footer says %d',
                  len(blocks), footer.non_zero_blk_num)
    return blocks


def read_index(reader, footer, blocks):
    """(block, offset, length) of each record; all entries are checked."""
    index = reader.read(footer.index_lba, footer.index_size)
    entries = list(struct.iter_unpack('<QII', index))
    sparse = footer.index_contains_zero_blk
    used = set(blocks) if sparse else range(len(blocks))
    for slot, entry in enumerate(entries):
        if slot not in used and entry[0]:
            raise bad('index entry %d should be empty', slot)
    worst = ref.round_up(ref.RECORD_HEAD + 4 + ref.worst_payload(
        footer.compress_method, footer.block_size), ref.PAGE)
    records, end = [], ref.PAGE
    for number, block in enumerate(blocks):
        offset, name, length = entries[block if sparse else number]
        if name != block:
            raise bad('index entry for block %d names block %d', block, name)
        if offset != end:
            raise bad('the record of block %d is at %d, not at %d', block,
                      offset, end)
        if not ref.PAGE <= length <= worst or length % ref.PAGE:
            raise bad('the record of block %d has %d bytes', block, length)
        records.append((block, offset, length))
        end += length
    if end != footer.index_lba - ref.PAGE:
        raise bad('the records end at %d, the end marker is at %d', end,
                  footer.index_lba - ref.PAGE)
    return records


def check_record(reader, footer, record, expand):
    block, offset, length = record
    head = reader.read(offset, ref.RECORD_HEAD)
    magic, size, number = struct.unpack_from('<12sII', head)
    if magic != ref.RECORD_MAGIC or number != block:
        raise bad('no record of block %d at offset %d', block, offset)
    if length != ref.round_up(ref.RECORD_HEAD + size + 4, ref.PAGE):
        raise bad('the record of block %d says %d bytes, the index %d',
                  block, size, length)
    if reader.read(offset + length - 4, 4) != ref.END_MARK:
        raise bad('the record of block %d has no end mark', block)
    if expand:
        payload = reader.read(offset + ref.RECORD_HEAD, size)
        try:
            ref.expand(payload, footer.compress_method, footer.block_size)
        except ref.FormatError as error:
            raise bad('block %d: %s', block, error)


def spread(items, count):
    """COUNT items of a list, the first and the last among them."""
    if len(items) <= count:
        return items
    return [items[at * (len(items) - 1) // (count - 1)]
            for at in range(count)]


def check_zvhd2(reader):
    if reader.size < 4 * ref.PAGE or reader.size % ref.PAGE:
        raise bad('a file of %d bytes is cut off', reader.size)
    header = read_descriptor(reader, 0, 'header')
    footer = read_descriptor(reader, reader.size - ref.PAGE, 'footer')
    check_sizes(footer, header, reader.size)
    blocks = read_blocks(reader, footer)
    records = read_index(reader, footer, blocks)
    # Writers in the field leave a stale checksum in the end marker.
    read_descriptor(reader, footer.index_lba - ref.PAGE, 'end marker', False)
    for record in spread(records, RECORD_SAMPLES):
        check_record(reader, footer, record, False)
    for record in spread(records, EXPAND_SAMPLES):
        check_record(reader, footer, record, True)
    return Facts('zvhd2', footer.curr_size)


# -- RAW ---------------------------------------------------------------------

def check_raw(reader, bitmap_reader, need_bitmap):
    for offset, magic, name in FOREIGN:
        at = offset if offset >= 0 else reader.size + offset
        if 0 <= at <= reader.size - len(magic) and reader.read(
                at, len(magic)) == magic:
            raise ImageError('IMG.0158', 'fast import takes RAW or ZVHD2, '
                             'this is %s' % name)
    if bitmap_reader is None:
        if need_bitmap:
            raise ImageError('IMG.0158', 'fast import of RAW needs the '
                             'bitmap file (.mf) beside it')
    else:
        check_bitmap(reader, bitmap_reader)
    return Facts('raw', reader.size)


def check_bitmap(reader, bitmap_reader):
    """A block without its bit must be zero, or the disk would lose data."""
    blocks = ref.div_up(reader.size, BITMAP_BLOCK)
    size = ref.round_up(ref.div_up(blocks, 8), BITMAP_PAGE)
    if bitmap_reader.size != size:
        raise ImageError('IMG.0158', 'the bitmap has %d bytes, %d expected'
                         % (bitmap_reader.size, size))
    bitmap = bitmap_reader.read(0, size)
    at = 0
    for blob, _, length in reader.content.extents:
        end = at + length
        # A run of zeros needs no bits; only stored bytes are looked at.
        while blob and at < end:
            block = at // BITMAP_BLOCK
            stop = min(end, (block + 1) * BITMAP_BLOCK)
            if not bitmap[block // 8] >> block % 8 & 1:
                data = reader.read(at, stop - at)
                if data.count(0) != len(data):
                    raise ImageError('IMG.0158', 'the bitmap says that block '
                                     '%d is zero, but it has data' % block)
            at = stop
        at = end
