#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests' own reader and writer of ZVHD2, checked before it judges.

Needs no QEMU.  The vendor-written images say whether it reads right; then it
must accept what it writes and find each thing broken on purpose.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2hostile     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from zvhd2ref import GIB, MIB   # noqa: E402


class Scratch(unittest.TestCase):
    def setUp(self):
        tmp = tempfile.TemporaryDirectory(dir=qemutest.scratch_root())
        self.addCleanup(tmp.cleanup)
        self.file = os.path.join(tmp.name, 'a.zvhd2')
        self.raw = os.path.join(tmp.name, 'a.raw')


class VendorImages(Scratch):
    def test_every_block_hashes_right(self):
        manifest = os.path.join(qemutest.VECTORS, 'manifest.json')
        if not os.path.exists(manifest):
            self.skipTest('no vendor images (../shared/vectors)')
        with open(manifest) as f:
            images = json.load(f)
        for name, want in images.items():
            with self.subTest(name):
                packed = os.path.join(qemutest.VECTORS, name + '.zvhd2.zst')
                subprocess.run(['zstd', '-qdf', packed, '-o', self.file],
                               check=True)
                self.assertEqual(ref.check(self.file, lenient=True), [])
                image = ref.Image(self.file)
                for field in ('orig_size', 'curr_size', 'block_size'):
                    self.assertEqual(getattr(image.header, field),
                                     want[field])
                self.assertEqual(len(image.records), want['non_zero_blocks'])
                if 'every_block' in want:
                    block = b'\xa5'.ljust(want['block_size'], b'\0')
                    self.assertEqual([r.blk for r in image.records],
                                     list(range(want['non_zero_blocks'])))
                    for r in image.records:
                        self.assertEqual(image.expand(r), block)
                else:
                    got = ref.block_hashes(self.file)
                    self.assertEqual(got, {b['block']: b['sha256']
                                           for b in want['blocks']})


class OwnImages(Scratch):
    def test_accepts_what_it_writes(self):
        for method in ref.METHODS:
            for sparse in (False, True):
                for mib in (1, 2, 8, 32) if method == 'zstd' else (2, 4):
                    with self.subTest(method=method, sparse=sparse, mib=mib):
                        ref.make(self.file, 100 * mib * MIB + 512,
                                 {0: b'a', 50: os.urandom(5000), 100: b'z'},
                                 block_size=mib * MIB, method=method,
                                 sparse=sparse)
                        self.assertEqual(ref.check(self.file), [])

    def test_other_shapes(self):
        for size, blocks, knobs in (
                (0, {}, {}), (512, {0: b'x'}, {}), (GIB, {}, {}),
                (64 * GIB, {32767: b'x'}, {}),
                (64 * GIB + 512, {32768: b'x'}, {}),
                (64 * GIB + 512, {0: b'x', 32768: b'x'}, {'sparse': True}),
                (10 * MIB, {1: b'x'}, {'version': 0})):
            with self.subTest(size=size, knobs=knobs):
                ref.make(self.file, size, blocks, **knobs)
                self.assertEqual(ref.check(self.file), [])
                ref.expand_to(self.file, self.raw)
                self.assertEqual(os.path.getsize(self.raw), size)

    def test_expands_to_the_data(self):
        data = os.urandom(3 * MIB)
        for method in ref.METHODS:
            ref.make(self.file, 9 * MIB, {2: data[:2 * MIB],
                                          3: data[2 * MIB:]}, method=method)
            ref.expand_to(self.file, self.raw)
            with open(self.raw, 'rb') as f:
                self.assertEqual(
                    hashlib.sha256(f.read()).digest(),
                    hashlib.sha256(bytes(4 * MIB) + data +
                                   bytes(2 * MIB)).digest())

    def test_finds_every_broken_thing(self):
        for case in zvhd2hostile.CASES:
            with self.subTest(case.name):
                case.write(self.file)
                self.assertNotEqual(ref.check(self.file), [])

    def test_finds_a_flip_of_any_byte_that_means_something(self):
        ref.make(self.file, 5 * MIB, {0: b'first', 2: b'last'})
        with open(self.file, 'rb') as f:
            good = f.read()
        for at in list(range(0, 512, 5)) + list(range(512, len(good), 5003)):
            with open(self.file, 'wb') as f:
                f.write(zvhd2hostile.flip(good, at))
            self.assertNotEqual(ref.check(self.file), [], f'byte {at}')

    def test_command_line(self):
        tool = [sys.executable, ref.__file__]
        subprocess.run(tool + ['make', self.file, '10M', '1=hello'],
                       check=True)
        done = subprocess.run(tool + ['check', self.file], check=True,
                              capture_output=True, text=True)
        self.assertEqual(done.stdout, 'no finding\n')
        with open(self.file, 'r+b') as f:
            f.truncate(os.path.getsize(self.file) - 4096)
        done = subprocess.run(tool + ['check', self.file],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn('footer', done.stdout)


if __name__ == '__main__':
    qemutest.main()
