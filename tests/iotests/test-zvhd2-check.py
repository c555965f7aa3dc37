#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-img check: what it tells, its exit codes, and what -r all repairs."""

import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import GIB, MIB, per_build, sparse_digest     # noqa: E402


@per_build
class Check(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.z = self.path('z.zvhd2')

    def make(self, size=30 * MIB + 512, **knobs):
        rng = random.Random(51)
        self.blocks = {n: qemutest.some_data(rng, rng.randint(1, MIB))
                       for n in (0, 2, 3, 7, 8, 13, 14)}
        self.draft = ref.Draft(size, self.blocks, **knobs).place()
        self.draft.write(self.z)
        self.good = self.draft.pack()
        self.raw = self.path('good.raw')
        ref.expand_to(self.z, self.raw)

    def write(self, data):
        with open(self.z, 'wb') as f:
            f.write(data)

    def damage(self, at, data):
        self.write(self.good[:at] + data + self.good[at + len(data):])

    def check_rc(self, *opts):
        return self.img('check', '-f', 'zvhd2', *opts, self.z, rc=None)

    def test_good_image(self):
        self.make()
        r = self.check_rc()
        self.assertEqual((r.rc, r.err), (0, ''))
        self.assertIn('No errors were found', r.out)
        report = json.loads(self.check_rc('--output=json').out)
        self.assertEqual(report['total-clusters'], 16)
        self.assertEqual(report['allocated-clusters'], 7)
        self.assertEqual(report['compressed-clusters'], 7)
        self.assertEqual(report['image-end-offset'], len(self.good))

    def test_repair_of_a_good_image_changes_nothing(self):
        for knobs in ({}, {'sparse': True}, {'method': 'zlib'},
                      {'version': 0}):
            with self.subTest(**knobs):
                self.make(**knobs)
                self.assertEqual(self.check_rc('-r', 'all').rc, 0)
                with open(self.z, 'rb') as f:
                    self.assertEqual(f.read(), self.good)

    def test_stale_bytes_of_other_writers_are_no_fault(self):
        """The vendor leaves them in padding and in the marker's checksum."""
        self.make()
        for r in self.draft.records:
            r.fill = b'stale'
        self.draft.marker.checksum = 1234
        self.write(self.draft.pack())
        self.assertEqual(self.check_rc().rc, 0)

    def test_check_never_writes_without_being_told(self):
        self.make()
        # QEMU sees the length of a file in sectors: nothing less is a cut
        for cut in (0, 4096, len(self.good) - 4096, len(self.good) - 1000):
            self.write(self.good[:cut])
            self.assertNotEqual(self.check_rc().rc, 0)
            self.assertEqual(os.path.getsize(self.z), cut)

    def repaired(self):
        r = self.check_rc('-r', 'all')
        self.assertEqual(r.rc, 0, str(r))
        self.assertRegex(r.out + r.err, '(?i)repair')
        self.assertEqual(ref.check(self.z), [])
        again = self.check_rc()
        self.assertEqual(again.rc, 0, str(again))
        self.assertEqual(sparse_digest(self.to_raw(self.z)),
                         sparse_digest(self.raw))

    def test_lost_or_damaged_trailer_is_rebuilt(self):
        for knobs in ({}, {'method': 'zlib'}, {'block_size': MIB},
                      {'sparse': True}):
            self.make(**knobs)
            f, size = self.draft.footer, len(self.good)
            noise = random.Random(1).randbytes(4096)
            losses = {
                'footer zero': (size - 4096, bytes(4096)),
                'footer noise': (size - 4096, noise),
                'one bit of the footer': (size - 4096 + 96, b'\xff'),
                'bitmap zero': (f.bitmap_lba, bytes(4096)),
                'bitmap noise': (f.bitmap_lba, noise),
                'index zero': (f.index_lba, bytes(4096)),
                'index noise': (f.index_lba, noise),
                'end marker zero': (self.draft.marker_at, bytes(4096)),
                'end marker noise': (self.draft.marker_at, noise),
            }
            for name, (at, data) in losses.items():
                with self.subTest(name, **knobs):
                    self.damage(at, data)
                    r = self.check_rc()
                    self.assertIn(r.rc, (1, 2), str(r))
                    self.assertRegex(r.out + r.err, r'\(rule \d+\)')
                    self.repaired()
            for name, cut in {
                    'cut before the footer': size - 4096,
                    'cut in the footer': size - 4000,
                    'cut before the bitmap': f.bitmap_lba,
                    'cut in the index': f.index_lba + 70000,
                    'cut before the index': f.index_lba,
                    'cut in the end marker': self.draft.marker_at + 512,
                    'cut behind the records': self.draft.marker_at}.items():
                with self.subTest(name, **knobs):
                    self.write(self.good[:cut])
                    self.assertIn(self.check_rc().rc, (1, 2))
                    self.repaired()
            with self.subTest('bytes behind the footer', **knobs):
                self.write(self.good + noise * 2)
                self.assertIn(self.check_rc().rc, (1, 2, 3))
                self.repaired()

    def test_cut_inside_a_record_keeps_those_before(self):
        self.make()
        for k, (blk, at, length) in enumerate(self.draft.placed):
            # the end mark's last byte is NUL, as what is past the end
            for cut in {at + 1, at + 48, at + length - 2}:
                with self.subTest(record=k, cut=cut):
                    self.write(self.good[:cut])
                    self.assertIn(self.check_rc().rc, (1, 2))
                    r = self.check_rc('-r', 'all')
                    if k == 0:
                        # nothing was whole; it need not become an image
                        if r.rc:
                            self.assert_refused(self.z)
                            continue
                    self.assertEqual(r.rc, 0, str(r))
                    self.assertEqual(ref.check(self.z), [])
                    image = ref.Image(self.z)
                    self.assertEqual(
                        list(image.blocks),
                        [p[0] for p in self.draft.placed[:k]])
                    for n, record in image.blocks.items():
                        self.assertEqual(
                            image.expand(record),
                            self.blocks[n].ljust(2 * MIB, b'\0'))

    def test_damaged_record_is_told_and_kept(self):
        """A record that is lost cannot be made again: that stays an error."""
        self.make()
        blk, at, length = self.draft.placed[3]
        for name, where, data in (
                ('prefix', at, b'x'), ('block', at + 16, b'\x09'),
                ('size', at + 12, b'\xff\xff\xff\x7f'),
                ('payload', at + 48, bytes(8)),
                ('end mark', at + length - 4, b'x')):
            with self.subTest(name):
                self.damage(where, data)
                r = self.check_rc()
                self.assertEqual(r.rc, 2, str(r))
                self.assertRegex(r.out + r.err, rf'block {blk}\b')
                self.assertRegex(r.out + r.err, r'\(rule \d+\)')
                r = self.check_rc('-r', 'all')
                self.assertNotEqual(r.rc, 0, str(r))
                # the other blocks are still to be had
                for n, data in self.blocks.items():
                    if n != blk:
                        self.io(self.z, f'read -P {data[0]} {n * 2 * MIB} 1')
                r = self.io(self.z, f'read {blk * 2 * MIB} 4096', rc=1)

    def test_unfinished_image(self):
        self.img('create', '-f', 'zvhd2', self.z, '1G')
        r = self.check_rc()
        self.assertNotEqual(r.rc, 0)
        self.assertTrue(r.err or r.out)

    def test_many_findings_do_not_flood(self):
        """Two index segments of noise: told, counted, bounded output."""
        size = 70 * GIB
        draft = ref.Draft(size, {0: b'a', 1: b'b'}, sparse=True).place()
        draft.index[16 * 2:] = random.Random(2).randbytes(
            len(draft.index) - 32)
        draft.write(self.z)
        r = self.check_rc()
        self.assertEqual(r.rc, 2)
        self.assertLess(len(r.out + r.err), 1 << 20)

    def test_huge_disk_check_is_quick(self):
        ref.make(self.z, 3 << 40, {0: b'x', 1 << 20: b'y'})
        self.assertEqual(self.check_rc().rc, 0)


if __name__ == '__main__':
    qemutest.main()
