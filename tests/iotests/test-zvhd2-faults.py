#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Full disks, killed converts, unreadable sources.

Each time: exit code not 0, the result does not open, and check -r all brings
back what was whole.
"""

import os
import random
import resource
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import qemutest     # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import KIB, MIB, per_build    # noqa: E402

SIZE = 48 * MIB
ENOSPC, EIO = 28, 5


class FaultCase(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.z = self.path('z.zvhd2')
        rng = random.Random(41)
        self.raw = qemutest.make_raw(self.path('r.raw'), SIZE, [
            (n * 2 * MIB, qemutest.some_data(rng, rng.randint(1, 2 * MIB)))
            for n in (0, 1, 3, 4, 5, 9, 10, 14, 20, 23)])
        self.convert(self.raw, self.z, src_fmt='raw')
        self.whole = ref.Image(self.z)      # where everything is when right

    def assert_recovers_a_prefix(self, raw=None, at_least=0, clean=True):
        """check -r all makes a perfect image of the first whole records."""
        r = self.img('check', '-r', 'all', '-f', 'zvhd2', self.z, rc=None)
        self.assertEqual(r.rc, 0, str(r))
        self.assertEqual(ref.check(self.z), [])
        self.img('check', '-f', 'zvhd2', self.z)
        image = ref.Image(self.z)
        self.assertGreaterEqual(len(image.records), at_least)
        with open(raw or self.raw, 'rb') as f:
            bs = image.header.block_size
            last = -1
            for record in image.records:
                f.seek(record.blk * bs)
                self.assertEqual(image.expand(record),
                                 f.read(bs).ljust(bs, b'\0'))
                f.seek((last + 1) * bs)
                for _ in range(last + 1, record.blk):
                    self.assertFalse(f.read(bs).strip(b'\0'))
                last = record.blk
        self.img('convert', '-f', 'zvhd2', '-O', 'raw', self.z,
                 self.path('recovered.raw'))
        return len(image.records)


@per_build
class FullDisk(FaultCase):
    def convert_with(self, *faults, opts=()):
        """Convert into a new image over blkdebug; returns the result."""
        self.img('create', '-f', 'zvhd2', self.z, SIZE)
        target = ('driver=zvhd2,file.driver=blkdebug,file.image.driver=file,'
                  f'file.image.filename={self.z}')
        for n, fault in enumerate(faults):
            target += ''.join(f',file.inject-error.{n}.{k}={v}'
                              for k, v in fault.items())
        return self.img('convert', '-n', '--target-image-opts', *opts, '-f',
                        'raw', self.raw, target, rc=None)

    def test_no_fault_no_error(self):
        self.assertEqual(self.convert_with().rc, 0)
        self.assertEqual(ref.check(self.z), [])

    def test_no_space_at_each_part_of_the_file(self):
        points = {f'record {n}': r.at for n, r in
                  enumerate(self.whole.records)}
        for n in (2, 7):
            r = self.whole.records[n]
            points[f'inside record {n}'] = (r.at + r.length // 2) & ~4095
        points['end marker'] = self.whole.marker_at
        points['index'] = self.whole.marker_at + 4096
        points['bitmap'] = self.whole.marker_at + 4096 + ref.INDEX_SEG
        points['footer'] = len(self.whole.raw) - 4096
        for name, at in points.items():
            with self.subTest(at=name):
                r = self.convert_with({'event': 'none', 'iotype': 'write',
                                       'errno': ENOSPC, 'sector': at // 512,
                                       'once': 'off'})
                self.assertEqual(r.rc, 1, str(r))
                self.assertRegex(r.err, 'No space left')
                self.assert_refused(self.z)
                whole = [x for x in self.whole.records
                         if x.at + x.length <= at]
                got = self.assert_recovers_a_prefix()
                if at >= self.whole.marker_at:
                    self.assertEqual(got, len(self.whole.records))
                else:
                    self.assertLessEqual(got, len(whole))

    def test_an_error_that_happens_only_once_stays(self):
        for n in (0, 4, 9):
            for opts in ((), ('-W', '-m', '16')):
                with self.subTest(record=n, opts=opts):
                    at = self.whole.records[n].at
                    r = self.convert_with(
                        {'event': 'none', 'iotype': 'write', 'errno': EIO,
                         'sector': at // 512, 'once': 'on'}, opts=opts)
                    self.assertEqual(r.rc, 1, str(r))
                    self.assert_refused(self.z)

    def test_flush_fails(self):
        # convert's default cache mode is unsafe: no flush at all
        r = self.convert_with({'event': 'none', 'iotype': 'flush',
                               'errno': EIO, 'once': 'off'},
                              opts=('-t', 'writeback'))
        self.assertEqual(r.rc, 1, str(r))
        self.assert_refused(self.z)

    def test_plain_write_that_finishes_fails(self):
        """The error of finishing is the error of the last plain write."""
        self.img('create', '-f', 'zvhd2', self.z, 4 * MIB)
        sector = self.path('z.zvhd2')
        opts = ('driver=zvhd2,file.driver=blkdebug,file.image.driver=file,'
                f'file.image.filename={sector},'
                'file.inject-error.0.event=none,'
                'file.inject-error.0.iotype=flush,'
                'file.inject-error.0.errno=28')
        r = self.io(opts, 'write 0 4M', opts=['--image-opts'], fmt=None, rc=1)
        self.assertRegex(r.err + r.out, 'No space left')
        self.assert_refused(self.z)

    def test_a_file_that_may_not_grow(self):
        """A real write error of the kernel's, in the middle of a write."""
        limits = [4096, 8192, 100 * KIB, self.whole.marker_at - 4096,
                  self.whole.marker_at + 10000, len(self.whole.raw) - 4096,
                  len(self.whole.raw) - 512]
        for limit in limits:
            for opts in ((), ('-W',)):
                with self.subTest(limit=limit, opts=opts):
                    if os.path.exists(self.z):
                        os.unlink(self.z)
                    r = self.convert(
                        self.raw, self.z, *opts, src_fmt='raw', rc=None,
                        restore_signals=False,      # SIGXFSZ stays ignored
                        preexec_fn=lambda: resource.setrlimit(
                            resource.RLIMIT_FSIZE, (limit, limit)))
                    self.assertEqual(r.rc, 1, str(r))
                    self.assertRegex(r.err, 'File too large')
                    self.assert_refused(self.z)
                    if os.path.getsize(self.z) > 4096:
                        self.assert_recovers_a_prefix()


