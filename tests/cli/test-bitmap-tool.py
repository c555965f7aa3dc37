#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push bitmap: make, verify, fit, samples, against an independent
generator."""

import itertools
import os
import random
import re
import resource
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import bitmapref
import qemutest
from bitmapref import GRANULARITIES, Layout
from qemutest import GIB, KIB, MIB, TIB, slow

ODD = 37 * MIB + 512


class ToolCase(qemutest.QemuCase):
    def bitmap(self, *argv, rc=0, **kw):
        return self.run_it(bitmapref.obs_push(), 'bitmap', *argv, rc=rc, **kw)

    def fails(self, *argv, match, rc=1, **kw):
        r = self.bitmap(*argv, rc=rc, **kw)
        self.assertRegex(r.err, match)
        return r

    def write(self, name, data):
        path = self.path(name)
        with open(path, 'wb') as f:
            f.write(data)
        return path

    def assert_exact(self, raw, mf, layout=None):
        self.assertEqual(qemutest.contents(mf),
                         bitmapref.reference(raw, layout), f'{layout}')

    def fit(self, pairs, rc=0):
        """pairs: (mf bytes, raw path); the layout found, or what was said."""
        argv = ['--layout', self.path('found'), '--force']
        for n, (content, _) in enumerate(pairs):
            argv += ['--fit', self.write(f'vendor{n}.mf', content)]
        if os.path.exists(self.path('found')):
            os.unlink(self.path('found'))
        r = self.bitmap(*argv, *[raw for _, raw in pairs], rc=rc)
        if r.rc:
            self.assertFalse(os.path.exists(self.path('found')))
            return r
        return bitmapref.parse_layout(
            qemutest.contents(self.path('found')).decode())


class Make(ToolCase):
    def test_default_name_and_content(self):
        raw = bitmapref.scattered(self.path('image01.raw'), ODD, 1)
        self.bitmap(raw)
        self.assert_exact(raw, self.path('image01.mf'))
        os.rename(raw, self.path('a.b'))
        self.bitmap(self.path('a.b'), self.path('other'))
        self.assert_exact(self.path('a.b'), self.path('other'))
        os.rename(self.path('a.b'), self.path('noextension'))
        self.bitmap(self.path('noextension'))
        self.assertEqual(sorted(os.listdir(self.dir)),
                         ['image01.mf', 'noextension', 'noextension.mf',
                          'other'])

    @slow
    def test_random_images(self):
        for seed in range(20):
            size = random.Random(seed).randrange(1, 300 * MIB)
            with self.subTest(seed=seed, size=size):
                raw = bitmapref.scattered(self.path('i.raw'), size, seed)
                self.bitmap('--force', raw)
                self.assert_exact(raw, self.path('i.mf'))

    @slow
    def test_layouts(self):
        raw = bitmapref.scattered(self.path('i.raw'), 150 * MIB + 1, 3)
        rng = random.Random(3)
        for granularity, order, ones in itertools.product(
                GRANULARITIES, ('lsb', 'msb'), ('data', 'zero')):
            layout = Layout(granularity, order, ones,
                            rng.choice([0, 1000, 512, 4096]),
                            rng.choice([[], bitmapref.random_header(rng)]))
            with self.subTest(layout):
                self.bitmap('--force', *layout.push(), raw)
                self.assert_exact(raw, self.path('i.mf'), layout)
                self.bitmap('--verify', '--exact', *layout.push(), raw)

    @slow
    def test_around_64_gib(self):
        for size in (64 * GIB - 1, 64 * GIB, 64 * GIB + 1, 129 * GIB):
            raw = qemutest.make_raw(self.path('i.raw'), size, [
                (at, b'x') for at in (0, 64 * GIB - 1, 64 * GIB, size - 1)
                if at < size])
            self.bitmap('--force', raw)
            self.assert_exact(raw, self.path('i.mf'))

    @slow
    def test_sparse_tib(self):
        rng = random.Random(1)
        raw = qemutest.make_raw(self.path('i.raw'), TIB, [
            (rng.randrange(TIB), rng.randbytes(9000)) for _ in range(100)])
        self.bitmap(raw)
        self.assert_exact(raw, self.path('i.mf'))

    @slow
    def test_written_zeros_and_late_bytes(self):
        """Zeros that are no hole; a byte after all sizes of reads."""
        size = 40 * MIB
        rng = random.Random(2)
        content = bytearray(size)
        for block in range(0, 20, 2):
            content[block * 2 * MIB + rng.randrange(2 * MIB)] = 1
        for edge in (16 * KIB - 1, 16 * KIB, 528 * KIB - 1, 528 * KIB):
            content[2 * MIB + edge] = 1
            raw = self.write('i.raw', content)
            self.bitmap('--force', raw)
            self.assert_exact(raw, self.path('i.mf'))
            content[2 * MIB + edge] = 0

    @slow
    def test_fragmented_image(self):
        """More pieces of data than threads and units."""
        raw = self.path('i.raw')
        with open(raw, 'wb') as f:
            f.truncate(64 * MIB)
            for at in range(0, 64 * MIB, 64 * KIB):
                if at // (4 * MIB) % 3:
                    f.seek(at)
                    f.write(b'x' if at % (2 * MIB) > MIB else bytes(4096))
        for granularity in (64 * KIB, 2 * MIB, 32 * MIB):
            layout = Layout(granularity)
            self.bitmap('--force', *layout.push(), raw)
            self.assert_exact(raw, self.path('i.mf'), layout)

    @slow
    def test_block_device(self):
        if os.geteuid() or not os.path.exists('/dev/loop-control'):
            self.skipTest('no loop devices here')
        disk = bitmapref.scattered(self.path('disk'), 64 * MIB, 6)
        device = subprocess.run(
            ['losetup', '-f', '--show', disk], check=True, text=True,
            stdout=subprocess.PIPE).stdout.strip()
        self.addCleanup(subprocess.run, ['losetup', '-d', device], check=True)
        self.bitmap(device, self.path('d.mf'))
        self.assert_exact(disk, self.path('d.mf'))
        self.bitmap('--verify', device, self.path('d.mf'))

    @slow
    def test_symbolic_link_is_followed(self):
        raw = bitmapref.scattered(self.path('i.raw'), ODD, 1)
        self.write('real.mf', b'old')
        os.symlink('real.mf', self.path('i.mf'))
        self.bitmap('--force', raw)
        self.assertTrue(os.path.islink(self.path('i.mf')))
        self.assert_exact(raw, self.path('real.mf'))

    @slow
    def test_existing_files(self):
        raw = bitmapref.scattered(self.path('i.raw'), ODD, 1)
        mf = self.write('i.mf', b'something')
        self.fails(raw, match='exists already.*--force')
        self.assertEqual(qemutest.contents(mf), b'something')
        self.bitmap('--force', raw)
        self.assert_exact(raw, mf)
        manifest = b'SHA256(image.ovf)= 00\nSHA256(disk.vmdk)= 11\n'
        self.write('i.mf', manifest)
        self.fails(raw, match='OVF manifest')
        self.fails('--force', raw, match='OVF manifest')
        self.assertEqual(qemutest.contents(mf), manifest)
        self.fails('--force', raw, raw, match='image itself', rc=2)
        self.assertEqual(os.stat(raw).st_size, ODD)
        self.assertEqual(sorted(os.listdir(self.dir)), ['i.mf', 'i.raw'])

    @slow
    def test_age_and_mode(self):
        raw = bitmapref.scattered(self.path('i.raw'), ODD, 1)
        later = os.stat(raw).st_mtime_ns + 10 ** 12   # another host's clock
        os.utime(raw, ns=(later, later))
        self.bitmap(raw)
        st = os.stat(self.path('i.mf'))
        self.assertGreaterEqual(st.st_mtime_ns, later)
        self.assertEqual(st.st_mode & 0o777, 0o666 & ~self.umask())

    @staticmethod
    def umask():
        mask = os.umask(0o22)
        os.umask(mask)
        return mask

    @slow
    def test_says_that_the_layout_is_unconfirmed(self):
        raw = bitmapref.scattered(self.path('i.raw'), ODD, 1)
        self.assertEqual(self.bitmap(raw).err.count('not confirmed'), 1)
        self.assertRegex(self.bitmap('--help').out, 'NOT CONFIRMED')
        self.write('l', Layout().text().encode())
        r = self.bitmap('--force', '--layout', self.path('l'), raw)
        self.assertEqual(r.err, '')

    @slow
    def test_what_is_no_image(self):
        os.mkfifo(self.path('fifo'))
        self.write('empty', b'')
        for name, match in (('missing', 'No such file'),
                            ('fifo', 'neither a file nor a block device'),
                            ('.', 'neither a file nor a block device'),
                            ('empty', 'empty')):
            self.fails(self.path(name), self.path('x.mf'), match=match, rc=3)
        raw = qemutest.make_raw(self.path('i.raw'), MIB)
        self.fails(raw, self.path('none/x.mf'), match='No such file')
        self.assertFalse(os.path.exists(self.path('x.mf')))

    @slow
    def test_bad_options(self):
        raw = qemutest.make_raw(self.path('i.raw'), MIB)
        for argv in ((), (raw, 'a', 'b'), ('--granularity=3M', raw),
                     ('--pad=x', raw), ('--set=2', raw), ('--exact', raw),
                     ('--bit-order=', raw), ('--header=abc', raw),
                     ('--layout=/nonexistent', raw), ('--verify',),
                     ('--fit', raw), ('--fit', raw, '--verify', raw),
                     ('--samples', 'x', raw), ('--unknown', raw),
                     ('--fit', 'x', '--pad=1', raw)):
            with self.subTest(argv):
                self.bitmap(*argv, rc=2)
        for text in (b'granularity', b'granularity=1\n', b'x=y\n', b'\0',
                     b'pad=4096\nset=nothing\n', b'header=' + b'0' * 20000):
            self.write('l', text)
            self.fails('--layout', self.path('l'), raw, match='l',  rc=2)
        self.assertFalse(os.path.exists(self.path('i.mf')))

    @slow
    def test_no_room(self):
        raw = qemutest.make_raw(self.path('i.raw'), TIB)
        mf = self.write('i.mf', b'old')
        for argv in (('--force', raw), (raw, self.path('new.mf'))):
            self.fails(
                '--granularity=64K', *argv, match='File too large',
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                      (MIB, MIB)))
        self.assertEqual(qemutest.contents(mf), b'old')
        self.assertEqual(sorted(os.listdir(self.dir)), ['i.mf', 'i.raw'])

    @slow
    def test_image_that_changes_meanwhile(self):
        raw = self.write('i.raw', bytes(128 * MIB))
        stop = threading.Event()

        def touch():
            t = os.stat(raw).st_mtime_ns
            while not stop.is_set():
                t += 1
                os.utime(raw, ns=(t, t))
        for verb in ((), ('--verify',)):
            if verb:
                self.bitmap(raw)
            stop.clear()
            toucher = threading.Thread(target=touch)
            toucher.start()
            try:
                self.fails(*verb, raw, match='has changed', rc=3)
            finally:
                stop.set()
                toucher.join()
            self.assertEqual(os.path.exists(self.path('i.mf')), bool(verb))


class Verify(ToolCase):
    @slow
    def test_every_wrong_bit(self):
        rng = random.Random(8)
        raw = bitmapref.scattered(self.path('i.raw'), ODD, 2)
        for layout in (Layout(), Layout(64 * KIB, 'msb', 'zero', 512,
                                        [b'MF', ('size', 'le', 64)])):
            good = bitmapref.reference(raw, layout)
            pieces = bitmapref.data_pieces(raw)
            mf = self.write('i.mf', good)
            self.bitmap('--verify', '--exact', *layout.push(), raw)
            bits = rng.sample(range(len(good) * 8), 40)
            bits += range(8 * sum(map(bitmapref.part_length, layout.header)),
                          len(good) * 8)[:40]
            for bit in bits:
                bad = bytearray(good)
                bad[bit // 8] ^= 1 << bit % 8
                self.write('i.mf', bad)
                # any flip is caught by --exact; by --verify those that could
                # lose data and those that no generator would make
                self.bitmap('--verify', '--exact', *layout.push(), raw, rc=1)
                r = self.bitmap('--verify', *layout.push(), raw, rc=None)
                blocks = -(-ODD // layout.granularity)
                start = bit // 8 - sum(map(bitmapref.part_length,
                                           layout.header))
                if 0 <= start < -(-blocks // 8) and self.block_of(
                        bit, start, layout) < blocks:
                    hidden = bitmapref.hides_data(bad, pieces, ODD, layout)
                    self.assertEqual(r.rc, 1 if hidden else 0, f'{bit} {r}')
                    for block in hidden:
                        self.assertIn(f'blocks {block} to {block},', r.err)
                else:
                    self.assertEqual(r.rc, 1, f'{bit} {r}')

    @staticmethod
    def block_of(bit, start, layout):
        shift = bit % 8 if layout.order == 'lsb' else 7 - bit % 8
        return start * 8 + shift

    @slow
    def test_wrong_files(self):
        raw = bitmapref.scattered(self.path('i.raw'), ODD, 2)
        good = bitmapref.reference(raw)
        for bad, match in ((good[:-1], 'has 4095 bytes'), (b'', '0 bytes'),
                           (good + b'\0', 'longer than'),
                           (good[:-1] + b'\1', 'byte 4095'),
                           (b'SHA256(x)= 0\n', 'OVF manifest')):
            self.write('i.mf', bad)
            self.fails('--verify', raw, match=match)
        self.write('i.mf', good)
        os.truncate(raw, 65 * GIB)
        self.fails('--verify', raw, match='4096 bytes.* 8192 ')
        self.fails('--verify', raw, self.path('missing'), match='No such')

    @slow
    def test_says_which_blocks(self):
        raw = self.write('i.raw', bytes([1]) * (40 * MIB))
        self.write('i.mf', bytes.fromhex('fd730f').ljust(4096, b'\0'))
        r = self.fails('--verify', raw, match='4 of 20 blocks')
        self.assertEqual(
            re.findall(r'blocks (\d+) to (\d+), bytes (\d+) to (\d+)', r.err),
            [('1', '1', str(2 * MIB), str(4 * MIB - 1)),
             ('10', '11', str(20 * MIB), str(24 * MIB - 1)),
             ('15', '15', str(30 * MIB), str(32 * MIB - 1))])


class Fit(ToolCase):
    @slow
    def test_every_way_to_write_bits(self):
        rng = random.Random(11)
        raw = bitmapref.scattered(self.path('i.raw'), 3 * GIB + 7 * MIB + 512,
                                  3, places=40)
        for granularity, order, ones in itertools.product(
                GRANULARITIES, ('lsb', 'msb'), ('data', 'zero')):
            layout = Layout(granularity, order, ones, rng.choice([0, 4096]),
                            rng.choice([[], bitmapref.random_header(rng)]))
            with self.subTest(layout):
                found = self.fit([(bitmapref.reference(raw, layout), raw)])
                self.assertEqual(found.values(), layout.values())

    @slow
    def test_padding(self):
        # 1537 and 41 blocks of 2 MiB: 193 and 6 bytes
        raws = [qemutest.make_raw(self.path(f'{size}.raw'), size, [
            (5 * MIB, b'x'), (size - 1, b'x')])
            for size in (3 * GIB + 512, 80 * MIB + 1)]
        for pad in (0, 2, 7, 194, 256, 400, 512, 1000, 4096, 65536, 100000):
            layout = Layout(pad=pad)
            found = self.fit([(bitmapref.reference(raw, layout), raw)
                              for raw in raws])
            self.assertEqual(found.values(), layout.values())

    @slow
    def test_what_is_plausible(self):
        """One pair leaves choices; the likely one is taken, the others are
        named, and the sample that would exclude them."""
        raw = qemutest.make_raw(self.path('i.raw'), GIB, [
            (5 * MIB, b'x'), (100 * MIB, b'x')])
        for layout, other in (
                (Layout(pad=0), 'pad=64'),          # 64 bytes either way
                (Layout(header=[b'MF', ('size', 'be', 64)]), 'size:be32'),
                (Layout(pad=512, header=[('count', 'le', 32), b'\1']),
                 'header=0002000001')):
            mf = self.write('v.mf', bitmapref.reference(raw, layout))
            r = self.bitmap('--fit', mf, '--force', raw)
            self.assertEqual(
                qemutest.contents(self.path('v.layout')).decode(),
                layout.text(), f'{r}')
            self.assertRegex(r.out, f'less plausible.*{other}')
            self.assertRegex(r.out, r'sample \S+\.raw would exclude most')

    @slow
    def test_fitted_layout_is_used(self):
        raw = bitmapref.scattered(self.path('i.raw'), 3 * GIB + 512, 4)
        layout = Layout(256 * KIB, 'msb', 'zero', 0,
                        [b'MF\1\2', ('size', 'be', 64), b'\xff\xff\xff\xff'])
        self.fit([(bitmapref.reference(raw, layout), raw)])
        other = bitmapref.scattered(self.path('j.raw'), ODD, 5)
        self.bitmap('--layout', self.path('found'), other)
        self.assert_exact(other, self.path('j.mf'), layout)
        self.bitmap('--verify', '--layout', self.path('found'), other)
        self.fails('--verify', other, match='bytes')

    @slow
    def test_default_name_of_the_layout(self):
        raw = bitmapref.scattered(self.path('i.raw'), 3 * GIB + 512, 4)
        mf = self.write('v.mf', bitmapref.reference(raw))
        self.bitmap('--fit', mf, raw)
        self.assertEqual(qemutest.contents(self.path('v.layout')).decode(),
                         Layout().text())
        self.fails('--fit', mf, raw, match='exists already')

    @slow
    def test_pairs_that_cannot_tell(self):
        zero = qemutest.make_raw(self.path('z.raw'), GIB)
        r = self.fit([(bitmapref.reference(zero), zero)], rc=1)
        self.assertRegex(r.err, r"can't tell .* layouts apart; the sample "
                         r'\S+\.raw would')
        self.assertRegex(r.out, 'granularity=2097152')
        # one block: nothing but the order of bits can be seen
        small = qemutest.make_raw(self.path('s.raw'), 64 * KIB, [(0, b'x')])
        r = self.fit([(bitmapref.reference(small), small)], rc=1)
        self.assertRegex(r.err, r'the sample \S+\.raw would')
        # the second pair settles it
        large = qemutest.make_raw(self.path('l.raw'), 65 * GIB,
                                  [(64 * GIB + 5 * MIB, b'x')])
        pair = (bitmapref.reference(large), large)
        found = self.fit([(bitmapref.reference(zero), zero), pair])
        self.assertEqual(found.values(), Layout().values())

    @slow
    def test_none_fits(self):
        raw = bitmapref.scattered(self.path('i.raw'), 3 * GIB + 512, 4)
        layout = Layout(512 * KIB, 'msb')
        bad = bytearray(bitmapref.reference(raw, layout))
        bad[700] ^= 0x10
        r = self.fit([(bad, raw)], rc=1)
        self.assertRegex(r.err, r'no layout reproduces .*granularity=524288 '
                         r'bit-order=msb set=data pad=4096 .*differs in 1 '
                         r'bytes, the first one at byte 700 ')
        for junk in (b'', b'\x55' * 4096, os.urandom(9000)):
            r = self.fit([(junk, raw)], rc=1)
            self.assertRegex(r.err, 'no layout reproduces')
        self.fails('--fit', self.write('big', bytes(17 * MIB + 9000)), raw,
                   match='more than any layout')
        self.fails('--fit', self.write('m', b'MD5(a)= 0\n'), raw,
                   match='OVF manifest')
        self.fails('--fit', self.path('missing'), raw, match='No such file')


class Samples(ToolCase):
    def samples_settle_every_layout(self, folder):
        """The vendor's generator is played by our independent one."""
        names = sorted(os.listdir(folder))
        self.assertEqual(len(names), 21)
        paths = [os.path.join(folder, n) for n in names]
        pieces = {p: bitmapref.data_pieces(p) for p in paths}
        rng = random.Random(12)
        for _ in range(3):
            layout = Layout(rng.choice(GRANULARITIES),
                            rng.choice(['lsb', 'msb']),
                            rng.choice(['data', 'zero']),
                            rng.choice([0, 2, 512, 4096, 999]),
                            rng.choice([[], bitmapref.random_header(rng)]))
            with self.subTest(layout):
                found = self.fit([(bitmapref.encode(
                    pieces[p], os.stat(p).st_size, layout), p)
                    for p in paths])
                self.assertEqual(found.values(), layout.values())

    @slow
    def test_what_they_are_and_what_they_tell(self):
        folder = self.path('a/b')
        self.bitmap('--samples', folder)
        self.samples_settle_every_layout(folder)

        def sample(name):
            path = os.path.join(folder, name)
            return path, os.stat(path)
        for name, size in (('zero-1g.raw', GIB), ('zero-2g.raw', 2 * GIB)):
            path, st = sample(name)
            self.assertEqual((st.st_size, st.st_blocks), (size, 0))
        for name, at in [('byte-0.raw', 0)] + [
                (f'byte-2e{k}.raw', 1 << k) for k in range(12, 26)]:
            path, st = sample(name)
            self.assertEqual(st.st_size, GIB)
            self.assertLess(st.st_blocks * 512, MIB)
            with open(path, 'rb') as f:
                data = f.read(1 << 26)
            self.assertEqual(data.count(0), len(data) - 1)
            self.assertNotEqual(data[at], 0)
        path, st = sample('ones-1g.raw')
        self.assertEqual(st.st_size, GIB)
        with open(path, 'rb') as f:
            for _ in range(GIB // MIB):
                self.assertEqual(f.read(MIB), b'\xff' * MIB)
        self.assertEqual(sample('odd-1g512.raw')[1].st_size, GIB + 512)
        for gib in (65, 129):
            path, st = sample(f'sparse-{gib}g.raw')
            self.assertEqual(st.st_size, gib * GIB)
            self.assertLess(st.st_blocks * 512, MIB)
            self.assertIn(64 * GIB - 64 * KIB, bitmapref.data_pieces(path))
        self.fails('--samples', folder, match='File exists')

    @slow
    def test_no_room(self):
        self.fails('--samples', self.path('s'), match='File too large',
                   preexec_fn=lambda: resource.setrlimit(
                       resource.RLIMIT_FSIZE, (GIB, GIB)))
        self.assertEqual(os.listdir(self.path('s')), ['zero-1g.raw'])


if qemutest.QUICK:      # obs-push is the same whatever QEMU there is
    for case in (Make, Verify, Fit, Samples):
        for name in dir(case):
            if getattr(getattr(case, name), 'slow', False):
                setattr(case, name, None)

if __name__ == '__main__':
    unittest.main()
