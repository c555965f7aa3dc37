#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The README's two commands on machines that have nothing but git.

A bare Debian 12 and a bare Debian 13 root are made, the committed state of
this checkout is cloned there by an ordinary user with sudo, who then runs
tools/demo, the same again, when nothing may be fetched or built, and
tools/run-tests.  Long: most of an hour for each.  Needs root; the roots are
made below build/fresh and removed when all is well.
"""
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers                                              # noqa: E402

USER = 'user'
BINDS = 'proc', 'sys', 'dev', 'dev/pts'


class Fresh(unittest.TestCase):
    def machine(self, suite):
        servers.need_root('machines are made and entered with chroot')
        servers.install('mmdebstrap', 'debian-archive-keyring')
        root = os.path.join(servers.TOP, 'build', 'fresh', suite)
        os.makedirs(os.path.dirname(root), exist_ok=True)
        self.unmount(root)
        subprocess.run(['rm', '-rf', '--one-file-system', root], check=True)
        servers.run('mmdebstrap', '--quiet', '--variant=apt',
                    '--include=git,sudo,passwd', suite, root, timeout=900)
        with open(root + '/usr/sbin/policy-rc.d', 'w') as f:
            f.write('#!/bin/sh\nexit 101\n')
        os.chmod(root + '/usr/sbin/policy-rc.d', 0o755)
        # how this machine reaches others: names, and authorities of its own
        for name in ('etc/resolv.conf', 'usr/local/share/ca-certificates'):
            if os.path.exists('/' + name):
                servers.run('cp', '-rLT', '/' + name, f'{root}/{name}')
        with open(root + '/etc/hosts', 'w') as f:
            f.write('127.0.0.1 localhost\n')
        with open(root + '/etc/sudoers.d/' + USER, 'w') as f:
            f.write(f'{USER} ALL=(ALL) NOPASSWD: ALL\n')
        servers.run('chroot', root, 'useradd', '-m', '-s', '/bin/bash', USER)
        for name in BINDS:
            servers.run('mount', '--bind', '/' + name, f'{root}/{name}')
        servers.run('mount', '-t', 'tmpfs', 'tmpfs', root + '/dev/shm')
        self.addCleanup(self.unmount, root)
        # a bundle is all that the clone needs of this checkout
        servers.run('git', '-C', servers.TOP, 'bundle', 'create', '-q',
                    root + '/project.bundle', 'HEAD')
        os.chmod(root + '/project.bundle', 0o644)
        return root

    @staticmethod
    def unmount(root):
        subprocess.run(['umount', '-q', root + '/dev/shm'],
                       stderr=subprocess.DEVNULL)
        for name in reversed(BINDS):
            subprocess.run(['umount', '-q', f'{root}/{name}'],
                           stderr=subprocess.DEVNULL)

    def as_user(self, root, script, name):
        """Runs a script as the new user would; returns (seconds, output)."""
        start = time.monotonic()
        p = subprocess.run(
            ['chroot', root, 'env', '-i', 'TERM=dumb', 'LANG=C.UTF-8',
             'PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games',
             f'HOME=/home/{USER}', f'USER={USER}',
             'setpriv', f'--reuid={USER}', f'--regid={USER}', '--init-groups',
             'bash', '-euc', script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors='replace',
            timeout=5400)
        seconds = time.monotonic() - start
        self.assertEqual(p.returncode, 0, f'{name}:\n{p.stdout[-8000:]}')
        print(f'{name}: {seconds:.0f} s', flush=True)
        return seconds, p.stdout

    def two_commands(self, suite):
        root = self.machine(suite)
        self.as_user(root, 'cd ~; git clone -q /project.bundle project',
                     f'{suite}: clone')
        where = 'cd ~/project; '
        first, out = self.as_user(root, where + 'tools/demo',
                                  f'{suite}: tools/demo')
        print(out[-3000:])
        again, _ = self.as_user(root, where + 'tools/demo',
                                f'{suite}: tools/demo again')
        self.assertLess(again, first)
        _, out = self.as_user(root, where + 'tools/run-tests',
                              f'{suite}: tools/run-tests')
        self.assertRegex(out.splitlines()[-1], r'^\d+ passed, 0 failed')
        print(out.splitlines()[-1])
        self.unmount(root)
        subprocess.run(['rm', '-rf', '--one-file-system', root], check=True)

    def test_debian_12(self):
        self.two_commands('bookworm')

    def test_debian_13(self):
        self.two_commands('trixie')


if __name__ == '__main__':
    unittest.main()
