# SPDX-License-Identifier: GPL-2.0-or-later
"""The listener, the connections, and the steps each request goes through."""

import itertools
import secrets
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import traceback

from .accounts import Accounts
from .control import ControlService
from .errors import ApiError, obs_error
from .faults import Faults, Plan
from .iam import IamService
from .ims import ImsService
from .metadata import MetadataService
from .obs import ObsService
from .record import Recorder
from .route import Router
from .settings import Settings
from .uploads import Shelf
from .wire import (PIECE, Body, ClientGone, DropConnection, Request,
                   Stream, Throttle, http_date)

MAX_LINE = 65536
MAX_HEADERS = 200
DRAIN = 64 << 20            # body bytes read after an early answer
LINGER_SECONDS = 2

REASONS = {100: 'Continue', 200: 'OK', 201: 'Created', 204: 'No Content',
           206: 'Partial Content', 301: 'Moved Permanently',
           304: 'Not Modified', 307: 'Temporary Redirect',
           400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden',
           404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict',
           411: 'Length Required', 412: 'Precondition Failed',
           416: 'Requested Range Not Satisfiable', 429: 'Too Many Requests',
           500: 'Internal Server Error', 503: 'Service Unavailable'}


class Cloud:
    """All services over one folder."""

    def __init__(self, folder, regions, ak, sk, log_path, custom_domains=()):
        self.regions = list(regions)
        self.settings = Settings()
        self.shelf = Shelf(folder)
        self.accounts = Accounts(self.regions, ak, sk, self.clock)
        self.recorder = Recorder(log_path)
        self.faults = Faults()
        self.router = Router(self.regions, custom_domains)
        self.throttle = Throttle(lambda: self.settings['bandwidth'])
        self.stopping = threading.Event()
        self.connections = itertools.count(1)
        self.services = {
            'obs': ObsService(self.shelf, self.accounts, self.settings,
                              self.clock),
            'iam': IamService(self.accounts, self.settings, self.clock),
            'ims': ImsService(self.shelf, self.accounts, self.settings,
                              self.clock),
            'metadata': MetadataService(self.accounts, self.settings,
                                        self.clock),
            'control': ControlService(self),
        }

    def clock(self):
        """Epoch seconds as this cloud sees them."""
        return time.time() + self.settings['clock_offset']

    def answer(self, request, wait):
        """Request -> (Response, Plan or None)."""
        plan = None
        error_answer = obs_error
        try:
            self.router.route(request)
            service = self.services[request.service]
            error_answer = service.error
            service.classify(request)
            if request.service != 'control':
                rules = self.faults.choose(request)
                if rules:
                    request.record['fault'] = [rule.name for rule in rules]
                    plan = Plan(rules, self, request, service, wait)
                    response = plan.before()
                    if response is not None:
                        return plan.after(response), plan
            response = service.handle(request)
        except ApiError as error:
            request.record['code'] = error.code
            request.record['error'] = error.message
            response = error_answer(request, error)
        except (ClientGone, DropConnection):
            raise
        except Exception:           # a fault of this program: make it loud
            request.record['bug'] = traceback.format_exc()
            traceback.print_exc()
            response = error_answer(request, ApiError('InternalError'))
        if plan:
            response = plan.after(response)
        return response, plan