@per_build
class Killed(FaultCase):
    def test_killed_at_any_moment(self):
        seed = random.Random().getrandbits(32)
        rng = random.Random(seed)
        raw = self.path('big.raw')
        noise = rng.randbytes(MIB)
        qemutest.make_raw(raw, 192 * MIB, [(n * 4 * MIB, noise * 3)
                                           for n in range(48)])
        killed = 0
        for n in range(4 if qemutest.QUICK else 12):
            threshold = rng.randrange(0, 140 * MIB)
            if os.path.exists(self.z):
                os.unlink(self.z)
            p = subprocess.Popen(
                [self.tool('qemu-img'), 'convert', '-f', 'raw', '-O', 'zvhd2',
                 raw, self.z], stdin=subprocess.DEVNULL)
            while p.poll() is None:
                try:
                    if os.path.getsize(self.z) > threshold:
                        break
                except OSError:
                    pass
                time.sleep(0.0005)
            p.send_signal(signal.SIGKILL)
            p.wait()
            with self.subTest(seed=seed, n=n, threshold=threshold):
                if p.returncode == 0 or not os.path.exists(self.z):
                    continue
                size = os.path.getsize(self.z)
                if size <= 4096:
                    self.assert_refused(self.z)
                    continue
                if self.img('info', '-f', 'zvhd2', self.z, rc=None).rc == 0:
                    # killed behind the last write: then it is all there
                    self.assertEqual(ref.check(self.z), [])
                    continue
                killed += 1
                self.assert_refused(self.z)
                # at most what was in flight is lost
                self.assert_recovers_a_prefix(
                    raw, at_least=max(0, size // (3 * MIB) - 16))
        self.assertGreater(killed, 0, 'no convert was killed in time')

    def test_terminated(self):
        """SIGINT and SIGTERM leave no good image either."""
        raw = self.path('big.raw')
        noise = random.Random(4).randbytes(MIB)
        qemutest.make_raw(raw, 256 * MIB, [(n * MIB, noise)
                                           for n in range(256)])
        for sig in (signal.SIGINT, signal.SIGTERM):
            p = subprocess.Popen(
                [self.tool('qemu-img'), 'convert', '-r', '64M', '-f', 'raw',
                 '-O', 'zvhd2', raw, self.z], stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(0.4)
            p.send_signal(sig)
            self.assertNotEqual(p.wait(20), 0)
            self.assert_refused(self.z)


@per_build
class UnreadableSource(FaultCase):
    def source(self, sector):
        return ('driver=raw,file.driver=blkdebug,file.image.driver=file,'
                f'file.image.filename={self.raw},'
                'file.inject-error.0.event=none,'
                'file.inject-error.0.iotype=read,'
                f'file.inject-error.0.errno={EIO},'
                f'file.inject-error.0.sector={sector}')

    def test_read_error_at_several_places(self):
        for sector in (0, 4097, 20 * MIB // 512, 46 * MIB // 512):
            for opts in ((), ('-W', '-m', '16'), ('-m', '1')):
                with self.subTest(sector=sector, opts=opts):
                    if os.path.exists(self.z):
                        os.unlink(self.z)
                    r = self.img('convert', '--image-opts', *opts, '-O',
                                 'zvhd2', self.source(sector), self.z, rc=1)
                    self.assertRegex(r.err, 'reading')
                    self.assert_refused(self.z)
                    if os.path.getsize(self.z) > 4096:
                        self.assert_recovers_a_prefix()

    def test_read_error_inside_the_image(self):
        """Of the ZVHD2 file itself: told with its place, nothing made up."""
        whole, record = self.whole, self.whole.records[4]
        for at, text in ((0, 'header'), (len(whole.raw) - 4096, 'footer'),
                         (whole.marker_at + 4096 + ref.INDEX_SEG, 'bitmap'),
                         (whole.marker_at + 4096, 'index'),
                         (record.at, f'block {record.blk} at offset '
                                     f'{record.at}')):
            with self.subTest(text):
                r = self.img(
                    'convert', '--image-opts', '-O', 'raw',
                    'driver=zvhd2,file.driver=blkdebug,'
                    'file.image.driver=file,'
                    f'file.image.filename={self.z},'
                    'file.inject-error.0.event=none,'
                    'file.inject-error.0.iotype=read,'
                    'file.inject-error.0.once=off,'
                    f'file.inject-error.0.sector={at // 512}',
                    self.path('out.raw'), rc=1)
                self.assertIn(text, r.err)
                self.assertIn('Input/output error', r.err)

    def test_salvage(self):
        self.img('convert', '--salvage', '--image-opts', '-O', 'zvhd2',
                 self.source(4097), self.z)
        self.assertEqual(ref.check(self.z), [])

    def test_source_that_is_a_broken_zvhd2(self):
        data = bytearray(self.whole.raw)
        data[self.whole.records[5].at + 48] ^= 0xff
        bad, out = self.path('bad.zvhd2'), self.path('out.zvhd2')
        with open(bad, 'wb') as f:
            f.write(data)
        r = self.convert(bad, out, rc=1)
        self.assertRegex(r.err, rf'block {self.whole.records[5].blk}\b')
        self.assert_refused(out)


if __name__ == '__main__':
    qemutest.main()
