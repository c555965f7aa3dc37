# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests, their bodies and answers, as they are on the connection."""

import threading
import time
import urllib.parse

PIECE = 1 << 20             # bodies travel in pieces of this size
MAX_TEXT_BODY = 16 << 20    # bodies that must be kept whole (XML, JSON)

ZEROS = bytes(PIECE)


class ClientGone(Exception):
    """The other side closed the connection before it was done."""


class DropConnection(Exception):
    """A fault rule wants the connection closed here and now."""

    def __init__(self, reset=False):
        super().__init__('connection dropped by rule')
        self.reset = reset


class Throttle:
    """Shared rate limit in bytes a second; rate() is asked each time."""

    def __init__(self, rate):
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def take(self, count):
        """Block until COUNT more bytes may pass."""
        rate = self._rate()
        if not rate:
            return
        with self._lock:
            start = max(time.monotonic(), self._free_at)
            self._free_at = start + count / rate
            wait = self._free_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)


class Body:
    """The body of one request, read once, piece by piece.

    length None: no Content-Length, nothing is read.  on_first is called
    before the first read (it sends 100 Continue).  breaks is a list of
    (position, callable): each callable runs when that many bytes have
    arrived, which is where fault rules stall or drop.
    """

    def __init__(self, rfile, length, on_first=None, throttles=()):
        self._rfile = rfile
        self._on_first = on_first
        self._throttles = list(throttles)
        self.length = length
        self.got = 0
        self.breaks = []
        self.started = False

    @property
    def left(self):
        return (self.length or 0) - self.got

    def add_break(self, position, action):
        self.breaks.append((min(position, self.length), action))
        self.breaks.sort(key=lambda item: item[0])

    def add_throttle(self, throttle):
        self._throttles.append(throttle)

    def _run_breaks(self):
        while self.breaks and self.breaks[0][0] <= self.got:
            self.breaks.pop(0)[1]()

    def _start(self):
        if not self.started:
            self.started = True
            if self._on_first and self.left:
                self._on_first()
            self._run_breaks()

    def pieces(self):
        """Yield the rest of the body.  A piece is valid until the next."""
        self._start()
        if not self.left:
            return
        buf = memoryview(bytearray(min(PIECE, self.left)))
        while self.left:
            want = min(len(buf), self.left)
            if self.breaks:
                want = min(want, self.breaks[0][0] - self.got)
            for throttle in self._throttles:
                want = min(want, 65536)
                throttle.take(want)
            try:
                count = self._rfile.readinto(buf[:want])
            except OSError as error:
                raise ClientGone('connection lost in request body') from error
            if not count:
                raise ClientGone('connection closed in request body')
            self.got += count
            yield buf[:count]
            self._run_breaks()

    def read_all(self, limit=MAX_TEXT_BODY):
        """The whole body, or None if it is longer than LIMIT."""
        if self.left > limit:
            return None
        return b''.join(bytes(piece) for piece in self.pieces())

    def drain(self, limit):
        """Throw the rest away; False if there is more than LIMIT."""
        if self.left > limit:
            return False
        for _ in self.pieces():
            pass
        return True


def parse_query(raw):
    """'a=1&b' -> [('a', '1'), ('b', None)], percent signs decoded."""
    pairs = []
    for item in raw.split('&') if raw else ():
        if not item:
            continue
        name, equals, value = item.partition('=')
        pairs.append((urllib.parse.unquote_plus(name),
                      urllib.parse.unquote_plus(value) if equals else None))
    return pairs


class Request:
    """One request.  Header names are lower case, values stripped."""

    def __init__(self, method, target, headers, body=None, scheme='http'):
        self.method = method
        self.target = target
        self.raw_path, _, self.raw_query = target.partition('?')
        self.query = parse_query(self.raw_query)
        self.headers = [(name.lower(), value.strip())
                        for name, value in headers]
        self.body = body
        self.scheme = scheme
        self.host = self.header('host', '')
        # Filled by route.py
        self.service = None
        self.region = None
        self.bucket = None
        self.key = None
        self.style = None           # 'vhost', 'path' or 'custom'
        # Filled by the services
        self.op = None
        self.path_names = {}        # named pieces of the path (IMS)
        self.dialect = 'obs'        # prefix of the answer's x-... headers
        self.caller = None          # accounts.Caller, None = anonymous
        self.payload_sha256 = None  # what the signature says of the body
        self.request_id = None
        self.record = {}

    def header(self, name, default=None):
        """Value of a header; several of one name are joined by a comma."""
        values = [value for key, value in self.headers if key == name]
        return ','.join(values) if values else default

    def ext(self, name, default=None):
        """Value of x-obs-NAME, or x-amz-NAME in the AWS dialect."""
        prefix = 'x-amz-' if self.dialect == 'aws' else 'x-obs-'
        return self.header(prefix + name, default)

    def has_query(self, name):
        return any(key == name for key, _ in self.query)

    def arg(self, name, default=None):
        """First value of a query name; '' when it stands without one."""
        for key, value in self.query:
            if key == name:
                return value if value is not None else ''
        return default


class Response:
    """status, [(header, value)], and bytes or a Stream for the body.

    A header name that begins with '~' gets the x-obs-/x-amz- prefix of the
    request's dialect when it is sent.
    """

    def __init__(self, status=200, headers=(), body=b'', content_type=None):
        self.status = status
        self.headers = list(headers)
        self.body = body.encode() if isinstance(body, str) else body
        if content_type:
            self.headers.append(('Content-Type', content_type))

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def set_header(self, name, value):
        self.headers = [(key, old) for key, old in self.headers
                        if key.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))


class Stream:
    """A body of known length that is produced as it is sent.

    close() is called in every case, sent or not.
    """

    def __init__(self, length, pieces, close=lambda: None):
        self.length = length
        self.pieces = pieces
        self.close = close

    def __len__(self):
        return self.length


def http_date(when):
    """Epoch seconds -> 'Fri, 02 Jan 2026 03:04:05 GMT'."""
    return time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime(when))


def iso_date(when, fraction=3):
    """Epoch seconds -> '2026-01-02T03:04:05.000Z'."""
    text = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(when))
    digits = '%0*d' % (fraction, int(when % 1 * 10 ** fraction))
    return '%s.%sZ' % (text, digits)
