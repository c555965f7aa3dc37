# SPDX-License-Identifier: GPL-2.0-or-later
"""For tests against the local cloud: start it, break it, ask it what it saw.

    with Cloud(settings={'min_part': 1 << 20}) as cloud:
        cloud.fault(match={'op': 'upload-part', 'part': 3}, action='answer',
                    status=503, headers={'Retry-After': '1'})
        subprocess.run([...], env=cloud.env())
        assert cloud.count('upload-part', status=200) == 7
        assert not cloud.sent_twice()

The cloud is its own process (tests/cloud/localcloud.py).  Rules, settings
and the fields of a record are described in tests/cloud/localcloud/.
"""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.parse

import cloudsign

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, '..', 'cloud', 'localcloud.py')

# Variables that would lead a client to other accounts or other hosts.
FOREIGN = ('OBS_', 'HUAWEICLOUD_', 'HW_', 'OS_', 'AWS_', 'CLOUD_SDK_',
           'OTCCLOUD_', 'S3_')
PROXIES = ('http_proxy', 'https_proxy', 'all_proxy', 'no_proxy')


def scratch(prefix):
    """A new folder for one test; TEST_TMP and TMPDIR are honoured."""
    folder = os.environ.get('TEST_TMP')
    if folder:
        os.makedirs(folder, exist_ok=True)
    return tempfile.mkdtemp(prefix=prefix, dir=folder)


def make_certificate(folder, regions):
    """Self-signed certificate and key for all names of the cloud."""
    names = ['DNS:localhost', 'IP:127.0.0.1', 'DNS:*.obs.localhost',
             'DNS:obs.localhost', 'DNS:ims.localhost', 'DNS:iam.localhost']
    for region in regions:
        names += ['DNS:*.obs.%s.localhost' % region]
        names += ['DNS:%s.%s.localhost' % (service, region)
                  for service in ('obs', 'ims', 'iam')]
    cert = os.path.join(folder, 'cert.pem')
    key = os.path.join(folder, 'key.pem')
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
         '/CN=localcloud', '-addext', 'subjectAltName=' + ','.join(names),
         '-keyout', key, '-out', cert], check=True, capture_output=True)
    return cert, key


