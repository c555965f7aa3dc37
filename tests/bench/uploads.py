# SPDX-License-Identifier: GPL-2.0-or-later
"""P8: the same file to the same server by obs-push and by other clients.

Two servers: Ceph's gateway with its data in memory, and a sink (sink.c) that
throws bodies away, where what is left is the client's own cost.  Each client
gets what it does best with: as many connections and as large parts as
obs-push uses, no checks but the MD5 of what is sent.
"""
import os
import subprocess

import data
import measure
import s3
import servers
from measure import Case, Contestant

MIB, GIB = 1 << 20, 1 << 30
BUCKET = 'bench'
PACKAGES = ('awscli', 'gcc', 'libc6-dev', 'libs3-2', 'libssl-dev', 'openssl',
            'rclone', 's3cmd')
CONNECTIONS, PART = 8, 16


class Sink:
    """tests/bench/sink.c as a server like those of tests/real/servers.py."""

    access, secret = 'testak', 'testsk'

    def __enter__(self):
        out = os.path.join(data.TOP, 'build', 'bench', 'sink')
        os.makedirs(os.path.dirname(out), exist_ok=True)
        subprocess.run(['gcc', '-std=gnu11', '-D_GNU_SOURCE', '-O2', '-Wall',
                        '-Wextra', '-Werror', '-o', out,
                        os.path.join(data.HERE, 'sink.c'), '-pthread',
                        '-lcrypto'], check=True)
        self.child = subprocess.Popen([out], stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())
        self.url = f'http://127.0.0.1:{self.port}'
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()

    def bucket(self, name):
        """Every bucket exists."""

    def collect(self):
        """Nothing was kept."""


class Rgw(servers.Rgw):
    def collect(self):
        """Frees the memory of deleted objects now and not some time later."""
        servers.run(*self.admin, 'gc', 'process', '--include-all')


class Clients:
    """The commands that upload @path to @server; configuration in @folder."""

    def __init__(self, server, path, folder):
        self.server, self.path, self.folder = server, path, folder
        self.host = server.url.split('//')[1]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def env(self, **more):
        clean = {k: v for k, v in os.environ.items()
                 if k in ('PATH', 'LANG', 'TMPDIR', 'BUILD_BIN')}
        return dict(clean, HOME=self.folder, XDG_STATE_HOME=self.folder,
                    **more)

    def delete(self):
        """Leaves no object, so that no client finds its work done."""
        answer = s3.request(
            self.server.url, self.server.access, self.server.secret,
            'DELETE', f'/{BUCKET}/object')
        if answer.status not in (204, 404):
            raise RuntimeError(f'DELETE: {answer.status} '
                               f'{answer.body[:300]!r}')
        self.server.collect()

    def contestant(self, name, argv, **env):
        return Contestant(name, argv, self.delete,
                          work=os.path.getsize(self.path),
                          env=self.env(**env))

    def obs_push(self, name='obs-push'):
        return self.contestant(
            name, [data.tool('obs-push'), 'upload', '--quiet',
                         '--endpoint', self.server.url, '--path-style',
                         '--signature', 'v2', '--parallel', str(CONNECTIONS),
                         '--part-size', f'{PART}MiB', self.path,
                         f'obs://{BUCKET}/object'],
            OBS_ACCESS_KEY_ID=self.server.access,
            OBS_SECRET_ACCESS_KEY=self.server.secret)

    def rclone(self):
        config = self.write('rclone.conf', f'''[bench]
type = s3
provider = Other
access_key_id = {self.server.access}
secret_access_key = {self.server.secret}
endpoint = {self.server.url}
''')
        return self.contestant(
            'rclone', ['rclone', '--config', config, '--s3-no-check-bucket',
                       '--s3-upload-concurrency', str(CONNECTIONS),
                       '--s3-chunk-size', f'{PART}M', '--s3-disable-checksum',
                       'copyto', self.path, f'bench:{BUCKET}/object'])

    def aws(self):
        config = self.write('aws.conf', f'''[default]
region = us-east-1
s3 =
    max_concurrent_requests = {CONNECTIONS}
    multipart_chunksize = {PART}MB
''')
        return self.contestant(
            'aws-cli', ['/usr/bin/aws', '--endpoint-url', self.server.url,
                        's3', 'cp', '--no-progress', self.path,
                        f's3://{BUCKET}/object'],
            AWS_CONFIG_FILE=config, AWS_ACCESS_KEY_ID=self.server.access,
            AWS_SECRET_ACCESS_KEY=self.server.secret)

    def s3cmd(self):
        config = self.write('s3cmd.conf', f'''[default]
access_key = {self.server.access}
secret_key = {self.server.secret}
host_base = {self.host}
host_bucket = {self.host}
use_https = False
multipart_chunk_size_mb = {PART}
''')
        return self.contestant(
            's3cmd', ['s3cmd', '--config', config, '--no-progress', 'put',
                      self.path, f's3://{BUCKET}/object'])

    def libs3(self):
        return self.contestant(
            'libs3', ['/usr/bin/s3', '-u', 'put', f'{BUCKET}/object',
                      'filename=' + self.path],
            S3_ACCESS_KEY_ID=self.server.access,
            S3_SECRET_ACCESS_KEY=self.server.secret, S3_HOSTNAME=self.host)


