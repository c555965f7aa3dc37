# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that make chosen requests go wrong, in a fixed order.

A rule is a JSON object.  The first rule that matches a request and is not
used up acts on it; with "continue": true later rules may act as well.

Which requests ("match", all of it has to fit; regular expressions match
anywhere unless anchored):
    service  obs iam ims metadata       op      upload-part, complete, ...
    method   PUT                        path    expression on the raw path
    host     expression                 bucket, key   expressions
    part     7, [1, 2] or "3-9"         query   {"uploadId": expression}
    header   {"x-obs-copy-source": expression}
    An expression may be true (is there) or false (is not there).
Which of them: "skip": N lets the first N pass, "every": N takes each N-th,
"count": N stops after N (default 1; null: never stops).

What happens ("action"):
    answer    instead of the request: status, code, message, headers, body;
              "early": true answers before the body is read
    redirect  status (307), host (same), scheme (same)
    drop      close the connection "when": before | body | after | response;
              "bytes": after that many (default half); "reset": true for RST
    stall     the same places; "seconds", without: for ever
    etag      do it, but answer another ETag
    rewrite   do it ("do": false: do not), then answer with status, body,
              headers; what is left out stays
    expire    what: upload (of this request), tokens, keys; then go on
    set       settings: {...}, then go on
    slow      rate: bytes a second for this request's bodies
