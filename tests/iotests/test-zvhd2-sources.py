#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Round trips from each source format and protocol that users convert from.

Source -> ZVHD2 -> raw must give the raw disk that the source was made of,
and qemu-img compare must find source and ZVHD2 identical.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import foreignimages    # noqa: E402
import qemutest     # noqa: E402
import webserver    # noqa: E402
import zvhd2ref as ref  # noqa: E402
from qemutest import MIB, per_build, sparse_digest  # noqa: E402

SIZE = 24 * MIB

CREATED = {
    'raw': (),
    'qcow': (),
    'qcow2': (),
    'qcow2 compressed': ('-c',),
    'qcow2 zstd': ('-c', '-o', 'compression_type=zstd'),
    'qcow2 old': ('-o', 'compat=0.10'),
    'qed': (),
    'vdi': (),
    'vmdk monolithicSparse': ('-o', 'subformat=monolithicSparse'),
    'vmdk streamOptimized': ('-o', 'subformat=streamOptimized'),
    'vmdk monolithicFlat': ('-o', 'subformat=monolithicFlat'),
    'vhdx': (),
    'vhdx fixed': ('-o', 'subformat=fixed'),
    'vpc': (),
    'vpc fixed': ('-o', 'subformat=fixed'),
    'parallels': (),
}
BY_HAND = {'bochs': foreignimages.bochs, 'cloop': foreignimages.cloop,
           'dmg': foreignimages.dmg}


class RoundTrip(qemutest.QemuCase):
    def setUp(self):
        super().setUp()
        self.raw = qemutest.random_raw(self.path('d.raw'), SIZE, 21,
                                       extents=8)
        self.z = self.path('z.zvhd2')

    def round_trip(self, source, fmt, opts=None):
        """source, of format fmt (or an --image-opts text in opts)."""
        how = ('--image-opts', opts) if opts else ('-f', fmt, source)
        self.img('convert', *how[:-1], '-O', 'zvhd2', how[-1], self.z)
        self.assertEqual(ref.check(self.z), [])
        size = ref.Image(self.z).header.orig_size
        self.assertGreaterEqual(size, SIZE)     # some round up
        back = self.to_raw(self.z)
        self.assertEqual(sparse_digest(back, SIZE), sparse_digest(self.raw))
        with open(back, 'rb') as f:
            f.seek(SIZE)
            self.assertFalse(f.read().strip(b'\0'))
        if not opts:
            self.img('compare', '-f', fmt, '-F', 'zvhd2', source, self.z)


@per_build
class Formats(RoundTrip):
    def test_formats_that_qemu_creates(self):
        for label, opts in CREATED.items():
            with self.subTest(label):
                fmt = label.split()[0]
                source = self.path('source.' + fmt)
                self.img('convert', *opts, '-f', 'raw', '-O', fmt, self.raw,
                         source)
                self.round_trip(source, fmt)

    def test_formats_made_by_hand(self):
        for fmt, make in BY_HAND.items():
            with self.subTest(fmt):
                source = self.path('source.' + fmt)
                make(self.raw, source)
                # QEMU's own reader agrees that the sample is good
                self.img('compare', '-f', 'raw', '-F', fmt, self.raw, source)
                self.round_trip(source, fmt)

    def test_luks(self):
        secret = self.path('secret')
        with open(secret, 'w') as f:
            f.write('a passphrase')
        source = self.path('source.luks')
        key = ('--object', f'secret,id=s0,file={secret}')
        for _ in range(5):
            made = self.img('convert', *key, '-f', 'raw', '-O', 'luks', '-o',
                            'key-secret=s0,iter-time=10', self.raw, source,
                            rc=None)
            # where the kernel counts CPU time in ticks QEMU may measure none
            if 'Unable to get accurate CPU usage' not in str(made):
                break
        self.assertEqual(made.rc, 0, made)
        opts = f'driver=luks,key-secret=s0,file.filename={source}'
        self.img('convert', *key, '--image-opts', '-O', 'zvhd2', opts,
                 self.z)
        self.assertEqual(ref.check(self.z), [])
        self.assertEqual(sparse_digest(self.to_raw(self.z)),
                         sparse_digest(self.raw))
        self.img('compare', *key, '--image-opts', opts,
                 f'driver=zvhd2,guest-size=exact,file.filename={self.z}')

    def test_snapshot_of_qcow2(self):
        source = self.path('s.qcow2')
        self.img('convert', '-f', 'raw', '-O', 'qcow2', self.raw, source)
        self.img('snapshot', '-c', 'before', source)
        self.io(source, 'write -P 9 0 24M', fmt='qcow2')
        self.img('convert', '-l', 'before', '-O', 'zvhd2', source, self.z)
        self.assertEqual(ref.check(self.z), [])
        self.assertEqual(sparse_digest(self.to_raw(self.z)),
                         sparse_digest(self.raw))

    def test_zvhd2_itself(self):
        source = self.path('source.zvhd2')
        self.convert(self.raw, source, '-o',
                     'compression_type=zlib,cluster_size=1M')
        self.img('convert', '--image-opts', self.exact(source), '-O',
                 'zvhd2', self.z)
        self.assertEqual(ref.check(self.z), [])
        self.assertEqual(sparse_digest(self.to_raw(self.z)),
                         sparse_digest(self.raw))

    def test_zvhd2_to_other_formats(self):
        self.convert(self.raw, self.z)
        for fmt in ('qcow2', 'vmdk', 'vhdx', 'vdi', 'vpc'):
            with self.subTest(fmt):
                out = self.path('out.' + fmt)
                self.img('convert', '--image-opts', self.exact(self.z),
                         '-O', fmt, out)
                self.img('compare', '-f', 'raw', '-F', fmt, self.raw, out)


@per_build
class Protocols(RoundTrip):
    def test_nbd(self):
        uri = self.qemu_nbd(self.raw, '-r', '-t', fmt='raw')
        self.round_trip(uri, 'raw')

    def serve(self, **tls):
        server = webserver.WebServer(self.dir, **tls)
        self.addCleanup(server.stop)
        return server

    def test_http(self):
        qcow2 = self.path('q.qcow2')
        self.convert(self.raw, qcow2, fmt='qcow2')
        server = self.serve()
        self.round_trip(server.url('d.raw'), 'raw')
        self.round_trip(server.url('q.qcow2'), 'qcow2')

    def test_https(self):
        _, cert, key = webserver.make_certificate(self.dir)
        server = self.serve(cert=cert, key=key)
        # unknown authority: no byte is taken from it
        self.img_fails('convert', '-f', 'raw', '-O', 'zvhd2',
                       server.url('d.raw'), self.z, match='(?i)certificate')
        self.assertEqual(server.sent, 0)
        self.round_trip(None, None, 'driver=raw,file.driver=https,'
                        f"file.url={server.url('d.raw')},"
                        'file.sslverify=off')


if __name__ == '__main__':
    qemutest.main()
