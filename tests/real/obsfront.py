# SPDX-License-Identifier: GPL-2.0-or-later
"""A front that makes a real S3 server speak the vendor's OBS dialect.

It checks `Authorization: OBS ak:signature` with the local cloud's own
verifier, renames x-obs-* to x-amz-*, signs anew with AWS V2 and hands on to
the server behind it, which does the storing.  Bodies pass in pieces.  Started
as a process of its own:

    python3 obsfront.py PORT TARGET_PORT ACCESS SECRET DOMAIN LOG

Every refused request is a line of JSON in LOG, with the string to sign.
"""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import socketserver
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'cloud'))
from localcloud import errors, sign                         # noqa: E402

# what AWS V2 signs, by its own documentation
V2_SIGNED = frozenset('acl cors delete lifecycle location logging '
                      'notification partNumber policy requestPayment tagging '
                      'torrent uploadId uploads versionId versioning versions '
                      'website'.split())
HOP = {'connection', 'host', 'authorization', 'transfer-encoding',
       'keep-alive', 'date'}
PIECE = 1 << 18


class Request:
    """One request in the form that the verifier wants."""

    def __init__(self, handler, domain):
        self.method = handler.command
        self.raw_path, _, query = handler.path.partition('?')
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True)
        self.headers = [(k.lower(), v.strip())
                        for k, v in handler.headers.items()]
        self.host = self.header('host', '')
        name = self.host.partition(':')[0]
        self.bucket, self.style = None, 'path'
        if name.endswith('.' + domain):
            self.bucket, self.style = name[:-len(domain) - 1], 'vhost'

    def header(self, name, default=None):
        values = [v for k, v in self.headers if k == name]
        return values[0] if values else default

    def arg(self, name, default=None):
        return dict(self.query).get(name, default)

    def has_query(self, name):
        return name in dict(self.query)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def refuse(self, status, code, message, request=None):
        with open(self.server.log, 'a') as f:
            f.write(json.dumps({'code': code, 'message': message,
                                'method': self.command,
                                'path': self.path}) + '\n')
        body = (f'<?xml version="1.0"?><Error><Code>{code}</Code>'
                f'<Message>{message}</Message></Error>').encode()
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Connection', 'close')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
        self.close_connection = True

    def handle_any(self):
        request = Request(self, self.server.domain)
        if request.has_query('apiversion'):
            self.send_response(200)
            self.send_header('x-obs-api', '3.0')
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        try:
            claim = sign.find_claim(request)
            if claim is None or claim.kind != 'obs':
                return self.refuse(403, 'AccessDenied', 'no OBS signature')
            if claim.ak != self.server.access:
                return self.refuse(403, 'InvalidAccessKeyId', 'unknown key')
            claim.check(self.server.secret, time.time())
        except errors.ApiError as e:
            return self.refuse(403, getattr(e, 'code', 'AccessDenied'),
                               str(e))
        self.hand_on(request)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def hand_on(self, request):
        path = request.raw_path
        if request.style == 'vhost':
            path = '/' + request.bucket + path
        headers = {}
        for name, value in request.headers:
            if name not in HOP:
                headers[name.replace('x-obs-', 'x-amz-', 1)
                        if name.startswith('x-obs-') else name] = value
        headers.pop('x-amz-date', None)
        headers['date'] = time.strftime('%a, %d %b %Y %H:%M:%S GMT',
                                        time.gmtime())
        signed = '&'.join(f'{k}={v}' if v else k
                          for k, v in sorted(request.query) if k in V2_SIGNED)
        text = '\n'.join([
            request.method, headers.get('content-md5', ''),
            headers.get('content-type', ''), headers['date'],
            ''.join(f'{k}:{headers[k]}\n' for k in sorted(headers)
                    if k.startswith('x-amz-'))
            + path + ('?' + signed if signed else '')])
        mac = hmac.new(self.server.secret.encode(), text.encode('latin-1'),
                       hashlib.sha1).digest()
        headers['authorization'] = 'AWS %s:%s' % (
            self.server.access, base64.b64encode(mac).decode())
        query = self.path.partition('?')[2]
        link = http.client.HTTPConnection('127.0.0.1', self.server.target,
                                          timeout=300)
        link.putrequest(request.method, path + ('?' + query if query else ''),
                        skip_accept_encoding=True)
        for name, value in headers.items():
            link.putheader(name, value)
        link.endheaders()
        left = int(headers.get('content-length', 0))
        while left:
            piece = self.rfile.read(min(PIECE, left))
            if not piece:
                link.close()
                self.close_connection = True
                return
            link.send(piece)
            left -= len(piece)
        answer = link.getresponse()
        self.send_response_only(answer.status)
        length = None
        for name, value in answer.getheaders():
            name = name.lower()
            if name in ('connection', 'transfer-encoding', 'keep-alive'):
                continue
            if name == 'content-length':
                length = int(value)
            self.send_header(name.replace('x-amz-', 'x-obs-', 1)
                             if name.startswith('x-amz-') else name, value)
        body = None
        if length is None and request.method != 'HEAD' and \
                answer.status not in (204, 304):
            body = answer.read()
            self.send_header('content-length', str(len(body)))
        self.end_headers()
        if request.method != 'HEAD':
            if body is not None:
                self.wfile.write(body)
            else:
                while piece := answer.read(PIECE):
                    self.wfile.write(piece)
        link.close()


class Front(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    port, target, access, secret, domain, log = sys.argv[1:]
    front = Front(('127.0.0.1', int(port)), Handler)
    front.target, front.access, front.secret = int(target), access, secret
    front.domain, front.log = domain, log
    front.serve_forever()


if __name__ == '__main__':
    main()
