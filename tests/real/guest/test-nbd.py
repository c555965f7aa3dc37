#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock NBD clients on the overlay's qemu-nbd: nbdcopy and nbdinfo (libnbd) and
the distribution's qemu-img read ZVHD2 that it exports, and nbdcopy writes it."""
import json
import os
import random
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import servers                                              # noqa: E402

MIB = 1 << 20
SIZE = 1 << 30                  # a whole GiB: readers show the size unrounded


def sparse_file(path, seed):
    """1 GiB with data at block borders and inside blocks; the extents."""
    rnd = random.Random(seed)
    spots = [(0, 4096), (2 * MIB - 512, 1024), (37 * MIB, 5 * MIB),
             (700 * MIB + 12288, 100000), (SIZE - 4096, 4096)]
    with open(path, 'wb') as f:
        f.truncate(SIZE)
        for offset, length in spots:
            f.seek(offset)
            f.write(rnd.randbytes(length))
    return spots


class Nbd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.install('libnbd-bin', 'qemu-utils')
        cls.raw = os.path.join(common.TMP, 'disk.raw')
        cls.spots = sparse_file(cls.raw, 7)
        cls.image = os.path.join(common.TMP, 'disk.zvhd2')
        common.run(common.tool('qemu-img'), 'convert', '-O', 'zvhd2', cls.raw,
                   cls.image)
        cls.node = {'driver': 'zvhd2',
                    'file': {'driver': 'file', 'filename': cls.image}}

    def test_nbdcopy_reads_what_was_written(self):
        for daemon in 'qemu-nbd', 'qemu-storage-daemon':
            with self.subTest(daemon), \
                    common.Export(self.node, daemon) as export:
                back = os.path.join(common.TMP, 'back.raw')
                common.run('nbdcopy', export.uri, back)
                self.assertEqual(common.sha256(back), common.sha256(self.raw))
                os.unlink(back)

    def test_nbdinfo_map_shows_data_and_zeros_by_block(self):
        with common.Export(self.node, 'qemu-nbd') as export:
            text = common.run('nbdinfo', '--map', '--json', export.uri)
        data = set()
        for extent in json.loads(text):
            if extent['type'] == 0:     # data; 3 is a hole that reads zeros
                first = extent['offset'] // (2 * MIB)
                last = (extent['offset'] + extent['length'] - 1) // (2 * MIB)
                data.update(range(first, last + 1))
            else:
                self.assertEqual(extent['type'], 3)
        want = {n for offset, length in self.spots
                for n in range(offset // (2 * MIB),
                               (offset + length - 1) // (2 * MIB) + 1)}
        self.assertEqual(data, want)

    def test_stock_qemu_img_compares_equal_over_nbd(self):
        with common.Export(self.node, 'qemu-nbd') as export:
            out = common.run('/usr/bin/qemu-img', 'compare', '-f', 'raw', '-F',
                             'raw', self.raw, export.uri)
        self.assertIn('identical', out)

    def test_qemu_nbd_option_line_of_the_manual(self):
        sock = os.path.join(common.TMP, 'plain.sock')
        child = subprocess.Popen([common.tool('qemu-nbd'), '-f', 'zvhd2', '-r',
                                  '-t', '-k', sock, self.image])
        try:
            for _ in range(200):
                if os.path.exists(sock):
                    break
                child.poll()
                subprocess.run(['sleep', '.05'])
            out = common.run('nbdinfo', '--size', f'nbd+unix:///?socket={sock}')
        finally:
            child.kill()
            child.wait()
        self.assertEqual(int(out), SIZE)

    def test_nbdcopy_writes_an_image_that_opens(self):
        made = os.path.join(common.TMP, 'made.zvhd2')
        img = common.tool('qemu-img')
        common.run(img, 'create', '-f', 'zvhd2', made, str(SIZE))
        sock = os.path.join(common.TMP, 'write.sock')
        child = subprocess.Popen([common.tool('qemu-nbd'), '-f', 'zvhd2', '-k',
                                  sock, made])
        try:
            for _ in range(200):
                if os.path.exists(sock):
                    break
                subprocess.run(['sleep', '.05'])
            # as the driver's message advises: an image is written in order
            common.run('nbdcopy', '--flush', '--requests=1',
                       '--connections=1', self.raw,
                       f'nbd+unix:///?socket={sock}')
            self.assertEqual(child.wait(timeout=60), 0)
        finally:
            child.kill()
            child.wait()
        self.assertIn('identical', common.run(
            img, 'compare', '-f', 'raw', '-F', 'zvhd2', self.raw, made))
        common.run('python3', '-B', os.path.join(
            common.TOP, 'tests', 'lib', 'zvhd2ref.py'), 'check', made)


if __name__ == '__main__':
    unittest.main()
