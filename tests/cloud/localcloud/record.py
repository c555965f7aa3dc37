# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of all requests: in memory, and as JSON lines in a file.

A line is written when a request is over, whatever its end.  seq counts in
the order of beginning.  Secrets are replaced by '***'.

    seq time seconds conn method scheme host path query headers
    service op region bucket key part upload_id auth ak
    length      Content-Length of the request, null without one
    bytes_in    body bytes that arrived       bytes_out   body bytes sent
    status      null when no answer was begun
    acked       the whole answer was handed to the connection
    stored      a part or an object of this request is kept
    etag size code fault error json           where they apply
"""

import json
import threading
import time

HIDE_HEADERS = ('authorization', 'x-auth-token', 'x-subject-token',
                'x-security-token', 'x-obs-security-token',
                'x-amz-security-token', 'x-metadata-token')
HIDE_PARTS = ('customer-key',)
HIDE_QUERY = ('Signature', 'X-Amz-Signature', 'x-obs-security-token',
              'x-amz-security-token', 'X-Amz-Security-Token')
HIDE_JSON = ('password', 'passcode', 'token', 'secret', 'securitytoken')


def hide(value):
    """JSON with what is secret replaced."""
    if isinstance(value, dict):
        return {name: hide(item) if name not in HIDE_JSON
                or isinstance(item, (dict, list)) else '***'
                for name, item in value.items()}
    if isinstance(value, list):
        return [hide(item) for item in value]
    return value


def is_secret_header(name):
    return name in HIDE_HEADERS or (
        any(part in name for part in HIDE_PARTS)
        and not name.lower().endswith('md5'))


class Recorder:
    def __init__(self, path):
        self._changed = threading.Condition()
        self._file = open(path, 'a', encoding='utf-8')
        self._next = 1
        self._open = {}
        self.records = []

    def begin(self, request, connection):
        """Start the record of a request; the services add to it."""
        record = request.record
        query = {}
        for name, value in request.query:
            query[name] = '***' if name in HIDE_QUERY else value
        headers = {}
        for name, _ in request.headers:
            headers[name] = ('***' if is_secret_header(name)
                             else request.header(name))
        record.update(
            time=time.time(), conn=connection, method=request.method,
            scheme=request.scheme, host=request.host, path=request.raw_path,
            query=query, headers=headers, status=None, acked=False)
        with self._changed:
            record['seq'] = self._next
            self._next += 1
            self._open[record['seq']] = record
        return record

    def finish(self, request):
        """The request is over: complete and keep its record."""
        record = request.record
        body = request.body
        record.update(
            seconds=round(time.time() - record['time'], 6),
            service=request.service, op=request.op, region=request.region,
            bucket=request.bucket, key=request.key,
            length=body.length, bytes_in=body.got)
        if request.has_query('uploadId'):
            record.setdefault('upload_id', request.arg('uploadId'))
        with self._changed:
            del self._open[record['seq']]
            if request.service == 'control':
                self._changed.notify_all()
                return
            self.records.append(record)
            self._file.write(json.dumps(record) + '\n')
            self._file.flush()
            self._changed.notify_all()

    def _busy(self):
        return [record for record in self._open.values()
                if not record['path'].startswith('/_control')
                and 'stalled' not in record]

    def wait_idle(self, seconds):
        """Wait until no request is going on (stalled ones do not count)."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy(), seconds)

    def since(self, seq):
        """All finished records with a seq above SEQ, in their order."""
        with self._changed:
            return sorted((record for record in self.records
                           if record['seq'] > seq),
                          key=lambda record: record['seq'])
