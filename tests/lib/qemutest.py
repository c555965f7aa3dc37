# SPDX-License-Identifier: GPL-2.0-or-later
"""What the driver tests share: a test case bound to one QEMU build.

A test module decorates its classes with @per_build and ends with main().
Every class then runs once for each folder in $QEMU_MATRIX (default
$BUILD_BIN, default <repo>/build/bin).  With QUICK=1 methods marked @slow are
left out, for the second and further builds of a long run.

Nothing here asserts a time: a timeout only turns a hang into a failure.
"""

import functools
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
VECTORS = os.path.join(os.path.dirname(REPO), 'shared', 'vectors', 'zvhd2')
QUICK = os.environ.get('QUICK', '') not in ('', '0')
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
# an answer of one line, and no sign of a crash behind it
CRASH = re.compile(r'Assertion|core dumped|AddressSanitizer|backtrace', re.I)


def build_bin():
    return os.environ.get('BUILD_BIN') or os.path.join(REPO, 'build', 'bin')


def builds():
    return os.environ.get('QEMU_MATRIX', '').split() or [build_bin()]


def scratch_root():
    root = os.environ.get('TEST_TMP') or os.path.join(REPO, 'build',
                                                      'tests-tmp')
    os.makedirs(root, exist_ok=True)
    return root


def slow(method):
    method.slow = True
    return method


def per_build(cls):
    """Replaces cls by one subclass per build, in cls's module."""
    module, made, used = sys.modules[cls.__module__], [], set()
    skip = {name: None for name in dir(cls)
            if QUICK and getattr(getattr(cls, name), 'slow', False)}
    folders = builds()
    for n, folder in enumerate(folders):
        label = re.sub(r'\W+', '_', os.path.relpath(folder, REPO))
        name = cls.__name__ if len(folders) == 1 else f'{cls.__name__}_{label}'
        name = name if name not in used else f'{name}_{n}'
        used.add(name)
        sub = type(name, (cls,), {'bin': os.path.abspath(folder), **skip})
        sub.__module__, sub.__doc__ = cls.__module__, cls.__doc__
        sub.__qualname__ = name
        setattr(module, name, sub)
        made.append(sub)
    # the loader finds each under its own name, so cls's must not be one more
    return made[0] if len(made) == 1 else None


def main():
    unittest.main(verbosity=1)


def shorten(text, limit):
    if len(text) <= limit:
        return text
    return f'{text[:limit // 2]} [...] {text[-limit // 2:]}'


class Result:
    def __init__(self, argv, rc, out, err, maxrss=None):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err
        self.maxrss = maxrss

    def __str__(self):
        return (f'{shorten(" ".join(self.argv), 1500)}\nexit {self.rc}\n'
                f'{shorten(self.out, 2000)}{shorten(self.err, 2000)}')


# The peak of a process's memory is inherited over fork and exec, so a small
# process of its own starts the one to be measured.
MEASURE = '''
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
rc = os.waitstatus_to_exitcode(status)
print(f"\\nmaxrss={usage.ru_maxrss} rc={rc}")
'''