"""

import re
import threading

from .errors import ApiError
from .wire import DropConnection, Response, Throttle

MATCH = {'service', 'op', 'method', 'path', 'host', 'bucket', 'key', 'part',
         'query', 'header'}
COMMON = {'match', 'skip', 'every', 'count', 'action', 'continue', 'name'}
ACTIONS = {
    'answer': {'status', 'code', 'message', 'headers', 'body', 'early'},
    'redirect': {'status', 'host', 'scheme', 'early'},
    'drop': {'when', 'bytes', 'reset'},
    'stall': {'when', 'bytes', 'seconds'},
    'etag': set(),
    'rewrite': {'do', 'status', 'body', 'headers'},
    'expire': {'what'},
    'set': {'settings'},
    'slow': {'rate'},
}
NEEDED = {'expire': 'what', 'set': 'settings', 'slow': 'rate'}
WHEN = ('before', 'body', 'after', 'response')


def fits(expression, value):
    """Does VALUE (text or None) fit an expression, true or false?"""
    if isinstance(expression, bool):
        return expression == (value is not None)
    return value is not None and re.search(expression, value) is not None


def fits_part(wanted, number):
    if number is None:
        return False
    if isinstance(wanted, str):
        first, _, last = wanted.partition('-')
        return int(first) <= number <= int(last or first)
    return number in (wanted if isinstance(wanted, list) else [wanted])


class Rule:
    def __init__(self, number, fields):
        unknown = set(fields) - COMMON - ACTIONS.get(fields.get('action'),
                                                     set())
        if fields.get('action') not in ACTIONS or unknown:
            raise ValueError('fault rule: bad action or field: %s'
                             % (', '.join(sorted(unknown))
                                or fields.get('action')))
        if set(fields.get('match', {})) - MATCH:
            raise ValueError('fault rule: bad match: %s' % ', '.join(
                sorted(set(fields['match']) - MATCH)))
        if fields.get('when', 'before') not in WHEN:
            raise ValueError('fault rule: bad when: %s' % fields['when'])
        needed = NEEDED.get(fields['action'])
        if needed and needed not in fields:
            raise ValueError('fault rule: %s is missing' % needed)
        self.number = number
        self.fields = fields
        self.match = fields.get('match', {})
        self.name = fields.get('name') or '%s-%d' % (fields['action'], number)
        self.seen = 0           # requests that matched
        self.hits = 0           # times it acted

    def matches(self, request):
        part = request.arg('partNumber', '')
        part = int(part) if part.isdigit() else None
        for name, wanted in self.match.items():
            if name in ('service', 'op', 'method'):
                value = getattr(request, name)
                good = value in (wanted if isinstance(wanted, list)
                                 else [wanted])
            elif name == 'part':
                good = fits_part(wanted, part)
            elif name in ('query', 'header'):
                look = request.arg if name == 'query' else request.header
                good = all(fits(expression, look(key))
                           for key, expression in wanted.items())
            else:
                good = fits(wanted, getattr(
                    request, 'raw_path' if name == 'path' else name))
            if not good:
                return False
        return True

    def wants(self, request):
        """Counts the request if it matches; True: act on it now."""
        count = self.fields.get('count', 1)
        if count is not None and self.hits >= count:
            return False
        if not self.matches(request):
            return False
        self.seen += 1
        turn = self.seen - self.fields.get('skip', 0)
        if turn <= 0 or turn % self.fields.get('every', 1):
            return False
        self.hits += 1
        return True

    def report(self):
        return {'number': self.number, 'name': self.name, 'seen': self.seen,
                'hits': self.hits, 'rule': self.fields}


class Plan:
    """What the rules that were chosen do to one request.

    wait(seconds) is the server's: it ends early when it stops or when the
    client goes away.
    """

    def __init__(self, rules, cloud, request, service, wait):
        self.rules = rules
        self.cloud = cloud
        self.request = request
        self.service = service
        self.wait = wait
        self.cut = None         # (bytes of answer body or None, callable)
        self.throttle = None
        for rule in rules:
            fields = rule.fields
            if fields.get('when') == 'body':
                self._at_body(fields)
            elif fields.get('when') == 'response':
                self.cut = (fields.get('bytes'), self._break(fields))
            elif fields['action'] == 'slow':
                throttle = Throttle(lambda rate=fields['rate']: rate)
                request.body.add_throttle(throttle)
                self.throttle = throttle

    def _break(self, fields):
        """The callable that stalls or drops."""
        def act():
            if fields['action'] == 'stall':
                self.request.record['stalled'] = True
                self.wait(fields.get('seconds'))
                self.request.record.pop('stalled')
            else:
                raise DropConnection(fields.get('reset', False))
        return act

    def _at_body(self, fields):
        length = self.request.body.length or 0
        self.request.body.add_break(fields.get('bytes', length // 2),
                                    self._break(fields))

    def before(self):
        """Act before the service does: a Response to send in its place, or
        None to go on."""
        for rule in self.rules:
            fields, action = rule.fields, rule.fields['action']
            if action in ('answer', 'redirect'):
                if not fields.get('early'):
                    for _ in self.request.body.pieces():
                        pass
                return self._answer(fields)
            if action in ('drop', 'stall') and fields.get(
                    'when', 'before') == 'before':
                self._break(fields)()
            if action == 'set':
                self.cloud.settings.update(fields['settings'])
            if action == 'expire':
                self._expire(fields['what'])
            if action == 'rewrite' and not fields.get('do', True):
                for _ in self.request.body.pieces():
                    pass
                return Response(200)
        return None

    def _answer(self, fields):
        if fields['action'] == 'redirect':
            status = fields.get('status', 307)
            host = fields.get('host', self.request.host)
            location = '%s://%s%s' % (
                fields.get('scheme', self.request.scheme), host,
                self.request.target)
            code = ('PermanentRedirect' if status == 301
                    else 'TemporaryRedirect')
            error = ApiError(code, status=status, extra={
                'Endpoint': host}, headers=[('Location', location)])
            return self.service.error(self.request, error)
        headers = list(fields.get('headers', {}).items())
        status = fields.get('status', 500)
        if 'body' in fields:
            return Response(status, headers, fields['body'])
        code = fields.get('code', {
            403: 'AccessDenied', 429: 'TooManyRequests', 500: 'InternalError',
            503: 'ServiceUnavailable'}.get(status, 'InternalError'))
        self.request.record['code'] = code
        return self.service.error(self.request, ApiError(
            code, fields.get('message'), status, headers=headers))

    def _expire(self, what):
        if what == 'upload':
            shelf = self.cloud.shelf
            with shelf.lock:
                upload = shelf.uploads.get(self.request.arg('uploadId'))
                if upload:
                    shelf.drop_upload(upload)
        else:
            self.cloud.accounts.expire(what)

    def after(self, response):
        """Act when the service is done: the Response to send."""
        for rule in self.rules:
            fields, action = rule.fields, rule.fields['action']
            if fields.get('when') == 'after':
                self._break(fields)()
            if action == 'etag':
                response = self._other_etag(response)
            if action == 'rewrite':
                response.status = fields.get('status', response.status)
                if 'body' in fields:
                    response.body = fields['body'].encode()
                for name, value in fields.get('headers', {}).items():
                    response.set_header(name, value)
        return response

    @staticmethod
    def _other_etag(response):
        def other(text):
            return re.sub('[0-9a-f]', lambda digit: '%x' % (
                15 - int(digit.group(), 16)), text, count=1)
        if response.header('ETag'):
            response.set_header('ETag', other(response.header('ETag')))
        if isinstance(response.body, bytes):
            response.body = re.sub(
                b'(<ETag>[^<0-9a-f]*(?:&quot;)?)([0-9a-f]+)',
                lambda found: found.group(1)
                + other(found.group(2).decode()).encode(), response.body)
        return response


class Faults:
    """The list of rules; POST /_control/faults adds to it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rules = []
        self._next = 1

    def add(self, fields):
        with self._lock:
            rule = Rule(self._next, fields)
            self._next += 1
            self._rules.append(rule)
            return rule.report()

    def clear(self):
        with self._lock:
            self._rules = []

    def report(self):
        with self._lock:
            return [rule.report() for rule in self._rules]

    def choose(self, request):
        """The rules that act on a request (they count it)."""
        chosen = []
        with self._lock:
            for rule in self._rules:
                if rule.wants(request):
                    chosen.append(rule)
                    if not rule.fields.get('continue'):
                        break
        return chosen
