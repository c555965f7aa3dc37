# SPDX-License-Identifier: GPL-2.0-or-later
"""What the suites in tests/real/ share: tools, obs-push, export, guests."""
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, 'tests', 'lib'),
                os.path.join(TOP, 'tests', 'cloud')]
BIN = os.environ.get('BUILD_BIN', os.path.join(TOP, 'build', 'bin'))
TMP = os.environ.get('TEST_TMP', '/tmp')


def tool(name):
    return os.path.join(BIN, name)


def clean_env(**more):
    """No credentials, proxies or homes of the machine that the tests are on."""
    env = {k: v for k, v in os.environ.items()
           if not k.upper().endswith('_PROXY')
           and not k.startswith(('OBS_', 'OS_', 'HW_', 'HUAWEICLOUD_',
                                 'AWS_', 'CLOUD_SDK', 'OTCCLOUD_'))}
    env['HOME'] = os.path.join(TMP, 'home')
    env['XDG_STATE_HOME'] = os.path.join(TMP, 'state')
    for name in 'HOME', 'XDG_STATE_HOME':
        os.makedirs(env[name], exist_ok=True)
    env.update(more)
    return env


def run_any(*argv, timeout=600, **more):
    """Runs a command; (its output, its exit status)."""
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       errors='replace', timeout=timeout, **more)
    return p.stdout, p.returncode


def run(*argv, timeout=600, **more):
    """Runs a command that must succeed; its output."""
    out, code = run_any(*argv, timeout=timeout, **more)
    assert code == 0, f'{" ".join(argv)}\nexited {code}:\n{out}'
    return out


def push_command(server, *argv, signature='v2', url=None, **env):
    """(argv, environment) of obs-push for a real server, in path style.

    @url: in place of the server's own, e.g. a relay's.
    """
    keys = dict(OBS_ACCESS_KEY_ID=server.access,
                OBS_SECRET_ACCESS_KEY=server.secret)
    return ([tool('obs-push'), *argv, '--endpoint', url or server.url,
             '--path-style', '--signature', signature],
            clean_env(**dict(keys, **env)))


def push(server, *argv, status=0, timeout=600, **more):
    """Runs obs-push against a real server; @more as push_command() has it.
    @status None: it must fail."""
    argv, env = push_command(server, *argv, **more)
    out, code = run_any(*argv, timeout=timeout, env=env)
    good = code != 0 if status is None else code == status
    assert good, f'{" ".join(argv)}\nexited {code}:\n{out}'
    # a crash is a failure too, but not the one that was asked for
    assert 0 <= code < 128, f'{" ".join(argv)}\nexited {code}:\n{out}'
    return out


def sha256(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.hexdigest()


def download(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()


class Export:
    """The overlay's qemu-storage-daemon or qemu-nbd, read only, on a socket.

    @node: a QAPI description of the image, e.g. {'driver': 'zvhd2', ...}
    """

    def __init__(self, node, daemon='qemu-storage-daemon'):
        self.socket = os.path.join(TMP, f'{daemon}-{os.getpid()}.sock')
        self.uri = f'nbd+unix:///disk?socket={self.socket}'
        if daemon == 'qemu-nbd':
            argv = [tool('qemu-nbd'), '-r', '-t', '-k', self.socket, '-x',
                    'disk', '--shared', '8', 'json:' + json.dumps(node)]
        else:
            argv = [tool('qemu-storage-daemon'), '--blockdev',
                    json.dumps(dict(node, **{'node-name': 'disk',
                                             'read-only': True})),
                    '--nbd-server', f'addr.type=unix,addr.path={self.socket}',
                    '--export', 'nbd,id=e,node-name=disk,name=disk']
        self.argv = argv

    def __enter__(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
        end = time.monotonic() + 60
        while not os.path.exists(self.socket):
            if self.child.poll() is not None or time.monotonic() > end:
                self.child.kill()
                raise AssertionError(' '.join(self.argv) + '\n' +
                                     self.child.communicate()[0])
            time.sleep(.05)
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()


def boot(drive, marker, firmware=None, seconds=300):
    """Boots a guest by software emulation until it prints @marker on its
    serial line; returns (seconds, the line).  @drive: -drive's value."""
    log = os.path.join(TMP, 'serial.log')
    argv = ['qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max',
            '-smp', '2', '-m', '768', '-display', 'none', '-no-reboot',
            '-net', 'none', '-serial', f'file:{log}', '-drive', drive]
    if firmware:
        argv += ['-bios', firmware]
    if os.path.exists(log):
        os.unlink(log)
    start = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    text = ''
    try:
        while time.monotonic() - start < seconds:
            if os.path.exists(log):
                with open(log, errors='replace') as f:
                    text = f.read()
                for line in text.splitlines():
                    # the last line may still be on its way
                    if marker in line and text.split(line)[1][:1] in '\r\n' \
                            and text.split(line)[1]:
                        return time.monotonic() - start, line.strip()
            if child.poll() is not None:
                break
            time.sleep(.5)
    finally:
        child.kill()
        output = child.communicate()[0]
    raise AssertionError(f'no {marker!r} after {seconds} s\n{output}\n'
                         + text[-3000:])
