#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Debian guest boots straight from the bucket: its disk is converted to
ZVHD2, uploaded to Ceph's gateway by obs-push, opened lazily over http by the
overlay's daemon and run by the distribution's own QEMU."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common                                               # noqa: E402
import disks                                                # noqa: E402
import relay                                                # noqa: E402
import servers                                              # noqa: E402

OVMF = '/usr/share/ovmf/OVMF.fd'
# A guest hops between files, so blocks are read again and again: keep enough of
# them.  Records are read whole, so reading ahead of them is wasted.
LAZY = {'zvhd2': {'cache-size': 256 << 20}, 'http': {'readahead': 0}}


class Boot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.install('qemu-system-x86', 'qemu-utils', 'ovmf', 'seabios')
        cls.rgw = servers.Rgw(memory=4 << 30)
        cls.rgw.__enter__()
        cls.addClassCleanup(cls.rgw.stop)
        cls.rgw.bucket('guests')

    def boot_from_bucket(self, layout, firmware, daemon):
        raw = disks.disk(layout)
        _, proof = disks.root_tree()
        image = os.path.join(common.TMP, f'{layout}.zvhd2')
        common.run(common.tool('qemu-img'), 'convert', '-O', 'zvhd2', raw,
                   image)
        common.push(self.rgw, 'upload', image, f'obs://guests/{layout}.zvhd2',
                    '--acl', 'public-read')
        size = os.path.getsize(image)
        os.unlink(image)                # from here on there is the bucket only
        with relay.Relay(self.rgw.port) as counted:
            url = f'http://127.0.0.1:{counted.port}/guests/{layout}.zvhd2'
            node = {'driver': 'zvhd2', **LAZY['zvhd2'],
                    'file': {'driver': 'http', 'url': url, **LAZY['http']}}
            with common.Export(node, daemon) as export:
                top = os.path.join(common.TMP, 'top.qcow2')
                # the distribution's own tool: a stock NBD client
                common.run('/usr/bin/qemu-img', 'create', '-q', '-f', 'qcow2',
                           '-F', 'raw', '-b', export.uri, top)
                seconds, line = common.boot(f'file={top},if=virtio',
                                            'boot-proof ', firmware)
            fetched = counted.received
        self.assertEqual(line.split()[-1], proof)
        disk = os.path.getsize(raw)
        print(f'{layout}: booted from the bucket in {seconds:.0f} s; fetched '
              f'{fetched / 2**20:.1f} MiB = {100 * fetched / size:.0f} % of '
              f'the {size / 2**20:.0f} MiB image, '
              f'{100 * fetched / disk:.1f} % of the disk', flush=True)
        # lazy means less than all of it
        self.assertLess(fetched, size)

    def test_bios_server_boots_lazily_from_the_bucket(self):
        self.boot_from_bucket('server', None, 'qemu-storage-daemon')

    def test_uefi_guest_boots_lazily_from_the_bucket(self):
        self.boot_from_bucket('uefi', OVMF, 'qemu-nbd')


if __name__ == '__main__':
    unittest.main()
