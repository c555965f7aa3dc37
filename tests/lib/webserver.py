# SPDX-License-Identifier: GPL-2.0-or-later
"""A local HTTP(S) server with byte ranges that counts what it sends."""

import http.server
import os
import re
import ssl
import subprocess
import threading


def make_certificate(folder):
    """A throw-away CA and a certificate for localhost; (ca, cert, key)."""
    ca, ca_key, cert, key, csr, ext = (os.path.join(folder, n) for n in (
        'ca.pem', 'ca.key', 'cert.pem', 'cert.key', 'cert.csr', 'ext'))
    with open(ext, 'w') as f:
        f.write('subjectAltName=DNS:localhost,IP:127.0.0.1\n')

    def openssl(*argv):
        subprocess.run(['openssl', *argv], check=True, capture_output=True)

    new_key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
               '-nodes']
    openssl('req', '-x509', *new_key, '-subj', '/CN=Test CA', '-days', '2',
            '-keyout', ca_key, '-out', ca)
    openssl('req', *new_key, '-subj', '/CN=localhost', '-keyout', key,
            '-out', csr)
    openssl('x509', '-req', '-in', csr, '-CA', ca, '-CAkey', ca_key,
            '-CAcreateserial', '-days', '2', '-extfile', ext, '-out', cert)
    return ca, cert, key


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        folder = self.server.folder
        path = os.path.join(folder, os.path.basename(self.path))
        try:
            f = open(path, 'rb')
        except OSError:
            self.send_error(404)
            return
        with f:
            size = os.fstat(f.fileno()).st_size
            first, last, status = 0, size - 1, 200
            m = re.fullmatch(r'bytes=(\d+)-(\d*)',
                             self.headers.get('Range', ''))
            if m:
                first, status = int(m[1]), 206
                last = min(int(m[2] or last), last)
                if first >= size:
                    self.send_error(416)
                    return
            count = last - first + 1
            self.send_response(status)
            self.send_header('Accept-Ranges', 'bytes')
            self.send_header('Content-Length', str(count))
            if m:
                self.send_header('Content-Range',
                                 f'bytes {first}-{last}/{size}')
            self.end_headers()
            if body:
                self.send(f, first, count)

    def send(self, f, first, count):
        f.seek(first)
        with self.server.lock:
            self.server.requests.append((first, count))
        try:
            while count:
                piece = f.read(min(count, 65536))
                self.wfile.write(piece)
                with self.server.lock:
                    self.server.sent += len(piece)
                count -= len(piece)
        except OSError:
            self.close_connection = True    # the client went away

    def log_message(self, *args):
        pass


class WebServer(http.server.ThreadingHTTPServer):
    """Serves the files of a folder.  sent: body bytes; requests: ranges."""

    daemon_threads = True

    def __init__(self, folder, cert=None, key=None):
        super().__init__(('127.0.0.1', 0), Handler)
        self.folder, self.lock = folder, threading.Lock()
        self.reset()
        self.scheme = 'http'
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            self.socket = context.wrap_socket(self.socket, server_side=True,
                                              do_handshake_on_connect=False)
            self.scheme = 'https'
        self.thread = threading.Thread(target=self.serve_forever,
                                       kwargs={'poll_interval': 0.05})
        self.thread.start()

    def url(self, name):
        return f'{self.scheme}://localhost:{self.server_address[1]}/{name}'

    def reset(self):
        self.sent, self.requests = 0, []

    def handle_error(self, request, client_address):
        pass    # a client that does not trust the certificate

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()