def random_file(path, size):
    with open(path, 'wb') as f:
        for _ in range(size // MIB):
            f.write(os.urandom(MIB))


def goals(where, ours, peers, libs3, hashes):
    """Ours against the best peer of each kind."""
    scripted = min(peers[:-1], key=lambda c: measure.median(c, 'cpu'))
    fastest = min(peers, key=lambda c: measure.median(c, 'wall'))
    least = measure.total(f'libs3 + {hashes.name}', libs3, hashes)
    return [
        (f'{where}: wall against the fastest peer', ours, fastest, 'wall', 1),
        (f'{where}: CPU against the best Go/Python peer', ours, scripted,
         'cpu', .5),
        (f'{where}: CPU against libs3 and the MD5s it leaves out', ours,
         least, 'cpu', 2),
        (f'{where}: memory against rclone', ours, peers[0], 'memory', 1),
    ]


def upload(bench, server, path, rounds, where):
    """All clients to one server; (contestants, goals)."""
    folder = bench.folder('uploads-' + where)
    server.bucket(BUCKET)
    clients = Clients(server, path, folder)
    ours, rclone, aws, s3cmd, libs3 = (
        clients.obs_push(), clients.rclone(), clients.aws(), clients.s3cmd(),
        clients.libs3())
    # whatever MD5 of this machine costs least
    hashes = Contestant('openssl dgst -md5', ['openssl', 'dgst', '-md5', path],
                        work=os.path.getsize(path))
    everyone = [ours, rclone, aws, s3cmd, libs3, hashes]
    measure.compare(everyone, rounds)
    clients.delete()
    result = goals(where, ours, [rclone, aws, s3cmd, libs3], libs3, hashes)
    for c in everyone:
        c.name = f'{where}: {c.name}'
    return everyone, result


def p8(bench):
    """Both servers, one after the other."""
    servers.install(*PACKAGES)
    path = bench.out('upload.bin')
    size = bench.upload_size
    random_file(path, size)
    rows, reached = [], []
    # a round takes minutes
    rounds = max(2, bench.rounds // 2 + 1)
    with Sink() as sink:
        part = upload(bench, sink, path, rounds, 'sink')
        rows += part[0]
        reached += part[1]
    with Rgw(memory=16 << 30) as rgw:
        part = upload(bench, rgw, path, rounds, 'radosgw')
        rows += part[0]
        reached += part[1]
    os.unlink(path)
    return Case('P8', f'upload of {size / GIB:.2f} GiB to a sink and to '
                      f'radosgw, {CONNECTIONS} connections, {PART} MiB parts',
                      rows, reached)
