#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading good ZVHD2 images that other programs wrote.

The vendor's images and all variants of the format that the independent
writer can make; info, map, block status, both guest sizes, runtime options.
"""

import hashlib
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import (GIB, MIB, TIB, per_build, slow,   # noqa: E402
                      sparse_digest)


def block_hash(f, block, block_size):
    f.seek(block * block_size)
    data = f.read(block_size).ljust(block_size, b'\0')
    return hashlib.sha256(data).hexdigest()


@per_build
class VendorImages(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        manifest = os.path.join(qemutest.VECTORS, 'manifest.json')
        if not os.path.exists(manifest):
            self.skipTest('no vendor images (../shared/vectors)')
        with open(manifest) as f:
            self.images = json.load(f)

    def small(self):
        """Name, facts, file of every image that expands quickly."""
        for name, want in self.images.items():
            if 'every_block' not in want:
                yield name, want, self.vector(name)

    def test_sizes_and_probe(self):
        for name, want in self.images.items():
            with self.subTest(name):
                image = self.vector(name)
                info = self.info(image)     # no -f: found by its cookie
                self.assertEqual(info['format'], 'zvhd2')
                self.assertEqual(info['virtual-size'], want['curr_size'])
                self.assertEqual(info['cluster-size'], want['block_size'])
                exact = self.info('--image-opts', self.exact(image))
                self.assertEqual(exact['virtual-size'], want['orig_size'])

    def test_every_block_hashes_right(self):
        for name, want, image in self.small():
            raw = self.to_raw(image, 'v.raw', exact=False)
            with self.subTest(name), open(raw, 'rb') as f:
                self.assertEqual(os.path.getsize(raw), want['curr_size'])
                for b in want['blocks']:
                    self.assertEqual(
                        block_hash(f, b['block'], want['block_size']),
                        b['sha256'], f"block {b['block']}")

    def test_same_as_reference_expansion(self):
        for name, want, image in self.small():
            for size in ('curr', 'orig'):
                with self.subTest(name, size=size):
                    ref.expand_to(image, self.path('ref.raw'), size)
                    raw = self.to_raw(image, 'v.raw', exact=size == 'orig')
                    self.assertEqual(sparse_digest(raw),
                                     sparse_digest(self.path('ref.raw')))

    def test_check_passes(self):
        for name, want in self.images.items():
            with self.subTest(name):
                r = self.img('check', '--output=json', self.vector(name))
                self.assertEqual(json.loads(r.out)['check-errors'], 0)
                self.assertNotIn('corruptions', json.loads(r.out))

    def test_two_index_segments_at_the_border(self):
        name = 'two-index-segments'
        image, reads = self.vector(name), []
        for block in (0, 1, 32767, 32768, 32769):
            at = block * 2 * MIB
            reads += [f'read -P 0xa5 {at} 1', f'read -P 0 {at + 1} 2097151']
        for block in (32770, 33791):
            reads.append(f'read -P 0 {block * 2 * MIB} 2M')
        self.io(image, *reads)

    @slow
    def test_two_index_segments_all_over(self):
        self.io(self.vector('two-index-segments'),
                *(f'read -P 0xa5 {block * 2 * MIB} 1'
                  for block in range(0, 32770, 9)))


VARIANTS = [dict(method='zstd', block_size=b * MIB)
            for b in (1, 2, 4, 8, 16, 32)]
VARIANTS += [dict(method='zstd', sparse=True, block_size=b * MIB)
             for b in (1, 2, 16)]
VARIANTS += [dict(method='zlib', sparse=s, block_size=b * MIB)
             for s in (False, True) for b in (2, 8)]
VARIANTS += [dict(method=m, version=0, block_size=b * MIB)
             for m, b in (('zstd', 1), ('zstd', 2), ('zlib', 4))]
VARIANTS += [dict(method='zlib', finish_zlib=True),
             dict(method='zlib', block_size=32 * MIB),
             dict(crtr_ver=0x10003)]


@per_build
class IndependentlyWritten(qemutest.QemuCase):
    def make(self, size, blocks, **knobs):
        return ref.make(self.path('p.zvhd2'), size, blocks, **knobs)

    def test_every_variant_reads_right(self):
        rng = random.Random(1)
        for knobs in VARIANTS:
            with self.subTest(**knobs):
                bs = knobs.get('block_size', 2 * MIB)
                size = 12 * bs + 1536
                blocks = {0: qemutest.some_data(rng, min(bs, 2 * MIB)),
                          1: bytes(min(bs, 4 * MIB) - 1) + b'x',
                          7: qemutest.some_data(rng, 100000),
                          12: b'the last, short one'}
                image = self.make(size, blocks, **knobs)
                ref.expand_to(image, self.path('want.raw'))
                self.assertEqual(sparse_digest(self.to_raw(image)),
                                 sparse_digest(self.path('want.raw')))
                self.img('check', '-f', 'zvhd2', image)

    def test_blocks_past_the_disk_are_zero_to_the_whole_gib(self):
        image = self.make(5 * MIB, {2: b'x' * MIB})
        self.io(image, 'read -P 0x78 4M 1M', 'read -P 0 5M 20M',
                f'read -P 0 {GIB - 4096} 4096')
        self.io(image, f'read {GIB} 512', rc=1)

    def test_any_offset_and_length(self):
        rng = random.Random(3)
        data = rng.randbytes(7 * MIB + 512)
        blocks = {n: data[n * MIB:(n + 1) * MIB] for n in range(8)}
        del blocks[3]
        data = data[:3 * MIB] + bytes(MIB) + data[4 * MIB:]
        image = self.make(len(data), blocks, block_size=MIB)
        raw = qemutest.make_raw(self.path('d.raw'), len(data), [(0, data)])
        self.img('compare', '-f', 'raw', raw, image)
        commands, wanted = [], []
        for _ in range(60):
            at = rng.randrange(len(data))
            length = min(rng.choice((1, 511, 4096, MIB, 3 * MIB + 7)),
                         len(data) - at)
            commands.append(f'read -v {at} {min(length, 64)}')
            wanted.append(data[at:at + min(length, 64)])
        got = self.io(image, *commands).out
        self.assertEqual(hexdump_bytes(got), b''.join(wanted))

    def test_many_readers_of_few_blocks(self):
        """All at once, with fewer cached blocks than are being read."""
        pieces = [bytes([k + 1]) * 65536 for k in range(96)]
        blocks = {n: b''.join(pieces[n * 32:n * 32 + 32]) for n in range(3)}
        image = self.make(6 * MIB, blocks)
        order = list(range(96))
        random.Random(5).shuffle(order)
        for threads in (1, 4):
            for cache in (0, 2 * MIB, 16 * MIB):
                reads = [f'aio_read -q -P {k + 1} {k * 65536} 65536'
                         for k in order]
                r = self.io(f'file.filename={image},driver=zvhd2,'
                            f'threads={threads},cache-size={cache}', *reads,
                            'aio_flush', opts=['--image-opts'], fmt=None)
                self.assertEqual(r.out + r.err, '')

    def test_runtime_options(self):
        image = self.make(9 * MIB, {0: b'x', 4: b'y'})
        want = sparse_digest(self.to_raw(image))
        for opts in ({'threads': 1}, {'threads': 3}, {'cache_size': 0},
                     {'cache_size': '64M'}, {'cache_size': 1}):
            with self.subTest(**opts):
                out = self.path('o.raw')
                self.img('convert', '--image-opts',
                         self.exact(image, **opts), '-O', 'raw', out)
                self.assertEqual(sparse_digest(out), want)

    def test_bad_runtime_options(self):
        image = self.make(9 * MIB, {0: b'x'})
        for opts in ({'threads': 100000}, {'threads': 'many'},
                     {'cache_size': '1E'}, {'no_such': 1}):
            with self.subTest(**opts):
                self.img_fails('info', '--image-opts',
                               self.exact(image, **opts))
        self.img_fails('info', '--image-opts', 'driver=zvhd2,guest-size=big,'
                       f'file.filename={image}', match='guest-size|big')

    def test_random_images(self):
        rng = random.Random()
        seed = rng.getrandbits(32)
        for n in range(2 if qemutest.QUICK else 5):
            rng.seed(f'{seed} {n}')
            bs = rng.choice((1, 2, 4)) * MIB
            count = rng.randint(1, 60)
            knobs = dict(block_size=bs, sparse=rng.random() < 0.4,
                         method=rng.choice(('zstd', 'zlib')),
                         version=int(rng.random() < 0.8))
            if knobs['version'] == 0:
                knobs['sparse'] = False
            chosen = rng.sample(range(count), rng.randint(0, min(6, count)))
            blocks = {b: qemutest.some_data(rng, rng.randint(1, bs))
                      for b in chosen}
            with self.subTest(seed=seed, n=n, **knobs):
                image = self.make(count * bs, blocks, **knobs)
                self.assertEqual(ref.check(image), [])
                ref.expand_to(image, self.path('want.raw'))
                self.assertEqual(sparse_digest(self.to_raw(image)),
                                 sparse_digest(self.path('want.raw')))

    def test_huge_disk(self):
        image = self.make(5 * TIB + 512, {0: b'a', 1 << 20: b'b',
                                          (5 * TIB) // (2 * MIB): b'c'})
        self.io(image, 'read -P 0x61 0 1', 'read -P 0x62 2T 1',
                'read -P 0 3T 2M', 'read -P 0x63 5T 1')
        self.img('check', image)


@per_build
class Compare(qemutest.QemuCase):
    def test_finds_a_difference(self):
        one = ref.make(self.path('1'), 9 * MIB, {1: b'x', 3: b'same'})
        other = ref.make(self.path('2'), 9 * MIB, {1: b'y', 3: b'same'})
        self.img('compare', '-f', 'zvhd2', '-F', 'zvhd2', one, one)
        r = self.img('compare', '-f', 'zvhd2', '-F', 'zvhd2', one, other,
                     rc=1)
        self.assertIn(f'mismatch at offset {2 * MIB}', r.out)

    def test_size(self):
        """Rounded up to GiB it is a longer disk; with guest-size=exact not."""
        image = ref.make(self.path('1'), 9 * MIB, {1: b'x'})
        raw = self.path('raw')
        ref.expand_to(image, raw)
        self.img('compare', '-f', 'raw', '-F', 'zvhd2', raw, image)
        r = self.img('compare', '-s', '-f', 'raw', '-F', 'zvhd2', raw, image,
                     rc=1)
        self.assertIn('size mismatch', r.out)
        r = self.img('compare', '--image-opts', f'driver=raw,'
                     f'file.filename={raw}', self.exact(image))
        self.assertNotIn('size mismatch', r.out)


@per_build
class WhatIsToldAboutAnImage(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.image = ref.make(self.path('i.zvhd2'), 100 * MIB + 512,
                              {0: b'x', 1: b'y', 30: b'z'},
                              timestamp=848661147)

    def test_info_json(self):
        d = self.details(self.image)
        self.assertEqual(d['compression-type'], 'zstd')
        self.assertEqual(d['original-size'], 100 * MIB + 512)
        self.assertEqual(d['data-clusters'], 3)
        self.assertIn('dense', json.dumps(d))
        ref.make(self.image, 100 * MIB, {0: b'x'}, method='zlib', sparse=True)
        d = self.details(self.image)
        self.assertEqual(d['compression-type'], 'zlib')
        self.assertEqual(d['data-clusters'], 1)
        self.assertIn('sparse', json.dumps(d))

    def test_info_for_people(self):
        text = self.img('info', self.image).out
        self.assertRegex(text, r'(?m)^file format: zvhd2$')
        self.assertRegex(text, r'virtual size: 1 GiB')
        self.assertRegex(text, r'cluster_size: 2097152')
        for item in ('zstd', 'dense', '104858112', '2026-11-22', '3'):
            self.assertIn(item, text)

    def test_map(self):
        rows = json.loads(self.img('map', '--output=json', self.image).out)
        data = [(r['start'], r['length']) for r in rows if r['data']]
        zero = [(r['start'], r['length']) for r in rows if r['zero']]
        self.assertEqual(data, [(0, 4 * MIB), (60 * MIB, 2 * MIB)])
        self.assertEqual(zero, [(4 * MIB, 56 * MIB),
                                (62 * MIB, GIB - 62 * MIB)])
        for row in rows:
            self.assertNotIn('offset', row)     # compressed: nowhere as is

    def test_read_only(self):
        r = self.io(self.image, 'write 0 4096', rc=1)
        self.assertRegex(r.err + r.out, '(?i)zvhd2|read-only|not permitted')


def hexdump_bytes(text):
    """The bytes of qemu-io's read -v."""
    out = b''
    for line in text.splitlines():
        head, colon, rest = line.partition(':  ')
        if colon and len(head) == 8 and set(head) <= set('0123456789abcdef'):
            out += bytes.fromhex(rest.split('  ', 1)[0])
    return out


if __name__ == '__main__':
    qemutest.main()