class QemuCase(unittest.TestCase):
    bin = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='zvhd2-', dir=scratch_root())
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    # --- running programs ---

    def run_it(self, *argv, rc=0, timeout=120, **popen):
        """Runs argv; rc is the exit code wanted, None for any but a signal."""
        argv = [str(a) for a in argv]
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True, **popen)
        try:
            out, err = p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.communicate()
            self.fail(f'hangs for {timeout} s: '
                      f'{shorten(" ".join(argv), 1500)}')
        r = Result(argv, p.returncode, out.decode(errors='replace'),
                   err.decode(errors='replace'))
        if r.rc < 0 or CRASH.search(r.err):
            self.fail(f'crash: {r}')
        if rc is not None and r.rc != rc:
            self.fail(f'exit {r.rc}, not {rc}: {r}')
        return r

    def tool(self, name):
        return os.path.join(self.bin, name)

    def img(self, *argv, **kw):
        return self.run_it(self.tool('qemu-img'), *argv, **kw)

    def img_fails(self, *argv, match='.', **kw):
        """qemu-img must fail with one line that matches; returns it."""
        r = self.img(*argv, rc=None, **kw)
        self.assertNotEqual(r.rc, 0, f'should fail: {r}')
        lines = [li for li in r.err.splitlines() if li.strip()]
        self.assertEqual(len(lines), 1, f'one line wanted: {r}')
        self.assertRegex(lines[0], match, str(r))
        return lines[0]

    def io(self, image, *commands, opts=(), rc=0, fmt='zvhd2', **kw):
        """qemu-io with commands, read-only unless one of them writes.

        image may be an --image-opts text: then say so in opts, and no fmt.
        """
        argv = [self.tool('qemu-io'), *opts]
        if not any('write' in c for c in commands):
            argv += ['-r']
        if fmt:
            argv += ['-f', fmt]
        for c in commands:
            argv += ['-c', c]
        return self.run_it(*argv, image, rc=rc, **kw)

    def measured(self, *argv, rc=0, **kw):
        """Like run_it; maxrss (bytes) of the program in the result."""
        r = self.run_it(sys.executable, '-S', '-c', MEASURE, *argv, **kw)
        m = re.search(r'\nmaxrss=(\d+) rc=(-?\d+)\n$', r.out)
        r = Result(r.argv[4:], int(m[2]), r.out[:m.start()], r.err,
                   int(m[1]) * KIB)
        if r.rc < 0 or CRASH.search(r.err):
            self.fail(f'crash: {r}')
        if rc is not None and r.rc != rc:
            self.fail(f'exit {r.rc}, not {rc}: {r}')
        return r

    def start(self, *argv, ready=None, **popen):
        """A server, stopped after the test; ready() true means it is up."""
        p = subprocess.Popen([str(a) for a in argv],
                             stdin=subprocess.DEVNULL, **popen)
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        for _ in range(600):
            if ready is None or ready():
                return p
            if p.poll() is not None:
                self.fail(f'{argv[0]} ended with {p.returncode}')
            time.sleep(0.02)
        self.fail(f'{argv[0]} does not get ready')

    def qemu_nbd(self, image, *opts, fmt='zvhd2'):
        """Exports image until the test's end; returns its nbd URI."""
        sock = self.socket_path()
        self.start(self.tool('qemu-nbd'), '-k', sock, '-f', fmt, *opts, image,
                   ready=lambda: os.path.exists(sock))
        return f'nbd+unix:///?socket={sock}'

    def socket_path(self):
        """A new name for a socket, which must be short."""
        folder = tempfile.mkdtemp(prefix='zq')
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return os.path.join(folder, 's')

    # --- images ---

    def vector(self, name):
        """A vendor-written image, expanded; skips without ../shared."""
        packed = os.path.join(VECTORS, f'{name}.zvhd2.zst')
        if not os.path.exists(packed):
            self.skipTest('no vendor images (../shared/vectors)')
        out = self.path(f'{name}.zvhd2')
        self.run_it('zstd', '-qd', '--sparse', packed, '-o', out)
        return out

    def convert(self, source, target, *opts, fmt='zvhd2', src_fmt=None, **kw):
        if src_fmt:
            opts = ('-f', src_fmt, *opts)
        return self.img('convert', *opts, '-O', fmt, source, target, **kw)

    def exact(self, image, **opts):
        """--image-opts text that shows the original size."""
        more = ''.join(f',{k.replace("_", "-")}={v}' for k, v in opts.items())
        return ('driver=zvhd2,guest-size=exact,file.driver=file,'
                f'file.filename={image}{more}')

    def to_raw(self, image, name='back.raw', exact=True, **kw):
        """Reads a ZVHD2 image back; returns the raw file's path."""
        out = self.path(name)
        if exact:
            self.img('convert', '--image-opts', self.exact(image),
                     '-O', 'raw', out, **kw)
        else:
            self.img('convert', '-f', 'zvhd2', '-O', 'raw', image, out, **kw)
        return out

    def info(self, image, *opts):
        return json.loads(self.img('info', '--output=json', *opts, image).out)

    def details(self, image, *opts):
        """The format-specific part of qemu-img info."""
        return self.info(image, *opts)['format-specific']['data']

    def assert_refused(self, image, match='.'):
        """No reader may take it for an image."""
        self.img_fails('info', '-f', 'zvhd2', image, match=match)
        self.img_fails('convert', '-f', 'zvhd2', '-O', 'raw', image,
                       self.path('refused.raw'))
        return self.io(image, 'read 0 512', rc=1)

    def assert_same_disk(self, image, raw, src_fmt='raw'):
        """image (ZVHD2) holds what raw holds, by QEMU and by hash."""
        self.img('compare', '-f', src_fmt, '-F', 'zvhd2', raw, image)
        if src_fmt == 'raw':
            self.assertEqual(sparse_digest(self.to_raw(image)),
                             sparse_digest(raw))


