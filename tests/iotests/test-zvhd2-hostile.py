#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every broken image is refused: clearly, soon, in little memory.

The images are those of tests/lib/zvhd2hostile.py, one wrong thing each, plus
good images cut off or with flipped bytes.
"""

import os
import random
import re
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2hostile     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import GIB, MIB, contents, per_build     # noqa: E402

MEMORY = 100 * MIB
TIMEOUT = 30


def rules_in(text):
    return {int(n) for n in re.findall(r'\brule (\d+)', text)}


@per_build
class OneWrongThing(qemutest.QemuCase):
    """For each case: info, convert, check."""

    def setUp(self):
        super().setUp()
        self.image = self.path('bad.zvhd2')

    def names_the_rule(self, case, result):
        text = result.out + result.err
        if {1, 9, 25} & set(case.rules) and 'not finished' in text:
            return      # no footer or end: more useful than the rule
        self.assertTrue(rules_in(text) & set(case.rules),
                        f'rule {case.rules} wanted: {result}')

    def read_all(self):
        return self.img('convert', '-f', 'zvhd2', '-O', 'raw', self.image,
                        self.path('out.raw'), rc=None, timeout=TIMEOUT)

    def each(self, when, look):
        """Every case: the reader's view, then check's, then repair's."""
        cases = [c for c in zvhd2hostile.CASES if c.when == when]
        for case in cases[::4] if qemutest.QUICK else cases:
            case.write(self.image)
            with self.subTest(case.name, by='reader'):
                look(case)
            with self.subTest(case.name, by='check'):
                self.check_tells(case)
            with self.subTest(case.name, by='repair'):
                self.repair()
            with self.subTest(case.name, by='memory'):
                self.memory_stayed_small()

    def memory_stayed_small(self):
        """The peak of all programs so far, and of this one (see fork)."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertLess(usage.ru_maxrss * 1024, MEMORY)

    def check_tells(self, case):
        before = contents(self.image)
        r = self.img('check', '-f', 'zvhd2', self.image, rc=None,
                     timeout=TIMEOUT)
        self.assertIn(r.rc, (1, 2, 3), str(r))
        self.names_the_rule(case, r)
        self.assertEqual(contents(self.image), before,
                         'check without -r wrote')

    def repair(self):
        """It ends, in little memory; what it calls good is good."""
        r = self.img('check', '-r', 'all', '-f', 'zvhd2', self.image,
                     rc=None, timeout=TIMEOUT)
        if r.rc == 0:
            self.img('check', '-f', 'zvhd2', self.image)
            # all of it can be read, whatever size it claims to have
            self.img('compare', '-f', 'zvhd2', '-F', 'zvhd2', self.image,
                     self.image, timeout=TIMEOUT)

    def refused_when_opened(self, case):
        r = self.img('info', '-f', 'zvhd2', self.image, rc=1,
                     timeout=TIMEOUT)
        self.assertEqual(len(r.err.strip().splitlines()), 1, str(r))
        self.names_the_rule(case, r)
        self.assertEqual(self.read_all().rc, 1)

    def refused_when_read(self, case):
        r = self.read_all()
        self.assertEqual(r.rc, 1, str(r))
        # the driver's line, with the rule, and qemu-img's own
        self.assertLessEqual(len(r.err.strip().splitlines()), 2, str(r))
        self.names_the_rule(case, r)

    def refused_or_harmless(self, case):
        """What only check must tell: a reader may refuse, or read right."""
        if self.read_all().rc == 0:
            good = ref.make(self.path('good'), case.size, case.blocks)
            self.img('compare', '-f', 'raw', '-F', 'zvhd2',
                     self.path('out.raw'), good)

    def test_wrong_when_opened(self):
        self.each('open', self.refused_when_opened)

    def test_wrong_when_read(self):
        self.each('read', self.refused_when_read)

    def test_wrong_for_check(self):
        self.each('check', self.refused_or_harmless)


@per_build
class CutOrFlipped(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.image = self.path('bad.zvhd2')

    def variants(self):
        for knobs in ({}, {'sparse': True}, {'method': 'zlib'},
                      {'version': 0}):
            ref.make(self.image, zvhd2hostile.SIZE, zvhd2hostile.BLOCKS,
                     **knobs)
            with open(self.image, 'rb') as f:
                yield knobs, f.read()

    def write(self, data):
        with open(self.image, 'wb') as f:
            f.write(data)

    def test_cut_off_anywhere(self):
        for knobs, good in self.variants():
            # QEMU sees a file's length in sectors: the last of them may be
            # short when it holds only zeros
            cuts = {0, 1, 5, 511, 512, 4095, 4096, 4097, 8192,
                    len(good) - 512, len(good) - 4095,
                    len(good) - 4096, len(good) - 4097, len(good) - 8192}
            cuts |= set(range(0, min(len(good), 40960), 2048))
            for cut in sorted(cuts)[::3 if qemutest.QUICK else 1]:
                with self.subTest(cut=cut, **knobs):
                    self.write(good[:cut])
                    self.img('info', '-f', 'zvhd2', self.image, rc=1)
                    r = self.img('check', '-f', 'zvhd2', self.image, rc=None)
                    self.assertNotEqual(r.rc, 0, str(r))

    def test_any_byte_flipped_does_not_crash(self):
        """Whatever else happens: no wrong data without an error."""
        seed = random.Random().getrandbits(32)
        rng = random.Random(seed)
        for knobs, good in self.variants():
            self.write(good)
            self.img('convert', '-f', 'zvhd2', '-O', 'raw', self.image,
                     self.path('good.raw'))
            want = qemutest.sparse_digest(self.path('good.raw'))
            used = [n for n in range(len(good))
                    if n < 512 or good[n] or n >= len(good) - 4096]
            for _ in range(8 if qemutest.QUICK else 30):
                at, bit = rng.choice(used), 1 << rng.randrange(8)
                with self.subTest(seed=seed, at=at, bit=bit, **knobs):
                    bad = bytearray(good)
                    bad[at] ^= bit
                    self.write(bad)
                    r = self.img('convert', '-f', 'zvhd2', '-O', 'raw',
                                 self.image, self.path('out.raw'), rc=None)
                    if r.rc == 0 and not self.in_payload(at, good):
                        got = qemutest.sparse_digest(self.path('out.raw'))
                        self.assertEqual(got, want)

    def in_payload(self, at, good):
        """A payload has no checksum: there a flip may pass."""
        self.write(good)
        return any(r.at + 48 <= at < r.at + 48 + r.size
                   for r in ref.Image(self.image).records)

    def test_not_an_image_at_all(self):
        for data in (b'', b'z', b'z2strm', b'z2strm\0\0' * 64,
                     b'z2strm\0\0'.ljust(4096, b'\0') * 2,
                     b'z2strm\0\0'.ljust(4096, b'\xff') * 3,
                     random.Random(1).randbytes(65536)):
            with self.subTest(data=data[:16], size=len(data)):
                self.write(data)
                self.assert_refused(self.image)

    def test_huge_sparse_file(self):
        """Big counts that a big (but empty) file seems to justify."""
        draft = ref.Draft(64 * GIB, {0: b'x'}).place()
        with open(self.image, 'wb') as f:
            f.write(draft.pack()[:-4096])
            foot = draft.footer
            foot.orig_size = foot.curr_size = 1 << 46
            foot.max_blk_num = 1 << 25
            foot.non_zero_blk_num = 1 << 25
            foot.index_seg_num = foot.bitmap_seg_num = 1024
            foot.index_size = 1024 * 524288
            foot.bitmap_size = 1024 * 4096
            foot.bitmap_lba = foot.index_lba + foot.index_size
            f.seek(foot.bitmap_lba + foot.bitmap_size)
            f.write(foot.pack().ljust(4096, b'\0'))
        for verb in ('info', 'check'):
            r = self.measured(self.tool('qemu-img'), verb, '-f', 'zvhd2',
                              self.image, rc=None, timeout=TIMEOUT)
            self.assertNotEqual(r.rc, 0)
            self.assertLess(r.maxrss, MEMORY)

    def test_scan_of_a_file_of_zeros_ends(self):
        draft = ref.Draft(zvhd2hostile.SIZE, {}, version=0).place()
        self.write(draft.header.pack().ljust(4096, b'\0'))
        os.truncate(self.image, 200 * GIB)
        r = self.img('info', '-f', 'zvhd2', self.image, rc=1, timeout=TIMEOUT)
        self.assertEqual(len(r.err.strip().splitlines()), 1)


if __name__ == '__main__':
    qemutest.main()
