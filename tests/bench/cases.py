# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured against what: one function a case, P1 to P11.

Each returns a Case: contestants that ran in the same rounds (ours first), and
the goals.  Inputs are warm in the page cache; outputs go to memory, so that
the disk of the machine is not what is measured.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile

import data                     # also finds the modules of tests/real
import measure
from measure import Case, Contestant

import common                   # also finds those of tests/lib
import relay
import servers
import uploads
import webserver

MIB, GIB = 1 << 20, 1 << 30
tool = data.tool


class Lazily:
    """An image on a web server behind a relay that counts; @node opens it."""

    def __init__(self, image, zvhd2=(), http=()):
        self.folder, self.name = os.path.split(image)
        self.options = dict(zvhd2), dict(http)

    def __enter__(self):
        self.server = webserver.WebServer(self.folder)
        self.relay = relay.Relay(self.server.server_address[1])
        self.relay.__enter__()
        zvhd2, http = self.options
        self.node = {'driver': 'zvhd2', **zvhd2, 'file': {
            'driver': 'http', **http,
            'url': f'http://127.0.0.1:{self.relay.port}/{self.name}'}}
        return self

    def fetched(self):
        """Bytes that came over the wire so far, headers included."""
        return self.relay.received

    def __exit__(self, *_):
        self.relay.__exit__()
        self.server.stop()


