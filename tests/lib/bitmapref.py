# SPDX-License-Identifier: GPL-2.0-or-later
"""An independent generator of RAW bitmaps, and what their tests share.

Written from the description of the layout parameters, not from the C code:
it sets one bit at a time in a Python integer and never thinks in bytes until
the end, so that it is unlikely to be wrong in the same way.
"""

import os
import random
import re

import qemutest

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
GRANULARITIES = [64 * KIB << n for n in range(10)]


def obs_push():
    return os.environ.get('OBS_PUSH') or os.path.join(qemutest.build_bin(),
                                                      'obs-push')


class Layout:
    """header: a list of bytes objects and (what, order, bits) tuples."""

    def __init__(self, granularity=2 * MIB, order='lsb', ones='data',
                 pad=4096, header=()):
        self.granularity, self.order, self.ones = granularity, order, ones
        self.pad, self.header = pad, list(header)

    def header_text(self):
        return '.'.join(p.hex() if isinstance(p, bytes) else '%s:%s%d' % p
                        for p in self.header) or 'none'

    def values(self):
        return {'granularity': str(self.granularity),
                'bit-order': self.order, 'set': self.ones,
                'pad': str(self.pad or 'none'),
                'header': self.header_text()}

    def text(self):
        """As a layout file."""
        return ''.join(f'{k}={v}\n' for k, v in self.values().items())

    def qemu(self):
        """As options of qemu-img."""
        return ''.join(f',bitmap-{k}={v}' for k, v in self.values().items())

    def push(self):
        """As options of obs-push."""
        return [f'--{k}={v}' for k, v in self.values().items()]

    def __repr__(self):
        return ' '.join(f'{k}={v}' for k, v in self.values().items())


def random_header(rng):
    """Starts and ends with a byte that is not zero, so that its length shows;
    its numbers are aligned, as in any format somebody designed."""
    parts = [bytes(rng.randrange(1, 256) for _ in range(4))]
    for what in rng.sample(['size', 'block', 'count'], rng.randint(1, 3)):
        bits = rng.choice([32, 64]) if what == 'block' else 64
        if bits == 64 and sum(map(part_length, parts)) % 8:
            parts.append(bytes(rng.randrange(1, 256) for _ in range(4)))
        parts.append((what, rng.choice(['le', 'be']), bits))
    parts.append(bytes(rng.randrange(1, 256) for _ in range(4)))
    if isinstance(parts[1], bytes):
        parts[:2] = [parts[0] + parts[1]]
    return parts


def part_length(part):
    return len(part) if isinstance(part, bytes) else part[2] // 8


def data_pieces(path, step=64 * KIB):
    """Offsets of the pieces of step bytes that are not all zero."""
    pieces = set()
    with open(path, 'rb') as f:
        size = os.fstat(f.fileno()).st_size
        at = 0
        while at < size:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA) // step * step
            except OSError:
                break
            f.seek(at)
            if f.read(step).count(0) != min(step, size - at):
                pieces.add(at)
            at += step
    return pieces


def encode(pieces, size, layout):
    """The file for an image of size bytes with data at pieces."""
    blocks = -(-size // layout.granularity)
    marked = {at // layout.granularity for at in pieces}
    if layout.ones == 'zero':
        marked = set(range(blocks)) - marked
    length = -(-blocks // 8)
    body = bytearray(length)
    for n in marked:
        shift = n % 8 if layout.order == 'lsb' else 7 - n % 8
        body[n // 8] |= 1 << shift
    if layout.pad:
        body += bytes(-length % layout.pad)
    numbers = {'size': size, 'block': layout.granularity, 'count': blocks}
    header = b''
    for part in layout.header:
        if not isinstance(part, bytes):
            what, order, bits = part
            part = numbers[what].to_bytes(
                bits // 8, {'le': 'little', 'be': 'big'}[order])
        header += part
    return bytes(header + body)


def reference(path, layout=None, size=None):
    """What the bitmap file of this RAW image has to be."""
    return encode(data_pieces(path), size or os.stat(path).st_size,
                  layout or Layout())


def parse_layout(text):
    """A layout file, back to a Layout."""
    v = dict(line.split('=', 1) for line in text.splitlines()
             if line and not line.startswith('#'))
    header = []
    for part in [] if v['header'] == 'none' else v['header'].split('.'):
        m = re.fullmatch(r'(size|block|count):(le|be)(32|64)', part)
        header.append((m[1], m[2], int(m[3])) if m else bytes.fromhex(part))
    return Layout(int(v['granularity']), v['bit-order'], v['set'],
                  0 if v['pad'] == 'none' else int(v['pad']), header)


def scattered(path, size, seed, places=12):
    """A sparse image with single bytes, short and long data, and written
    zeros, many of them at the borders of blocks."""
    rng = random.Random(seed)
    extents = []
    for _ in range(places):
        at = rng.randrange(size)
        if rng.random() < 0.5:
            border = rng.choice(GRANULARITIES)
            at = max(0, at // border * border - rng.choice([0, 1]))
        length = rng.choice([1, 1, 512, 4096, 70000, 3 * MIB])
        data = bytes(length)            # zeros that are written all the same
        if rng.random() < 0.7:
            data = bytearray(length)
            data[rng.randrange(length)] = rng.randrange(1, 256)
        extents.append((at, bytes(data)))
    return qemutest.make_raw(path, size, extents)


def hides_data(mf_bytes, pieces, size, layout=None):
    """Blocks with data that the file (a whole one) calls zero."""
    layout = layout or Layout()
    body = mf_bytes[sum(map(part_length, layout.header)):]
    hidden = set()
    for at in pieces:
        n = at // layout.granularity
        shift = n % 8 if layout.order == 'lsb' else 7 - n % 8
        bit = body[n // 8] >> shift & 1
        if bit == (layout.ones == 'zero'):
            hidden.add(n)
    return hidden
