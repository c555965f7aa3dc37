# SPDX-License-Identifier: GPL-2.0-or-later
"""The disks that are measured on, each built once below a folder.

system    8 GiB disk with a Debian system: kernel, compilers, Java
blocks    its non-zero 2 MiB blocks one after the other, what zstd gets
qcow2/vmdk/...  the same disk in other formats
sparse    1 TiB with 1 GiB of the system's data in 512 even places
small     8 GiB with the same GiB of data
random    1 GiB that no compressor makes smaller
zero      2 GiB of zeros that are there
bootable  a Debian disk that prints a line when it has started
"""
import os
import random
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'real'))
import disks                                                # noqa: E402
import servers                                              # noqa: E402

BIN = os.environ.get('BUILD_BIN', os.path.join(TOP, 'build', 'bin'))
CACHE = os.path.join(TOP, 'build', 'cache', 'bench')
GIB, MIB = 1 << 30, 1 << 20
BLOCK = 2 * MIB
# about 1.3 GiB of files as an ordinary server has them
CONTENT = ('linux-image-cloud-amd64,systemd-sysv,initramfs-tools,'
           'openssh-server,build-essential,git,python3-numpy,'
           'default-jre-headless,postgresql,perl-modules,vim')


def tool(name):
    return os.path.join(BIN, name)


def img(*argv):
    """qemu-img of the overlay, for making inputs."""
    subprocess.run([tool('qemu-img'), *argv], check=True,
                   stdout=subprocess.DEVNULL)


class Disks:
    """Paths of the disks; each is made when it is first asked for."""

    what = 'an 8 GiB disk with a Debian system'
    size = 8 * GIB
    spread_blocks = 512

    def __init__(self, folder=CACHE):
        self.folder = folder

    def once(self, name, make):
        """FOLDER/NAME, made by make(part) if it is not there."""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            os.makedirs(self.folder, exist_ok=True)
            part = path + '.part'
            if os.path.exists(part):
                os.unlink(part)
            print(f'bench: making {name}', file=sys.stderr, flush=True)
            make(part)
            os.rename(part, path)
        return path

    def make_system(self, part):
        servers.install(*disks.PACKAGES)
        tree = part + '.tree'
        shutil.rmtree(tree, ignore_errors=True)
        servers.run('mmdebstrap', '--quiet', '--variant=apt',
                    '--include=' + CONTENT, disks.suite(), tree, timeout=1800)
        with open(part, 'wb') as f:
            f.truncate(self.size)
        disks.sfdisk(part, '2048,,L,*\n')
        disks.mkfs(part, tree, MIB, self.size - MIB)
        shutil.rmtree(tree)

    def system(self):
        return self.once('system.raw', self.make_system)

    def blocks(self):
        """The non-zero blocks of the system disk."""
        def make(part):
            with open(self.system(), 'rb') as src, open(part, 'wb') as dst:
                end = os.fstat(src.fileno()).st_size
                for offset in block_offsets(self.system()):
                    piece = os.pread(src.fileno(), min(BLOCK, end - offset),
                                     offset)
                    if piece.count(0) != len(piece):
                        dst.write(piece.ljust(BLOCK, b'\0'))
        return self.once('blocks.bin', make)

    def converted(self, name, fmt, *options):
        return self.once(name, lambda part: img(
            'convert', '-O', fmt, *options, '-f', 'raw', self.system(), part))

    def qcow2(self):
        return self.converted('system.qcow2', 'qcow2')

    def vmdk(self):
        return self.converted('system.vmdk', 'vmdk', '-o',
                              'subformat=streamOptimized')

    def qcow2_zstd(self):
        return self.converted('system-zstd.qcow2', 'qcow2', '-c', '-o',
                              'compression_type=zstd,cluster_size=2M')

    def spread(self, name, size):
        """A disk of @size bytes with data in even places."""
        def make(part):
            with open(self.blocks(), 'rb') as src, open(part, 'wb') as dst:
                dst.truncate(size)
                step = size // self.spread_blocks // BLOCK * BLOCK
                for n in range(self.spread_blocks):
                    piece = src.read(BLOCK)
                    if not piece:
                        src.seek(0)
                        piece = src.read(BLOCK)
                    dst.seek(n * step)
                    dst.write(piece)
        return self.once(name, make)

    def sparse(self):
        return self.spread('sparse-1T.raw', 1 << 40)

    def small(self):
        return self.spread('sparse-8G.raw', 8 * GIB)

    def incompressible(self):
        def make(part):
            rnd = random.Random(1)
            with open(part, 'wb') as f:
                for _ in range(self.size // 8 // MIB):
                    f.write(rnd.randbytes(MIB))
        return self.once('random.raw', make)

    def zero(self):
        """Zeros that were written: a hole would cost nothing to skip."""
        def make(part):
            with open(part, 'wb') as f:
                for _ in range(self.size // 4 // MIB):
                    f.write(bytes(MIB))
        return self.once('zero.raw', make)

    def bootable(self):
        """(path, the line that the guest prints)"""
        _, proof = disks.root_tree()
        return disks.disk('bios'), 'boot-proof ' + proof


class QuickDisks(Disks):
    """Made in seconds from files of this machine: 256 MiB of data in pieces
    of 16 MiB on a disk of 1 GiB.  No packages, no root."""

    what = 'a 1 GiB disk with files of this machine'
    size = GIB
    spread_blocks = 128
    data, piece = 256 * MIB, 16 * MIB

    def make_system(self, part):
        def pieces():
            for top in '/usr/bin', '/usr/lib':
                for where, folders, names in os.walk(top):
                    folders.sort()
                    for name in sorted(names):
                        path = os.path.join(where, name)
                        if os.path.isfile(path) and not os.path.islink(path):
                            with open(path, 'rb') as f:
                                while data := f.read(MIB):
                                    yield data

        written = 0
        with open(part, 'wb') as f:
            f.truncate(self.size)
            for data in pieces():
                data = data[:self.data - written]
                at = written // self.piece * self.piece
                f.seek(at * (self.size // self.data) + written - at)
                f.write(data)
                written += len(data)
                if written == self.data:
                    return
        raise RuntimeError(f'/usr has less than {self.data // MIB} MiB')


def block_offsets(path):
    """Offsets of the blocks that any data extent touches, ascending."""
    seen = -1
    for offset, length in disks.extents(path):
        first = max(offset // BLOCK, seen + 1)
        last = (offset + length - 1) // BLOCK
        for n in range(first, last + 1):
            yield n * BLOCK
        seen = max(seen, last)


def warm(*paths):
    """Brings the data of files into the page cache."""
    for path in paths:
        with open(path, 'rb', buffering=0) as f:
            for offset, length in disks.extents(path):
                at = offset
                while at < offset + length:
                    n = len(os.pread(f.fileno(), 4 * MIB, at))
                    if not n:
                        break
                    at += n