class Bench:
    """Scratch space in memory, disks, number of rounds; cases as methods."""

    def __init__(self, disks, rounds, quick=False):
        base = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix='bench-', dir=base)
        self.disks, self.rounds, self.quick = disks, rounds, quick
        self.upload_size = 256 * MIB if quick else 3 * GIB

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def out(self, name):
        return os.path.join(self.dir, name)

    def folder(self, name):
        os.makedirs(self.out(name), exist_ok=True)
        return self.out(name)

    def convert(self, name, src, fmt, *options, before=None, src_fmt=None,
                dst=None, **more):
        """A qemu-img convert into memory; the target is new each time."""
        target = self.out(dst or 'out.' + name.replace(' ', '-'))

        def fresh():
            if os.path.exists(target):
                os.unlink(target)
            if before:
                before()
        argv = [tool('qemu-img'), 'convert']
        if src_fmt:
            argv += ['-f', src_fmt]
        return Contestant(name, argv + ['-O', fmt, *options, src, target],
                          fresh, **more)

    def run(self, *contestants, rounds=None, warmup=1):
        measure.compare(contestants, rounds or self.rounds, warmup)
        for name in os.listdir(self.dir):
            if name.startswith('out.'):
                os.unlink(self.out(name))
        return list(contestants)

    def kept(self, name, *argv):
        """A file made once by our qemu-img, kept in memory for some cases."""
        path = self.out(name)
        if not os.path.exists(path):
            data.img(*argv, path)
        return path

    def zvhd2(self):
        return self.kept('system.zvhd2', 'convert', '-O', 'zvhd2', '-f', 'raw',
                         self.disks.system())

    def codec_alone(self, direction):
        """Notes: what libzstd by itself takes for the same blocks on one CPU,
        just then; most of what any writer or reader of them takes."""
        if self.quick:
            return []
        out = subprocess.run(['zstd', '-b3', '-i2', '-B2097152',
                              self.disks.blocks()], check=True, text=True,
                             stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT).stdout
        speed = float(re.findall(r'([0-9.]+) MB/s', out)[
            {'compress': -2, 'expand': -1}[direction]]) * 1e6
        seconds = os.path.getsize(self.disks.blocks()) / speed
        return [f'libzstd alone takes {seconds:.2f} CPU s to {direction} '
                'these blocks (zstd -b3 in memory)']

    # --- the cases ---

    def p1(self):
        work = os.path.getsize(self.disks.blocks())
        data.warm(self.disks.system(), self.disks.blocks())
        ours, theirs = self.run(
            self.convert('zvhd2', self.disks.system(), 'zvhd2', src_fmt='raw',
                         work=work),
            Contestant('zstd -3 -T2', ['zstd', '-q', '-f', '-3', '-T2',
                                       self.disks.blocks(), '-o',
                                       self.out('out.zst')], work=work))
        return Case('P1', 'raw -> zvhd2 against zstd -3 -T2 on the same '
                    'non-zero blocks', [ours, theirs],
                    [('wall', ours, theirs, 'wall', 1.10),
                     ('CPU', ours, theirs, 'cpu', 1.10)])

    def p2(self):
        data.warm(self.disks.qcow2())
        work = os.path.getsize(self.disks.blocks())
        ours, theirs = self.run(
            self.convert('qcow2 to zvhd2', self.disks.qcow2(), 'zvhd2',
                         work=work),
            self.convert('qcow2 to qcow2-zstd', self.disks.qcow2(), 'qcow2',
                         '-c', '-W', '-m', '16', '-o',
                         'compression_type=zstd,cluster_size=2M', work=work))
        return Case('P2', 'qcow2 -> zvhd2 against convert -c -W -m 16 to '
                    'qcow2 with zstd and 2 MiB clusters', [ours, theirs],
                    [('wall', ours, theirs, 'wall', 0.80)],
                    self.codec_alone('compress'))

    def p3(self):
        work = os.path.getsize(self.disks.blocks())
        packed = self.out('blocks.zst')
        subprocess.run(['zstd', '-q', '-f', '-3', '-T2', self.disks.blocks(),
                        '-o', packed], check=True)
        qcow2 = self.disks.qcow2_zstd()
        image = self.zvhd2()
        data.warm(qcow2)
        ours, theirs, other = self.run(
            self.convert('zvhd2 to raw', image, 'raw', work=work),
            Contestant('zstd -d', ['zstd', '-q', '-f', '-d', packed, '-o',
                                   self.out('out.blocks')], work=work),
            self.convert('qcow2-zstd to raw', qcow2, 'raw', work=work))
        os.unlink(packed)
        return Case('P3', 'zvhd2 -> raw against zstd -d of the same blocks '
                    'and qcow2-zstd -> raw', [ours, theirs, other],
                    [('wall against zstd -d', ours, theirs, 'wall', 0.80),
                     ('wall against qcow2', ours, other, 'wall', 0.60)],
                    self.codec_alone('expand'))

    def p4(self):
        # a disk that is all data, else most reads would hit zeros
        image = self.kept('dense.zvhd2', 'convert', '-O', 'zvhd2', '-f', 'raw',
                          self.disks.blocks())
        qcow2 = self.kept('dense.qcow2', 'convert', '-c', '-O', 'qcow2', '-o',
                          'compression_type=zstd,cluster_size=2M', '-f', 'raw',
                          self.disks.blocks())
        count = 400 if self.quick else 1500
        goals, contestants = [], []
        # a stride that visits the blocks in no order, and a plain stream
        for kind, size, step, number in (
                ('random 4k', 4096, 4096 * 100003, count),
                ('sequential 64k', 65536, 65536, count * 4)):
            pair = self.run(*[
                Contestant(f'{kind} {fmt}', [
                    tool('qemu-img'), 'bench', '-f', fmt, '-c', str(number),
                    '-d', '8', '-s', str(size), '-S', str(step), path],
                    work=number * size)
                for fmt, path in (('zvhd2', image), ('qcow2', qcow2))])
            contestants += pair
            goals.append((f'{kind}: time', *pair, 'wall', 1 / 1.5))
        return Case('P4', 'reads by qemu-img bench against qcow2 with zstd '
                    'and 2 MiB clusters', contestants, goals)

    def p5(self):
        data.warm(self.disks.system())
        bitmap = self.out('out.mf')

        def gone():
            if os.path.exists(bitmap):
                os.unlink(bitmap)
        ours, theirs = self.run(
            self.convert('raw with bitmap', self.disks.system(), 'raw', '-o',
                         f'bitmap={bitmap}', src_fmt='raw', before=gone),
            self.convert('raw', self.disks.system(), 'raw', src_fmt='raw'),
            rounds=self.rounds * 2)
        return Case('P5', 'convert -O raw -o bitmap= against the same without',
                    [ours, theirs], [('wall', ours, theirs, 'wall', 1.03)])

    def p6(self):
        data.warm(self.disks.blocks())
        work = os.path.getsize(self.disks.blocks())
        ours, theirs = self.run(
            Contestant('obs-push bitmap', [
                tool('obs-push'), 'bitmap', '--force', '--quiet',
                self.disks.blocks(), self.out('out.mf')], work=work),
            Contestant('cat', ['sh', '-c', f'cat "{self.disks.blocks()}" '
                               '>/dev/null'], work=work))
        return Case('P6', 'obs-push bitmap of a cached RAW against cat of the '
                    'data', [ours, theirs],
                    [('wall', ours, theirs, 'wall', 1.2)])

    def p7(self):
        big, small = self.disks.sparse(), self.disks.small()
        data.warm(big, small)
        pairs, goals = [], []
        for what, make in (
                ('convert', lambda n, s: self.convert(
                    n, s, 'zvhd2', src_fmt='raw', dst='out.p7.' + n)),
                ('bitmap', lambda n, s: Contestant(n, [
                    tool('obs-push'), 'bitmap', '--force', '--quiet', s,
                    self.out('out.mf')]))):
            pair = self.run(make(f'{what} 1T', big), make(f'{what} 8G', small))
            pairs += pair
            goals.append((what, *pair, 'wall', 1.5))
        return Case('P7', 'a sparse 1 TiB disk with 1 GiB of data against 8 '
                    'GiB with the same data', pairs, goals)

    def p8(self):
        return uploads.p8(self)

    def p9(self):
        """What opening, one read and a boot take from a web server."""
        notes = []
        image = self.zvhd2()
        with Lazily(image) as lazily:
            subprocess.run([tool('qemu-io'), '-r', '-c', 'read 1M 4k',
                            'json:' + json.dumps(lazily.node)], check=True,
                           stdout=subprocess.DEVNULL)
            fetched = lazily.fetched()
        share = 100 * fetched / os.path.getsize(image)
        notes.append(f'open and first 4 KiB: {fetched / MIB:.2f} MiB of '
                     f'{os.path.getsize(image) / MIB:.0f} MiB over the wire, '
                     f'{share:.2f} % (goal < 1 %): '
                     f'{"reached" if share < 1 else "MISSED"}')
        if not self.quick:
            notes.append(self.boot('defaults'))
            # records are read whole: reading ahead of them is wasted
            notes.append(self.boot('readahead=0', http={'readahead': 0}))
            notes.append(self.boot('readahead=0, cache-size=256M',
                                   {'cache-size': 256 * MIB},
                                   {'readahead': 0}))
        return Case('P9', 'opening lazily over http', [], [], notes)

    def boot(self, what, zvhd2=(), http=()):
        servers.install('qemu-system-x86', 'qemu-utils', 'seabios')
        raw, line = self.disks.bootable()
        image = self.kept('bootable.zvhd2', 'convert', '-O', 'zvhd2', '-f',
                          'raw', raw)
        with Lazily(image, zvhd2, http) as lazily, \
                common.Export(lazily.node) as export:
            top = self.out('top.qcow2')
            data.img('create', '-q', '-f', 'qcow2', '-F', 'raw', '-b',
                     export.uri, top)
            seconds, _ = common.boot(f'file={top},if=virtio', line)
            fetched = lazily.fetched()
        size = os.path.getsize(image)
        return (f'boot of a Debian guest, {what}: {seconds:.0f} s, '
                f'{fetched / MIB:.0f} MiB of {size / MIB:.0f} MiB over the '
                f'wire, {100 * fetched / size:.0f} %')

    def p10(self):
        """Peak memory with different sizes."""
        large = self.out('upload-8G.bin')
        little = self.out('upload-256M.bin')
        for path, size in (large, 8 * GIB), (little, 256 * MIB):
            with open(path, 'wb') as f:
                f.truncate(size)
        with uploads.Sink() as sink:
            runs = self.run(
                self.convert('convert 8G', self.disks.system(), 'zvhd2',
                             src_fmt='raw'),
                self.convert('convert 1T', self.disks.sparse(), 'zvhd2',
                             src_fmt='raw'),
                self.convert('expand 8G', self.zvhd2(), 'raw'),
                Contestant('obs-push bitmap 1T', [
                    tool('obs-push'), 'bitmap', '--force', '--quiet',
                    self.disks.sparse(), self.out('out.mf')]),
                *[uploads.Clients(sink, path, self.folder(name)).obs_push(name)
                  for name, path in (('obs-push upload 8G', large),
                                     ('obs-push upload 256M', little))],
                rounds=2)
        notes = []
        for c in runs:
            most = 100 if 'obs-push' in c.name else 200
            peak = measure.median(c, 'memory') / 1024
            notes.append(f'{c.name}: {peak:.0f} MiB (goal {most}): '
                         f'{"reached" if peak <= most else "MISSED"}')
        return Case('P10', 'peak memory', runs, [], notes)

    def p11(self):
        """One CPU with one worker against two with two."""
        data.warm(self.disks.system())
        one, two, narrow = self.run(*[
            Contestant(name, prefix + c.argv, c.before)
            for name, prefix, c in (
                ('1 CPU', ['taskset', '-c', '0'], self.convert(
                    '1 CPU', self.disks.system(), 'zvhd2', src_fmt='raw')),
                ('2 CPUs', ['taskset', '-c', '0,1'], self.convert(
                    '2 CPUs', self.disks.system(), 'zvhd2', src_fmt='raw')),
                ('1 worker on 2 CPUs', ['taskset', '-c', '0,1'], self.convert(
                    '1 worker', self.disks.system(), 'zvhd2', '-o',
                    'threads=1', src_fmt='raw')))])
        return Case('P11', 'one CPU against two', [one, two, narrow],
                    [('time', two, one, 'wall', 1 / 1.85)])

    def inputs(self):
        """Other inputs than the RAW disk, beside qcow2 as the target."""
        runs, goals = [], []
        for name, path, fmt in (
                ('vmdk', self.disks.vmdk(), 'vmdk'),
                ('incompressible', self.disks.incompressible(), 'raw'),
                ('zeros', self.disks.zero(), 'raw')):
            data.warm(path)
            work = os.path.getsize(self.disks.blocks()) if name == 'vmdk' \
                else os.path.getsize(path)
            pair = self.run(
                self.convert(f'{name} to zvhd2', path, 'zvhd2', src_fmt=fmt,
                             work=work),
                self.convert(f'{name} to qcow2-zstd', path, 'qcow2', '-c',
                             '-W', '-m', '16', '-o',
                             'compression_type=zstd,cluster_size=2M',
                             src_fmt=fmt, work=work))
            runs += pair
            # of zeros both only read and look: equal, give or take the noise
            goals.append((f'{name}: wall', *pair, 'wall',
                          1.1 if name == 'zeros' else 1))
        return Case('inputs', 'other inputs -> zvhd2 against qcow2 with zstd '
                    'and 2 MiB clusters', runs, goals)

    def levels(self):
        """Size and speed of the compression levels on the same data."""
        runs, notes, points = [], [], []
        work = os.path.getsize(self.disks.blocks())
        data.warm(self.disks.system())
        for level in (1, 3, 9) if self.quick else (1, 3, 9, 19):
            name = f'level {level}'
            target = self.out(f'level-{level}')
            c, = self.run(Contestant(name, [
                tool('qemu-img'), 'convert', '-O', 'zvhd2', '-o',
                f'compression_level={level}', '-f', 'raw', self.disks.system(),
                target], work=work), rounds=1, warmup=0)
            size = os.path.getsize(target)
            os.unlink(target)
            points.append((level, size, work, measure.median(c, 'wall')))
            notes.append(f'{name}: {size / MIB:.0f} MiB, '
                         f'{100 * size / work:.1f} % of the data, '
                         f'{work / MIB / measure.median(c, "wall"):.0f} MiB/s')
            runs.append(c)
        return Case('levels', 'compression levels, same data', runs, [], notes,
                    points)