class Connection(socketserver.StreamRequestHandler):
    """One client connection; requests follow each other on it."""

    disable_nagle_algorithm = True

    def setup(self):
        context = self.server.tls
        if context:
            self.request.settimeout(30)
            self.request = context.wrap_socket(self.request,
                                               server_side=True)
            self.request.settimeout(None)
        super().setup()

    def handle(self):
        self.cloud = self.server.cloud
        self.number = next(self.cloud.connections)
        try:
            while not self.cloud.stopping.is_set():
                if not self.one_request():
                    break
        except (ClientGone, OSError):
            pass
        except DropConnection as drop:
            if drop.reset:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                        struct.pack('ii', 1, 0))
            # Not shutdown(): with unread data pending this resets, too.
            self.request.close()

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            pass

    def read_request(self):
        """The next Request, or None at the end of the connection."""
        line = self.rfile.readline(MAX_LINE)
        if not line.strip():
            return None
        words = line.decode('latin-1').split()
        if len(words) != 3 or not words[2].startswith('HTTP/1.'):
            self.bare_answer(400)
            return None
        headers = []
        while True:
            line = self.rfile.readline(MAX_LINE)
            if line in (b'\r\n', b'\n'):
                break
            name, colon, value = line.decode('latin-1').partition(':')
            if (not line or not colon or name != name.strip()
                    or len(headers) >= MAX_HEADERS):
                self.bare_answer(400)
                return None
            headers.append((name, value))
        request = Request(words[0], words[1], headers,
                          scheme='https' if self.server.tls else 'http')
        length = request.header('content-length')
        if request.header('transfer-encoding') is not None:
            length = None
            self.keep = False
        elif length is None:
            length = None if words[0] in ('PUT', 'POST') else 0
        elif not length.isdigit():
            self.bare_answer(400)
            return None
        self.keep = (words[2] != 'HTTP/1.0' and 'close' not in
                     request.header('connection', '').lower()
                     and request.header('transfer-encoding') is None)
        self.expecting = (request.header('expect', '').lower()
                          == '100-continue')
        request.body = Body(self.rfile, None if length is None
                            else int(length), self.send_continue,
                            [self.cloud.throttle]
                            if self.cloud.settings['bandwidth'] else ())
        return request

    def send_continue(self):
        if self.expecting:
            self.expecting = False
            self.wfile.write(b'HTTP/1.1 100 Continue\r\n\r\n')

    def bare_answer(self, status):
        self.wfile.write(b'HTTP/1.1 %d %s\r\nContent-Length: 0\r\n'
                         b'Connection: close\r\n\r\n'
                         % (status, REASONS[status].encode()))

    def one_request(self):
        """Serve one request; False: close the connection."""
        request = self.read_request()
        if request is None:
            return False
        request.request_id = secrets.token_hex(16).upper()
        record = self.cloud.recorder.begin(request, self.number)
        try:
            response, plan = self.cloud.answer(request, self.wait)
            try:
                self.send(request, response, plan)
                record['acked'] = True
            finally:
                if isinstance(response.body, Stream):
                    response.body.close()
            return self.settle(request)
        except (ClientGone, OSError) as error:
            record.setdefault('error', str(error) or repr(error))
            raise ClientGone() from error
        finally:
            self.cloud.recorder.finish(request)

    def send(self, request, response, plan):
        """Write the answer; PLAN may cut it or slow it down."""
        record = request.record
        left = request.body.left
        if left and (self.expecting or left > DRAIN):
            self.keep = False
        prefix = 'x-amz-' if request.dialect == 'aws' else 'x-obs-'
        headers = [(prefix + name[1:] if name.startswith('~') else name,
                    value) for name, value in response.headers]
        headers.append(('Date', http_date(self.cloud.clock())))
        if request.service == 'obs':
            headers += [('Server', 'OBS'),
                        (prefix + 'request-id', request.request_id),
                        (prefix + 'id-2', 'localcloud')]
        else:
            headers.append(('X-Request-Id', request.request_id))
        if response.status not in (204, 304):
            headers.append(('Content-Length', len(response.body)))
        if not self.keep:
            headers.append(('Connection', 'close'))
        head = 'HTTP/1.1 %d %s\r\n%s\r\n' % (
            response.status, REASONS.get(response.status, 'Status'),
            ''.join('%s: %s\r\n' % item for item in headers))
        head = head.encode('latin-1', 'replace')
        record['status'] = response.status
        record['bytes_out'] = 0
        silent = request.method == 'HEAD' or response.status in (204, 304)
        pieces = () if silent else (
            response.body.pieces if isinstance(response.body, Stream)
            else (response.body,))
        if plan and plan.cut:
            self.send_cut(head, pieces, len(response.body), plan)
            return
        throttles = [self.cloud.throttle]
        if plan and plan.throttle:
            throttles.append(plan.throttle)
        if isinstance(pieces, tuple):
            pieces = (head + b''.join(pieces),)
            record['bytes_out'] = -len(head)
        else:
            self.wfile.write(head)
        for piece in pieces:
            for throttle in throttles:
                throttle.take(len(piece))
            self.wfile.write(piece)
            record['bytes_out'] += len(piece)

    def send_cut(self, head, pieces, length, plan):
        """Answer of which only a part is sent before something happens."""
        limit, act = plan.cut
        pieces = iter(pieces)
        data = head + b''.join(bytes(piece) for piece
                               in itertools.islice(pieces, 64))
        if limit is None:
            limit = length // 2
        # An answer without a body is cut in the middle of its head.
        cut = len(head) + limit if length else len(head) // 2
        self.wfile.write(data[:cut])
        act()
        self.wfile.write(data[cut:])
        for piece in pieces:
            self.wfile.write(piece)

    def settle(self, request):
        """After the answer: get rid of a body nobody read, or close."""
        left = request.body.left
        if self.keep and left:
            request.body.breaks.clear()
            request.body.drain(DRAIN)
        if not self.keep and (left or request.body.length is None):
            # Give the client time to read the answer before the reset.
            self.request.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + LINGER_SECONDS
            while time.monotonic() < deadline:
                ready = select.select([self.request], (), (), 0.2)[0]
                if ready and not self.request.recv(PIECE):
                    break
        return self.keep

    def wait(self, seconds):
        """Sleep; for ever without seconds.  Ends when the server stops or
        (without TLS) when the client closes."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.cloud.stopping.is_set():
            left = 0.1 if end is None else min(0.1, end - time.monotonic())
            if left <= 0:
                return
            if self.server.tls:
                time.sleep(left)
            elif select.select([self.request], (), (), left)[0]:
                if not self.request.recv(1, socket.MSG_PEEK):
                    raise ClientGone('closed while stalled')
                time.sleep(left)    # more data is waiting: cannot tell
        raise ClientGone('server stops')


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    block_on_close = False

    def __init__(self, address, cloud, cert=None, key=None):
        self.cloud = cloud
        self.tls = None
        if cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(cert, key)
        super().__init__(address, Connection)

    def handle_error(self, request, client_address):
        """A failed TLS handshake is the client's business; say the rest."""
        if not isinstance(sys.exc_info()[1], (ssl.SSLError, OSError)):
            super().handle_error(request, client_address)
