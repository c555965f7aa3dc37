#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-img convert -O raw -o bitmap=FILE against an independent generator."""

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import bitmapref
import qemutest
from bitmapref import Layout
from qemutest import GIB, KIB, MIB, TIB, per_build, slow

ODD = 37 * MIB + 512        # no multiple of any granularity


def have_o_direct(folder):
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as f:
            os.close(os.open(f.name, os.O_RDWR | os.O_DIRECT))
        return True
    except OSError:
        return False


@per_build
class Convert(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.raw, self.mf = self.path('image.raw'), self.path('image.mf')

    def convert_bitmap(self, *argv, layout='', rc=0, source=None, fmt='raw',
                       **kw):
        return self.img('convert', '-q', *argv, '-f', fmt, '-O', 'raw', '-o',
                        f'bitmap={self.mf}{layout}',
                        source or self.source, self.raw, rc=rc, **kw)

    def assert_exact(self, layout=None, raw=None):
        with open(self.mf, 'rb') as f:
            got = f.read()
        self.assertEqual(got, bitmapref.reference(raw or self.raw, layout),
                         f'{layout or Layout()}')

    def assert_safe(self):
        with open(self.mf, 'rb') as f:
            got = f.read()
        size = os.stat(self.raw).st_size
        pieces = bitmapref.data_pieces(self.raw)
        self.assertEqual(len(got), len(bitmapref.reference(self.raw)))
        self.assertEqual(bitmapref.hides_data(got, pieces, size), set())

    def assert_only(self, *names):
        """Nothing else is left in the folder."""
        self.assertEqual(sorted(os.listdir(self.dir)), sorted(names))

    @property
    def source(self):
        if not hasattr(self, '_source'):
            self._source = bitmapref.scattered(self.path('source.raw'), ODD,
                                               seed=1)
        return self._source

    # --- options of convert ---

    def test_help_lists_it(self):
        for more in ((), (self.source, self.raw)):
            out = self.img('convert', '-O', 'raw', '-o', 'help', *more).out
            self.assertRegex(out, r'(?m)^  bitmap=<str> .*fast import')
            for key in Layout().values():
                self.assertRegex(out, rf'(?m)^  bitmap-{key}=<')
            self.assertRegex(out, r'(?m)^  bitmap-layout=<')
        out = self.img('convert', '-O', 'qcow2', '-o', 'help').out
        self.assertNotIn('bitmap=', out)

    def test_convert_options(self):
        for n, options in enumerate((
                '', '-S 0', '-S 512', '-S 4k', '-S 64k', '-S 1M', '-m 1',
                '-m 16', '-W', '-W -m 16', '-W -m 16 -S 0', '-p -U',
                '-t writethrough', '-T directsync', '-t none', '-r 1G')):
            if '-t none' in options and not have_o_direct(self.dir):
                continue
            if 'directsync' in options and not have_o_direct(self.dir):
                options = '-T writethrough'
            with self.subTest(options):
                source = bitmapref.scattered(self.path('s.raw'), ODD, seed=n)
                self.convert_bitmap(*options.split(), source=source)
                self.assert_exact()
                os.unlink(self.mf)

    def test_copy_offloading_never_hides_data(self):
        for seed in range(3):
            source = bitmapref.scattered(self.path('s.raw'), ODD, seed)
            self.convert_bitmap('-C', source=source)
            self.assert_safe()
        # where the file system says that there is nothing, neither do we
        self.convert_bitmap('-C', source=qemutest.make_raw(
            self.path('s.raw'), 1 * GIB, [(600 * MIB, b'x')]))
        self.assert_exact()

    def test_full_allocation_still_tells_zeros_apart(self):
        source = qemutest.make_raw(self.path('s.raw'), 64 * MIB, [
            (10 * MIB, bytes(5 * MIB)), (30 * MIB, b'x'),
            (33 * MIB, bytes(MIB))])
        self.convert_bitmap('-S', '0', source=source)
        self.assertGreater(os.stat(self.raw).st_blocks * 512, 60 * MIB)
        self.assert_exact()
        with open(self.mf, 'rb') as f:
            self.assertEqual(f.read(5), b'\0\x80\0\0\0')    # block 15

    def test_one_byte_marks_its_block(self):
        for at in (0, 1, 2 * MIB - 1, 2 * MIB, 4 * MIB + 511, ODD - 1):
            for sparse in ('0', '4k', '16M'):
                with self.subTest(at=at, sparse=sparse):
                    source = qemutest.make_raw(self.path('s.raw'), ODD,
                                               [(at, b'\1')])
                    self.convert_bitmap('-S', sparse, source=source)
                    self.assert_exact()
                    with open(self.mf, 'rb') as f:
                        self.assertEqual(f.read(3)[at // (16 * MIB)],
                                         1 << at // (2 * MIB) % 8)

    def test_preallocation(self):
        for mode in ('off', 'falloc', 'full'):
            self.convert_bitmap(layout=f',preallocation={mode}')
            self.assert_exact()

    def test_random_sources(self):
        for seed in range(8):
            size = random.Random(seed).randrange(1, 400 * MIB) // 512 * 512
            with self.subTest(seed=seed):
                source = bitmapref.scattered(self.path('s.raw'), size + 512,
                                             seed)
                self.convert_bitmap(source=source)
                self.assert_exact()

    def test_qcow2_source(self):
        image = self.path('s.qcow2')
        self.img('convert', '-f', 'raw', '-O', 'qcow2', '-c', self.source,
                 image)
        self.convert_bitmap(source=image, fmt='qcow2')
        self.assert_exact()

    def test_several_sources(self):
        parts = [qemutest.make_raw(self.path(f's{n}.raw'), size, extents)
                 for n, (size, extents) in enumerate((
                     (3 * MIB + 512, [(3 * MIB + 511, b'x')]),
                     (10 * MIB, []), (512, []),
                     (9 * MIB, [(4 * MIB, b'y')])))]
        for options in ('', '-C', '-S 0', '-W -m 7'):
            with self.subTest(options):
                self.img('convert', '-q', *options.split(), '-f', 'raw', '-O',
                         'raw', '-o', f'bitmap={self.mf}', *parts, self.raw)
                self.assert_safe()
                if options != '-C':
                    self.assert_exact()

    # --- existing targets ---

    def test_existing_target(self):
        qemutest.make_raw(self.raw, ODD, [(0, b'\xff' * ODD)])
        self.convert_bitmap('-n')
        self.assert_exact()
        self.img('compare', '-f', 'raw', '-F', 'raw', self.source, self.raw)

    def test_rest_of_larger_target_is_data(self):
        qemutest.make_raw(self.raw, 64 * MIB + 100, [(50 * MIB, b'old')])
        self.convert_bitmap('-n')
        rest = range(ODD, 64 * MIB + 100, 64 * KIB)
        pieces = bitmapref.data_pieces(self.raw) | {64 * MIB} | {
            at // (64 * KIB) * 64 * KIB for at in rest}
        with open(self.mf, 'rb') as f:
            self.assertEqual(f.read(), bitmapref.encode(
                pieces, 64 * MIB + 100, Layout()))

    def test_target_is_zero(self):
        for size in (ODD, 64 * MIB):
            qemutest.make_raw(self.raw, size)
            self.convert_bitmap('-n', '--target-is-zero')
            self.assert_exact()
            os.unlink(self.raw)

    def test_header_has_the_size_of_the_target(self):
        layout = Layout(header=[('size', 'be', 64), ('count', 'le', 32)])
        qemutest.make_raw(self.raw, 64 * MIB + 100)
        self.convert_bitmap('-n', '--target-is-zero', layout=layout.qemu())
        self.assert_exact(layout)

    def test_what_is_left_alone_counts_as_data(self):
        base, top = self.path('base.qcow2'), self.path('top.qcow2')
        self.img('create', '-q', '-f', 'qcow2', base, '8M')
        self.img('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2',
                 top, '8M')
        qemutest.make_raw(self.raw, 8 * MIB, [(3 * MIB, b'old')])
        backing = '-b' if '-b, --backing' in self.img(
            'convert', '--help').out else '-B'
        self.img('convert', '-n', backing, base, '-f', 'qcow2', '-O', 'raw',
                 '-o', f'bitmap={self.mf}', top, self.raw)
        self.assertIn(b'old', qemutest.contents(self.raw))
        with open(self.mf, 'rb') as f:
            self.assertEqual(f.read(1), b'\x0f')

    def test_target_image_opts(self):
        for driver in (f'driver=raw,file.driver=file,file.filename={self.raw}',
                       f'driver=file,filename={self.raw}',
                       'driver=raw,file.driver=blkdebug,file.image.driver=file'
                       f',file.image.filename={self.raw}'):
            with self.subTest(driver):
                qemutest.make_raw(self.raw, ODD)
                self.img('convert', '-n', '--target-image-opts', '-f', 'raw',
                         '-o', f'bitmap={self.mf}', self.source, driver)
                self.assert_exact()
                os.unlink(self.raw)
                os.unlink(self.mf)

    def test_target_that_is_not_plain_bytes(self):
        qemutest.make_raw(self.raw, ODD + MIB)
        self.img_fails('convert', '-n', '--target-image-opts', '-f', 'raw',
                       '-o', f'bitmap={self.mf}', self.source,
                       'driver=raw,offset=1048576,file.driver=file,'
                       f'file.filename={self.raw}', match='whole file')
        image = self.path('t.qcow2')
        self.img('create', '-q', '-f', 'qcow2', image, '64M')
        self.img_fails('convert', '-n', '--target-image-opts', '-f', 'raw',
                       '-o', f'bitmap={self.mf}', self.source,
                       f'driver=qcow2,file.driver=file,file.filename={image}',
                       match='raw target, not qcow2')
        self.img_fails('convert', '-f', 'raw', '-O', 'qcow2', '-o',
                       f'bitmap={self.mf}', self.source, self.path('u'),
                       match='goes with -O raw')
        self.assert_only('source.raw', 'image.raw', 't.qcow2')

    def test_other_options_are_still_refused_with_n(self):
        qemutest.make_raw(self.raw, ODD)
        self.img_fails('convert', '-n', '-f', 'raw', '-O', 'raw', '-o',
                       f'bitmap={self.mf},preallocation=full', self.source,
                       self.raw, match='no effect when skipping')

    def test_block_device(self):
        if os.geteuid() or not os.path.exists('/dev/loop-control'):
            self.skipTest('no loop devices here')
        disk = qemutest.make_raw(self.path('disk'), 64 * MIB,
                                 [(40 * MIB, b'old')])
        self.raw = subprocess.run(
            ['losetup', '-f', '--show', disk], check=True, text=True,
            stdout=subprocess.PIPE).stdout.strip()
        self.addCleanup(subprocess.run, ['losetup', '-d', self.raw],
                        check=True)
        rest = {at // (64 * KIB) * 64 * KIB
                for at in range(ODD, 64 * MIB, 64 * KIB)}
        pieces = bitmapref.data_pieces(self.source)
        for options in ('', '-n', '-n -S 0'):
            with self.subTest(options):
                self.convert_bitmap(*options.split())
                with open(self.mf, 'rb') as f:
                    self.assertEqual(f.read(), bitmapref.encode(
                        pieces | rest, 64 * MIB, Layout()))

    # --- layouts ---

    def test_layouts(self):
        rng = random.Random(5)
        for granularity in bitmapref.GRANULARITIES:
            layout = Layout(granularity, rng.choice(['lsb', 'msb']),
                            rng.choice(['data', 'zero']),
                            rng.choice([0, 3, 512, 4096]),
                            bitmapref.random_header(rng))
            with self.subTest(layout):
                self.convert_bitmap(layout=layout.qemu())
                self.assert_exact(layout)

    def test_layout_file(self):
        layout = Layout(128 * KIB, 'msb', 'zero', 512,
                        [b'MF', ('size', 'be', 64)])
        path = self.path('a.layout')
        with open(path, 'w') as f:
            f.write('# fitted\n\n' + layout.text())
        self.convert_bitmap(layout=f',bitmap-layout={path}')
        self.assert_exact(layout)
        # one parameter given besides goes before the file's, in any order
        layout.order = 'lsb'
        for options in (f',bitmap-bit-order=lsb,bitmap-layout={path}',
                        f',bitmap-layout={path},bitmap-bit-order=lsb'):
            self.convert_bitmap(layout=options)
            self.assert_exact(layout)

    def test_bad_options(self):
        for options, match in (
                (',bitmap-granularity=3M', 'power of two'),
                (',bitmap-granularity=32K', 'power of two'),
                (',bitmap-granularity=', 'power of two'),
                (',bitmap-bit-order=big', 'lsb or msb'),
                (',bitmap-set=1', 'data or zero'),
                (',bitmap-pad=17M', 'pad'),
                (',bitmap-header=4', 'hex'),
                (',bitmap-header=size:be65', 'hex'),
                (',bitmap-layout=/nonexistent', 'No such file'),
                (',bitmap-other=1', "'bitmap-other'")):
            with self.subTest(options):
                self.img_fails('convert', '-f', 'raw', '-O', 'raw', '-o',
                               f'bitmap={self.mf}{options}', self.source,
                               self.raw, match=match)
        for options in ('bitmap', 'bitmap=', 'bitmap-pad=none'):
            self.img_fails('convert', '-f', 'raw', '-O', 'raw', '-o', options,
                           self.source, self.raw, match='needs a file name')
        self.assert_only('source.raw')

    def test_number_too_large_for_its_field(self):
        source = qemutest.make_raw(self.path('s.raw'), 5 * GIB)
        self.img_fails('convert', '-f', 'raw', '-O', 'raw', '-o',
                       f'bitmap={self.mf},bitmap-header=size:le32', source,
                       self.raw, match='does not fit')
        self.assertFalse(os.path.exists(self.mf))

    # --- sizes ---

    @slow
    def test_around_64_gib(self):
        for size in (64 * GIB - 512, 64 * GIB, 64 * GIB + 512, 65 * GIB):
            places = {0, 2 * MIB - 1, 64 * GIB - 1, 64 * GIB, size - 1,
                      size - 2 * MIB}
            with self.subTest(size=size):
                source = qemutest.make_raw(
                    self.path('s.raw'), size,
                    [(at, b'x') for at in places if at < size])
                self.convert_bitmap(source=source)
                self.assert_exact()

    @slow
    def test_sparse_tib(self):
        rng = random.Random(4)
        source = qemutest.make_raw(
            self.path('s.raw'), 1 * TIB,
            [(rng.randrange(TIB), b'x') for _ in range(20)])
        self.convert_bitmap(source=source)
        self.assert_exact()

    def test_empty_image(self):
        self.convert_bitmap(source=qemutest.make_raw(self.path('s.raw'), 0))
        self.assertEqual(os.stat(self.mf).st_size, 0)

    # --- the file ---

    def test_says_that_the_layout_is_unconfirmed(self):
        def errors(*argv, layout=''):
            return self.img('convert', *argv, '-f', 'raw', '-O', 'raw', '-o',
                            f'bitmap={self.mf}{layout}', self.source,
                            self.raw).err
        self.assertEqual(errors().count('not confirmed'), 1)
        self.assertEqual(errors('-q'), '')
        path = self.path('a.layout')
        with open(path, 'w') as f:
            f.write(Layout().text())
        self.assertEqual(errors(layout=f',bitmap-layout={path}'), '')

    def test_not_older_than_the_image(self):
        self.convert_bitmap()
        self.assertGreaterEqual(os.stat(self.mf).st_mtime_ns,
                                os.stat(self.raw).st_mtime_ns)
        self.assertEqual(os.stat(self.mf).st_mode & 0o777,
                         os.stat(self.raw).st_mode & 0o777)
        self.assert_only('source.raw', 'image.raw', 'image.mf')

    def test_comma_in_the_name(self):
        self.mf = self.path('a,b=c.mf')
        self.img('convert', '-q', '-f', 'raw', '-O', 'raw', '-o',
                 'preallocation=off,bitmap=' + self.mf.replace(',', ',,') +
                 ',preallocation=falloc', self.source, self.raw)
        self.assert_exact()

    def test_replaces_an_older_bitmap(self):
        with open(self.mf, 'wb') as f:
            f.write(b'old' * 5000)
        self.convert_bitmap()
        self.assert_exact()
        self.assert_only('source.raw', 'image.raw', 'image.mf')

    def test_never_over_an_ovf_manifest(self):
        for text in ('SHA256(a.vmdk)= 0123\n', 'SHA1 (a.ovf) = 4567\n',
                     '\ufeffsha512(x)=1', '\nSHA256(disk)= 89\n'):
            with open(self.mf, 'w') as f:
                f.write(text)
            self.img_fails('convert', '-f', 'raw', '-O', 'raw', '-o',
                           f'bitmap={self.mf}', self.source, self.raw,
                           match='OVF manifest')
            with open(self.mf) as f:
                self.assertEqual(f.read(), text)
        self.assertFalse(os.path.exists(self.raw))

    def test_never_over_an_image(self):
        before = qemutest.sparse_digest(self.source)
        for mf in (self.source, self.path('link')):
            if mf != self.source:
                os.symlink(self.source, mf)
            self.img_fails('convert', '-f', 'raw', '-O', 'raw', '-o',
                           f'bitmap={mf}', self.source, self.raw,
                           match='over the image')
        self.assertEqual(qemutest.sparse_digest(self.source), before)
        self.assertFalse(os.path.exists(self.raw))
        base, top = self.path('base.qcow2'), self.path('top.qcow2')
        self.img('create', '-q', '-f', 'qcow2', base, '8M')
        self.img('create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2',
                 top)
        for mf in (base, top):
            self.img_fails('convert', '-f', 'qcow2', '-O', 'raw', '-o',
                           f'bitmap={mf}', top, self.raw,
                           match='over the image')
        self.img('check', '-q', top)
        qemutest.make_raw(self.raw, ODD)
        for options in ((), ('-n',)):
            self.img_fails('convert', *options, '-f', 'raw', '-O', 'raw',
                           '-o', f'bitmap={self.raw}', self.source, self.raw,
                           match='over the image')
        self.assertEqual(os.stat(self.raw).st_size, ODD)

    def test_impossible_names(self):
        os.mkdir(self.path('folder'))
        os.mkfifo(self.path('fifo'))
        for name, match in (('folder', 'regular file'),
                            ('fifo', 'regular file'),
                            ('none/x.mf', 'No such file'),
                            ('source.raw/x.mf', 'Not a directory')):
            self.img_fails('convert', '-f', 'raw', '-O', 'raw', '-o',
                           f'bitmap={self.path(name)}', self.source, self.raw,
                           match=match)
        # found out before the target is touched
        self.assertFalse(os.path.exists(self.raw))

    # --- failures ---

    def bad_source(self):
        """A source that can't be read near its end."""
        qemutest.make_raw(self.path('s.raw'), ODD, [(0, b'x' * ODD)])
        return ('driver=raw,file.driver=blkdebug,file.image.driver=file,'
                f'file.image.filename={self.path("s.raw")},'
                'file.inject-error.0.event=none,'
                'file.inject-error.0.iotype=read,'
                f'file.inject-error.0.sector={(ODD - MIB) // 512}')

    def test_failed_conversion_leaves_none(self):
        source = self.bad_source()
        for old in (False, True):
            if old:
                with open(self.mf, 'wb') as f:
                    f.write(b'bitmap of another image')
            self.img('convert', '-q', '--image-opts', '-O', 'raw', '-o',
                     f'bitmap={self.mf}', source, self.raw, rc=1)
            self.assert_only('s.raw', 'image.raw')

    def test_salvaged_zeros_are_zeros(self):
        self.img('convert', '-q', '--salvage', '--image-opts', '-O', 'raw',
                 '-o', f'bitmap={self.mf}', self.bad_source(), self.raw)
        self.assert_exact()

    def test_failure_before_it_starts_keeps_the_old_one(self):
        with open(self.mf, 'wb') as f:
            f.write(b'old')
        self.img('convert', '-f', 'raw', '-O', 'raw', '-o',
                 f'bitmap={self.mf}', self.path('missing'), self.raw, rc=1)
        with open(self.mf, 'rb') as f:
            self.assertEqual(f.read(), b'old')

    def test_killed_conversion_leaves_none(self):
        source = qemutest.make_raw(self.path('s.raw'), ODD,
                                   [(0, b'x' * ODD)])
        for how in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            with open(self.mf, 'wb') as f:
                f.write(b'old')
            p = subprocess.Popen(
                [self.tool('qemu-img'), 'convert', '-q', '-r', '512K', '-f',
                 'raw', '-O', 'raw', '-o', f'bitmap={self.mf}', source,
                 self.raw])
            while os.path.exists(self.mf) and p.poll() is None:
                time.sleep(0.01)
            self.assertIsNone(p.poll())
            p.send_signal(how)
            self.assertNotEqual(p.wait(60), 0)
            # killed early it has not even made the target
            self.assertLessEqual(set(os.listdir(self.dir)),
                                 {'s.raw', 'image.raw'})

    def test_no_room_for_the_bitmap(self):
        """2 MiB of bitmap where 1 MiB fits; nothing goes to the target."""
        source = qemutest.make_raw(self.path('s.raw'), 1 * TIB)
        r = self.img(
            'convert', '-n', '--target-image-opts', '-f', 'raw', '-o',
            f'bitmap={self.mf},bitmap-granularity=64K', source,
            'driver=null-co,size=1T,read-zeroes=on', rc=1,
            # or the signal would be back to its default in the child
            restore_signals=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                  (MIB, MIB)))
        self.assertIn('File too large', r.err)
        self.assert_only('s.raw')

    def test_full_disk(self):
        small = self.path('small')
        os.mkdir(small)
        source = qemutest.make_raw(self.path('s.raw'), 1 * TIB)
        unshare = ['unshare', '-m'] + (['-r'] if os.geteuid() else [])
        if subprocess.run([*unshare, 'mount', '-t', 'tmpfs', 'none', small],
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no mount namespaces here')
        script = ('mount -t tmpfs -o size=1m none "$1" && "$2" convert -q '
                  '-f raw -O raw -o bitmap="$1/a.mf",bitmap-granularity=64K '
                  '"$3" "$4"; code=$?; ls -A "$1"; exit $code')
        r = self.run_it(*unshare, 'sh', '-c', script, 'sh', small,
                        self.tool('qemu-img'), source, self.raw, rc=1)
        self.assertIn('No space left', r.err)
        self.assertEqual(r.out, '')


if __name__ == '__main__':
    qemutest.main()
