#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks with the layouts that people bring (ext4 + GRUB for BIOS, GPT + UEFI,
LVM) through ZVHD2 and back: the same bytes, a clean file system, the same
files when the kernel mounts what came back."""
import hashlib
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import disks                                                # noqa: E402
import servers                                              # noqa: E402


def file_hashes(folder):
    """{path: (mode, owner, hash or target)} of a tree; no special files."""
    found = {}
    for where, dirs, files in os.walk(folder):
        for name in files + [d for d in dirs
                             if os.path.islink(os.path.join(where, d))]:
            path = os.path.join(where, name)
            stat = os.lstat(path)
            if os.path.islink(path):
                what = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, 'rb') as f:
                    what = hashlib.sha256(f.read()).hexdigest()
            else:
                continue
            key = os.path.relpath(path, folder)
            found[key] = (stat.st_mode, stat.st_uid, stat.st_gid, what)
    return found


class Disks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.install('qemu-utils', 'e2fsprogs', 'mount')
        cls.tree, _ = disks.root_tree()
        cls.files = file_hashes(cls.tree)

    def round_trip(self, layout):
        raw = disks.disk(layout)
        img = common.tool('qemu-img')
        image = os.path.join(common.TMP, layout + '.zvhd2')
        back = os.path.join(common.TMP, layout + '.back.raw')
        common.run(img, 'convert', '-O', 'zvhd2', raw, image)
        common.run('python3', '-B', os.path.join(
            common.TOP, 'tests', 'lib', 'zvhd2ref.py'), 'check', image)
        common.run(img, 'convert', '-O', 'raw', image, back)
        # the distribution's own tool is the judge
        common.run('/usr/bin/qemu-img', 'compare', '-f', 'raw', '-F', 'raw',
                   raw, back)
        offset = disks.root_offset(layout)
        part = f'{back}?offset={offset}'
        common.run('e2fsck', '-fn', part)
        mount = os.path.join(common.TMP, 'mnt')
        os.makedirs(mount, exist_ok=True)
        common.run('mount', '-o', f'ro,noload,loop,offset={offset}', back,
                   mount)
        try:
            mounted = file_hashes(mount)
        finally:
            common.run('umount', mount)
        self.assertEqual(len(mounted), len(self.files))
        wrong = [k for k in self.files if mounted.get(k) != self.files[k]]
        self.assertEqual(wrong, [])
        for name in image, back:
            os.unlink(name)

    def test_bios_ext4(self):
        self.round_trip('bios')

    def test_uefi_gpt(self):
        self.round_trip('uefi')

    def test_lvm(self):
        self.round_trip('lvm')


if __name__ == '__main__':
    unittest.main()