class Answer:
    """status, headers (lower case), body of one request."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode(errors='replace')

    def json(self):
        return json.loads(self.body)

    def between(self, name):
        """Text of the first XML element NAME, or None."""
        _, found, rest = self.text.partition('<%s>' % name)
        return rest.partition('</%s>' % name)[0] if found else None

    @property
    def code(self):
        """Error code of an OBS answer."""
        return (self.headers.get('x-obs-error-code')
                or self.headers.get('x-amz-error-code')
                or self.body.startswith(b'<') and self.between('Code')
                or None)


class Cloud:
    """A running local cloud in a scratch folder of its own."""

    def __init__(self, tls=False, regions=('eu-de',), settings=None,
                 bucket='test-bucket', arguments=(), start=True):
        self.folder = scratch('cloud-')
        self.regions = list(regions)
        self.bucket = bucket
        self._arguments = ['--dir', os.path.join(self.folder, 'data')]
        for region in self.regions:
            self._arguments += ['--region', region]
        if bucket:
            self._arguments += ['--bucket', bucket]
        self._arguments += ['--settings', json.dumps(settings or {})]
        self._arguments += list(arguments)
        self.ca = None
        self._context = None
        if tls:
            self.ca, key = make_certificate(self.folder, self.regions)
            self._arguments += ['--tls', self.ca, key]
            self._context = ssl.create_default_context(cafile=self.ca)
        self._process = None
        self._mark = 0
        self.port = 0
        self._errors = os.path.join(self.folder, 'stderr')
        if start:
            self.start()

    # -- life

    def start(self):
        """Start, on the port of the last time if there was one."""
        with open(self._errors, 'ab') as errors:
            self._process = subprocess.Popen(
                [sys.executable, SERVER, '--with-parent', '--port',
                 str(self.port)]
                + self._arguments, stdout=subprocess.PIPE, stderr=errors)
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError('the local cloud did not start:\n'
                               + self.errors())
        self.info = json.loads(line)
        self.port = self.info['port']
        self.url = self.info['url']
        self.ak, self.sk = self.info['ak'], self.info['sk']
        self.project_id = self.info['project_id']
        self._mark = 0          # a new process counts from 1

    def stop(self, kill=False):
        """Stop the process; data stay for start()."""
        if self._process:
            self._process.send_signal(signal.SIGKILL if kill
                                      else signal.SIGTERM)
            self._process.wait(20)
            self._process.stdout.close()
            self._process = None

    def close(self):
        """Stop and delete everything; what the server complained of is an
        error of the test."""
        self.stop()
        errors = self.errors()
        shutil.rmtree(self.folder, ignore_errors=True)
        if 'Traceback' in errors:
            raise RuntimeError('the local cloud failed inside:\n' + errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def errors(self):
        """What the server wrote to its standard error."""
        with open(self._errors, encoding='utf-8', errors='replace') as file:
            return file.read()

    # -- clients

    def env(self, credentials=True, **more):
        """Environment for a client: only this cloud's keys, no proxies, an
        empty home folder (self.home)."""
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(FOREIGN)
               and name.lower() not in PROXIES}
        self.home = os.path.join(self.folder, 'home')
        os.makedirs(self.home, exist_ok=True)
        env.update(HOME=self.home, LC_ALL='C.UTF-8')
        for name in ('XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME',
                     'XDG_DATA_HOME'):
            env.pop(name, None)
        if credentials:
            env.update(OBS_ACCESS_KEY_ID=self.ak,
                       OBS_SECRET_ACCESS_KEY=self.sk)
        env.update(more)
        return env

    def connect(self):
        """An http.client connection to the server."""
        if self._context:
            return http.client.HTTPSConnection('127.0.0.1', self.port,
                                               timeout=60,
                                               context=self._context)
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)

    def request(self, method, target, headers=None, body=None):
        """One plain request, unsigned."""
        connection = self.connect()
        try:
            connection.request(method, target, body=body,
                               headers=headers or {})
            reply = connection.getresponse()
            data = reply.read()
            return Answer(reply.status, {name.lower(): value for name, value
                                         in reply.getheaders()}, data)
        finally:
            connection.close()

    def obs(self, method, key=None, query=(), headers=None, body=b'',
            bucket=None, ak=None, sk=None, dialect='OBS', skew=0, host=None):
        """One request to OBS, signed (dialect 'OBS', or 'AWS' for V2).

        query: list of (name, value or None).  Path style, unless host says
        'bucket.obs...'.
        """
        target, headers = cloudsign.obs(
            method, bucket or self.bucket, key, query, headers or {},
            ak or self.ak, sk or self.secret(ak), dialect, skew, host)
        if method in ('PUT', 'POST'):
            headers.setdefault('content-length', str(len(body)))
        return self.request(method, target, headers, body)

    def sdk(self, method, path, query=(), body=None, ak=None, sk=None,
            project=True, headers=None, **how):
        """One request to IAM or IMS, signed with SDK-HMAC-SHA256.

        body: a JSON value.  how: legacy=True, skew=seconds (cloudsign.sdk).
        """
        data = b'' if body is None else json.dumps(body).encode()
        headers = dict(headers or {}, host='127.0.0.1:%d' % self.port)
        if body is not None:
            headers['content-type'] = 'application/json'
        if project:
            headers['x-project-id'] = (self.project_id if project is True
                                       else project)
        target, headers = cloudsign.sdk(
            method, path, query, headers, data, ak or self.ak,
            sk or self.secret(ak), **how)
        return self.request(method, target, headers, data or None)

    def secret(self, ak=None):
        """The secret of one of the permanent keys."""
        return next(user['sk'] for user in self.info['users']
                    if user['ak'] == (ak or self.ak))

    # -- what it should do

    def control(self, method, name, value=None):
        answer = self.request(method, '/_control/' + name, {},
                              None if value is None else json.dumps(value))
        if answer.status >= 400:
            raise ValueError(answer.text)
        return answer.json()

    def fault(self, **rule):
        """Add a fault rule (faults.py)."""
        return self.control('POST', 'faults', rule)[0]

    def faults(self):
        """All rules with the number of their hits."""
        return self.control('GET', 'faults')

    def clear_faults(self):
        self.control('DELETE', 'faults')

    def set(self, **settings):
        """Change settings (settings.py)."""
        return self.control('POST', 'settings', settings)

    def expire(self, what):
        """'tokens' or 'keys' (temporary ones) are out of date from now."""
        self.control('POST', 'expire', {'what': what})

    def make_bucket(self, name, **fields):
        """region, storage_class, acl, fs_interface, owner, domain."""
        self.control('POST', 'bucket', dict(fields, name=name))

    # -- what it has seen

    def mark(self):
        """From now on the log begins here; returns the sequence number."""
        log = self.control('GET', 'log')
        if log:
            self._mark = log[-1]['seq']
        return self._mark

    def log(self, op=None, since=None, **fields):
        """Records of requests since mark(), those that fit the fields."""
        since = self._mark if since is None else since
        records = self.control('GET', 'log?since=%d' % since)
        return [record for record in records
                if op in (None, record['op'])
                and all(record.get(name) == value
                        for name, value in fields.items())]

    def ops(self, **fields):
        """The names of the operations, in order."""
        return [record['op'] for record in self.log(**fields)]

    def count(self, op=None, **fields):
        return len(self.log(op, **fields))

    def bytes_in(self, **fields):
        """Body bytes received over the wire."""
        return sum(record['bytes_in'] for record in self.log(**fields))

    def sent_twice(self):
        """(upload id, part) of parts uploaded again although an earlier
        request for them had been stored and answered with 200."""
        done, twice = set(), []
        for record in self.log():
            if record['op'] not in ('upload-part', 'copy-part'):
                continue
            name = (record['upload_id'], record.get('part'))
            if name in done:
                twice.append(name)
            if record['status'] == 200 and record.get('stored') \
                    and record['acked']:
                done.add(name)
        return twice

    def state(self):
        """Buckets with their objects, open uploads, jobs, images."""
        return self.control('GET', 'state')

    def objects(self, bucket=None):
        """{key: facts} of a bucket."""
        return self.state()['buckets'][bucket or self.bucket]['objects']

    def uploads(self):
        """Open multipart uploads."""
        return self.state()['uploads']

    def read(self, key, start=None, length=None, bucket=None):
        """Bytes of an object, without signature."""
        headers = {}
        if start is not None:
            headers['Range'] = 'bytes=%d-%d' % (start, start + length - 1)
        answer = self.request('GET', '/_control/object?' + urllib.parse
                              .urlencode({'bucket': bucket or self.bucket,
                                          'key': key}), headers)
        if answer.status >= 400:
            raise KeyError(key)
        return answer.body

    def put(self, key, data, bucket=None, **headers):
        """Store an object, signed; headers with _ for -."""
        answer = self.obs('PUT', key, bucket=bucket, body=data, headers={
            name.replace('_', '-'): value for name, value in headers.items()})
        if answer.status != 200:
            raise RuntimeError('PUT %s: %d %s' % (key, answer.status,
                                                  answer.code))
        return answer