def contents(path):
    with open(path, 'rb') as f:
        return f.read()


# --- data ------------------------------------------------------------------

@functools.cache
def words():
    rng = random.Random(7)
    return [''.join(rng.choices('abcdefghijklmnopqrstuvwxyz',
                                k=rng.randint(2, 9))).encode()
            for _ in range(1000)]


def some_data(rng, length):
    """Bytes of a random kind, not all of them zero."""
    kind = rng.choice(('text', 'noise', 'repeat', 'islands'))
    if kind == 'text':
        chosen = rng.choices(words(), k=min(length // 6 + 1, 20000))
        data = b' '.join(chosen)
        data = (data * (length // len(data) + 1))[:length]
    elif kind == 'noise':
        data = rng.randbytes(length)
    elif kind == 'repeat':
        pattern = rng.randbytes(rng.choice((1, 7, 512, 4096)))
        data = (pattern * (length // len(pattern) + 1))[:length]
    else:
        data = bytearray(length)
        for _ in range(4):
            data[rng.randrange(length)] = rng.randrange(1, 256)
    # short noise, or the pattern, may be zeros by chance: about 1 in 4000
    return bytes(data) if data.count(0) < length else some_data(rng, length)


def make_raw(path, size, extents=()):
    """A sparse raw disk: extents are (offset, bytes)."""
    with open(path, 'wb') as f:
        f.truncate(size)
        for offset, data in extents:
            f.seek(offset)
            f.write(data[:max(0, size - offset)])
    return path


def random_raw(path, size, seed, extents=6, longest=3 * MIB):
    """A raw disk with data at random places, the same for the same seed."""
    rng = random.Random(seed)
    places = []
    for _ in range(extents if size else 0):
        length = min(rng.randint(1, longest), size)
        offset = rng.randrange(size - length + 1)
        if rng.random() < 0.5:
            offset &= ~4095
        places.append((offset, some_data(rng, length)))
    return make_raw(path, size, places)


def sparse_digest(path, limit=None):
    """SHA-256 over size and the non-zero 64 KiB pieces; skips holes."""
    sha, zeros = hashlib.sha256(), bytes(0x10000)
    with open(path, 'rb') as f:
        size = os.fstat(f.fileno()).st_size
        size = size if limit is None else min(size, limit)
        sha.update(b'size %d' % size)
        pos = 0
        while pos < size:
            try:
                pos = os.lseek(f.fileno(), pos, os.SEEK_DATA) & ~0xffff
            except OSError:
                break
            if pos >= size:
                break
            f.seek(pos)
            piece = f.read(min(0x10000, size - pos))
            if piece != zeros[:len(piece)]:
                sha.update(b'at %d' % pos)
                sha.update(piece)
            pos += 0x10000
    return sha.hexdigest()
