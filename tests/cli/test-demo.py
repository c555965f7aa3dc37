#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/demo takes somebody's image all the way and says so."""
import hashlib
import os
import random
import subprocess
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get('BUILD_BIN', os.path.join(TOP, 'build', 'bin'))
TMP = os.environ.get('TEST_TMP', '/tmp')


def demo(*argv):
    return subprocess.run([os.path.join(TOP, 'tools', 'demo'), *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600)


class Demo(unittest.TestCase):
    def test_a_users_qcow2_goes_all_the_way(self):
        raw = os.path.join(TMP, 'my disk.raw')
        with open(raw, 'wb') as f:
            f.write(random.Random(5).randbytes(3 << 20))
            f.truncate(40 << 20)
        image = os.path.join(TMP, 'my disk.qcow2')
        subprocess.run([os.path.join(BIN, 'qemu-img'), 'convert', '-O',
                        'qcow2', raw, image], check=True)
        with open(image, 'rb') as f:
            before = hashlib.sha256(f.read()).hexdigest()
        p = demo(image)
        self.assertEqual(p.returncode, 0, p.stdout)
        self.assertEqual(p.stdout.count('Images are identical.'), 2, p.stdout)
        self.assertIn('independent reader: no finding', p.stdout)
        self.assertRegex(p.stdout, r'image +[0-9a-f-]+ +demo-\d+ +active')
        self.assertRegex(p.stdout, r'reading 4 KiB took \d+ range requests')
        with open(image, 'rb') as f:
            self.assertEqual(hashlib.sha256(f.read()).hexdigest(), before)

    def test_what_is_no_image_is_one_line_and_a_failure(self):
        p = demo(os.path.join(TMP, 'is-not-there'))
        self.assertNotEqual(p.returncode, 0)
        self.assertIn('is-not-there', p.stdout.splitlines()[-1])
        p = demo('--no-such-option')
        self.assertEqual(p.returncode, 2)


if __name__ == '__main__':
    unittest.main()
