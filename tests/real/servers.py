# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers for the suites in tests/real/: each installs what it needs from
Debian, starts on loopback with its data in memory, and is killed at the end.

    with Rgw() as rgw:
        rgw.url, rgw.access, rgw.secret

Nothing here is ours: Ceph's RADOS gateway, OpenStack Swift with s3api and
OpenStack Keystone, with the smallest configuration that starts them quickly.
"""
import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid

import s3

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def install(*packages):
    """Installs Debian packages through the script that everything uses."""
    script = '. "$1/tools/lib/packages.sh"; shift; need_packages "$@"'
    subprocess.run(['bash', '-euc', script, 'install', TOP, *packages],
                   check=True, stdin=subprocess.DEVNULL)


def need_root(why):
    """Ends the test with one line where it cannot work."""
    if os.geteuid() != 0:
        raise SystemExit(f'this test needs root: {why}; run it with sudo')


def free_ports(count):
    """Free loopback ports.  All are held until all are known."""
    held = []
    for _ in range(count):
        s = socket.socket()
        s.bind(('127.0.0.1', 0))
        held.append(s)
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def run(*argv, timeout=120, check=True, **more):
    """Runs a tool of a server; its output is shown only when it fails."""
    p = subprocess.run(argv, stdin=more.pop('stdin', subprocess.DEVNULL)
                       if 'input' not in more else None,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=timeout, **more)
    if check and p.returncode:
        raise RuntimeError(f'{argv[0]} exited {p.returncode}:\n{p.stdout}')
    return p.stdout


class Server:
    """A folder in memory, the processes started from it, a URL to wait for."""

    packages = ()

    def __init__(self):
        base = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix='real-', dir=base)
        self.children = []
        self.pidfiles = []

    def __enter__(self):
        try:
            install(*self.packages)
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def spawn(self, *argv, **more):
        log = open(self.path(os.path.basename(argv[0]) + '.log'), 'ab')
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, start_new_session=True, **more)
        log.close()
        self.children.append(child)
        return child

    def wait_http(self, url, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return
            except urllib.error.HTTPError:
                return                  # an answer is an answer
            except OSError as e:
                if time.monotonic() > end:
                    raise RuntimeError(f'{url}: no answer: {e}') from e
                time.sleep(.1)

    def wait_port(self, port, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(('127.0.0.1', port), 5).close()
                return
            except OSError as e:
                if time.monotonic() > end:
                    raise RuntimeError(f'port {port}: {e}') from e
                time.sleep(.1)

    def s3(self, method, path, query='', **more):
        """An S3 request of our own, by s3.request(); Rgw and Swift."""
        return s3.request(self.url, self.access, self.secret, method, path,
                          query, **more)

    def bucket(self, name):
        answer = self.s3('PUT', '/' + name)
        if answer.status // 100 != 2:
            raise RuntimeError(f'bucket {name}: {answer.status} '
                               f'{answer.body[:500]}')

    def keys(self, bucket):
        return self.s3('GET', '/' + bucket).texts('Key')

    def uploads(self, bucket):
        """[(key, upload id)] of multipart uploads that are not finished."""
        answer = self.s3('GET', '/' + bucket, 'uploads')
        return list(zip(answer.texts('Key'), answer.texts('UploadId')))

    def parts(self, bucket, key, upload):
        """Numbers of the parts that the server has of an upload."""
        answer = self.s3('GET', f'/{bucket}/{key}', f'uploadId={upload}')
        return [int(n) for n in answer.texts('PartNumber')]

    def stop(self):
        # the data is thrown away: no polite end is needed
        for child in self.children:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        for name in self.pidfiles:
            try:
                with open(name) as f:
                    os.kill(int(f.read()), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        shutil.rmtree(self.dir, ignore_errors=True)


class Rgw(Server):
    """Ceph's RADOS gateway: one mon, one osd in memory, one radosgw.

    @tls: (certificate, key) PEM files: a second endpoint, self.tls_url.
    @sts: temporary keys by the AWS call GetSessionToken.
    """

    packages = ('radosgw', 'ceph-osd', 'ceph-mon', 'ceph-common')
    access, secret = 'testak', 'testsk'

    def __init__(self, tls=None, sts=False, memory=16 << 30):
        super().__init__()
        self.tls, self.sts, self.memory = tls, sts, memory

    def start(self):
        mon, self.port, self.tls_port = free_ports(3)
        self.url = f'http://127.0.0.1:{self.port}'
        self.tls_url = f'https://127.0.0.1:{self.tls_port}'
        front = f'beast endpoint=127.0.0.1:{self.port}'
        if self.tls:
            front += (f' ssl_endpoint=127.0.0.1:{self.tls_port} '
                      f'ssl_certificate={self.tls[0]} '
                      f'ssl_private_key={self.tls[1]}')
        for name in 'mon', 'osd/0', 'run', 'log':
            os.makedirs(self.path(name))
        sts = 'rgw sts key = abcdefghijklmnop\nrgw s3 auth use sts = true' \
            if self.sts else ''
        conf = self.write('ceph.conf', f'''
[global]
fsid = {uuid.uuid4()}
mon host = [v2:127.0.0.1:{mon}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind msgr1 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
run dir = {self.dir}/run
admin socket = {self.dir}/run/$name.asok
log file = {self.dir}/log/$name.log
crash dir = {self.dir}/crash
pid file = {self.dir}/run/$name.pid
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 10000
# order matters: nearfull < backfillfull < full < failsafe
mon osd nearfull ratio = .96
mon osd backfillfull ratio = .97
mon osd full ratio = .98
osd failsafe full ratio = .99
mon data avail crit = 1
mon data avail warn = 2
[mon]
# else each new pool waits a second
paxos propose interval = 0.02
paxos min wait = 0.01
mon data = {self.dir}/mon
mon initial members = a
[osd]
osd data = {self.dir}/osd/$id
osd objectstore = memstore
memstore device bytes = {self.memory}
memstore page set = false
memstore page size = 1048576
osd class load list = *
osd class default list = *
[client]
keyring = {self.dir}/keyring
rgw frontends = {front}
rgw enable usage log = false
rgw thread pool size = 64
rgw dns name = s3.localhost
rgw run sync thread = false
rgw gc obj min wait = 1
rgw gc processor period = 5
{sts}
''')
        key = self.path('keyring')
        run('ceph-authtool', '--create-keyring', key, '--gen-key', '-n',
            'mon.', '--cap', 'mon', 'allow *')
        run('ceph-authtool', key, '--gen-key', '-n', 'client.admin',
            '--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *',
            '--cap', 'mgr', 'allow *')
        with open(conf) as f:
            fsid = f.read().split('fsid = ')[1].split()[0]
        run('monmaptool', '--create', '--clobber', '--fsid', fsid, '--addv',
            'a', f'[v2:127.0.0.1:{mon}/0]', self.path('monmap'))
        run('ceph-mon', '-c', conf, '--mkfs', '-i', 'a', '--monmap',
            self.path('monmap'), '--keyring', key)
        self.spawn('ceph-mon', '-c', conf, '-i', 'a', '-f')
        osd_key = run('ceph-authtool', '--gen-print-key').strip()
        self.write('osd/0/keyring', f'[osd.0]\n\tkey = {osd_key}\n')
        osd = str(uuid.uuid4())
        run('ceph', '-c', conf, 'osd', 'new', osd, '-i', '-',
            input=f'{{"cephx_secret":"{osd_key}"}}')
        run('ceph-osd', '-c', conf, '-i', '0', '--mkfs', '--osd-uuid', osd)
        # Debian 13's looks for its classes in lib/..., from where it is
        self.spawn('ceph-osd', '-c', conf, '-i', '0', '-f', cwd='/')
        self.admin = ('radosgw-admin', '-c', conf)
        run(*self.admin, 'user', 'create', '--uid=test',
            '--display-name=test', f'--access-key={self.access}',
            f'--secret-key={self.secret}')
        if self.sts:
            run(*self.admin, 'caps', 'add', '--uid=test',
                '--caps=user-policy=*;roles=*')
        self.gateway = self.spawn('radosgw', '-c', conf, '-n', 'client.admin',
                                  '-f')
        self.wait_http(self.url)


class Swift(Server):
    """OpenStack Swift with s3api: strict where Ceph is lax.

    /etc/swift/swift.conf is a fixed path, so this one writes outside its
    folder and needs root.
    """

    packages = ('swift-proxy', 'swift-account', 'swift-container',
                'swift-object', 'memcached')
    access, secret = 'test:tester', 'testing'

    def start(self):
        need_root('Swift reads /etc/swift/swift.conf')
        ports = dict(zip(('account', 'container', 'object', 'proxy', 'cache'),
                         free_ports(5)))
        self.port = ports['proxy']
        self.url = f'http://127.0.0.1:{self.port}'
        os.makedirs(self.path('node/sda'))
        os.makedirs('/etc/swift', exist_ok=True)
        with open('/etc/swift/swift.conf', 'w') as f:
            f.write('[swift-hash]\nswift_hash_path_suffix = test\n'
                    'swift_hash_path_prefix = test\n'
                    '[storage-policy:0]\nname = gold\ndefault = yes\n')
        for name in 'account', 'container', 'object':
            ring = self.path(name + '.builder')
            run('swift-ring-builder', ring, 'create', '2', '1', '0')
            run('swift-ring-builder', ring, 'add',
                f'r1z1-127.0.0.1:{ports[name]}/sda', '1')
            run('swift-ring-builder', ring, 'rebalance', check=False)
            self.write(name + '.conf', f'''
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {ports[name]}
user = root
swift_dir = {self.dir}
devices = {self.dir}/node
mount_check = false
workers = 1
fallocate_reserve = 0
disable_fallocate = true
log_udp_host =
log_level = WARNING
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
mb_per_sync = 100000
''')
        filters = {
            'tempauth': 'user_test_tester = testing .admin',
            's3api': 's3_acl = false\nstorage_domain = s3.localhost\n'
                     'location = us-east-1\nauth_pipeline_check = false',
            'cache': f'memcache_servers = 127.0.0.1:{ports["cache"]}',
        }
        names = ['catch_errors', 'gatekeeper', 'healthcheck', 'cache', 'bulk',
                 's3api', 'tempauth', 'slo', 'dlo', 'symlink']
        sections = ''.join(
            f'[filter:{n}]\nuse = egg:swift#'
            f'{"memcache" if n == "cache" else n}\n{filters.get(n, "")}\n'
            for n in names)
        self.write('proxy.conf', f'''
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {ports["proxy"]}
user = root
swift_dir = {self.dir}
workers = 2
log_level = WARNING
[pipeline:main]
pipeline = {' '.join(names)} proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
{sections}''')
        self.spawn('memcached', '-u', 'root', '-l', '127.0.0.1', '-p',
                   str(ports['cache']))
        for name in 'account', 'container', 'object', 'proxy':
            self.spawn(f'swift-{name}-server', self.path(name + '.conf'))
        for port in ports.values():
            self.wait_port(port)
        self.wait_http(self.url + '/healthcheck')


class Keystone(Server):
    """OpenStack Keystone on sqlite: user admin/adminpw, project admin."""

    packages = ('keystone',)
    user, password, project, domain = 'admin', 'adminpw', 'admin', 'Default'

    def __init__(self, token_seconds=3600):
        super().__init__()
        self.token_seconds = token_seconds

    def start(self):
        port, = free_ports(1)
        self.url = f'http://127.0.0.1:{port}/v3'
        for name in 'fernet', 'credential':
            os.makedirs(self.path(name), mode=0o700)
            for number in '0', '1':
                # keystone-manage would take three seconds for each
                with open(self.path(name, number), 'wb') as f:
                    f.write(base64.urlsafe_b64encode(os.urandom(32)))
                os.chmod(self.path(name, number), 0o600)
        conf = self.write('keystone.conf', f'''
[DEFAULT]
log_file = {self.dir}/keystone-server.log
[database]
connection = sqlite:///{self.dir}/keystone.db
[token]
provider = fernet
expiration = {self.token_seconds}
[fernet_tokens]
key_repository = {self.dir}/fernet
[fernet_receipts]
key_repository = {self.dir}/fernet
[credential]
key_repository = {self.dir}/credential
[cache]
enabled = false
[identity]
password_hash_rounds = 4
''')
        run('keystone-manage', '--config-file', conf, 'db_sync')
        run('keystone-manage', '--config-file', conf, 'bootstrap',
            '--bootstrap-password', self.password, '--bootstrap-region-id',
            'local', '--bootstrap-public-url', self.url + '/')
        env = dict(os.environ, OS_KEYSTONE_CONFIG_DIR=self.dir,
                   OS_KEYSTONE_CONFIG_FILES='keystone.conf')
        self.spawn('keystone-wsgi-public', '--port', str(port), env=env)
        self.wait_http(self.url)
