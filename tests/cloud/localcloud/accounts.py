# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may call: users, projects, tokens, permanent and temporary keys.

Two accounts exist from the start: the one that tests use and a stranger.
The second user of the first account shows who may continue an upload.
Tokens and temporary keys live in memory only: a restart forgets them, as if
they had expired.
"""

import hashlib
import secrets
import threading

from .errors import ApiError
from .sdkhmac import refuse


def stable_id(*words):
    """32 hex digits that stay the same from run to run."""
    return hashlib.md5('/'.join(words).encode()).hexdigest()


class User:
    def __init__(self, name, password, domain, ak, sk):
        self.name = name
        self.password = password
        self.domain = domain                        # account name
        self.id = stable_id('user', domain, name)
        self.domain_id = stable_id('domain', domain)
        self.ak = ak
        self.sk = sk
        self.locked = False


class Key:
    """An access key.  token is None for a permanent one."""

    def __init__(self, user, ak, sk, token=None, expires=None):
        self.user = user
        self.ak = ak
        self.sk = sk
        self.token = token
        self.expires = expires


class Token:
    def __init__(self, user, scope, expires):
        self.user = user
        self.scope = scope          # {'project': {...}} or {'domain': {...}}
        self.expires = expires


class Caller:
    """The proven identity behind one request."""

    def __init__(self, user, kind, ak=None, scope=None, temporary=False):
        self.user = user
        self.kind = kind            # obs v2 v4 sdk sdk-legacy token
        self.ak = ak
        self.scope = scope
        self.temporary = temporary


class Accounts:
    def __init__(self, regions, ak, sk, clock):
        self._lock = threading.RLock()
        self._clock = clock
        self.regions = list(regions)
        self.users = [
            User('demo', 'Demo-Passw0rd', 'demo-account', ak, sk),
            User('second', 'Second-Passw0rd', 'demo-account',
                 'AKLOCALCLOUDSECOND02',
                 'sk/Local+Cloud/Second=User0000000002'),
            User('stranger', 'Stranger-Passw0rd', 'other-account',
                 'AKLOCALCLOUDOTHER003',
                 'sk/Local+Cloud/Stranger0000000000003'),
        ]
        self.keys = {user.ak: Key(user, user.ak, user.sk)
                     for user in self.users}
        self.tokens = {}

    # Projects: one for each region and account, and one sub-project.

    def projects(self, user):
        names = []
        for region in self.regions:
            names += [region, region + '_sub']
        return [{'id': stable_id('project', user.domain, name), 'name': name,
                 'domain_id': user.domain_id, 'enabled': True,
                 'is_domain': False, 'parent_id': user.domain_id,
                 'description': ''} for name in names]

    def find_project(self, user, name=None, ident=None):
        for project in self.projects(user):
            if ident == project['id'] or name == project['name']:
                return project
        return None

    def find_user(self, ident=None, name=None, domain=None, domain_id=None):
        for user in self.users:
            if ident is not None and user.id == ident:
                return user
            if name is not None and user.name == name and (
                    user.domain == domain or user.domain_id == domain_id):
                return user
        return None

    # Tokens

    def issue_token(self, user, scope, life, length):
        """A new token; real ones are some kilobytes long."""
        text = 'MII' + secrets.token_urlsafe(length)[:length - 3]
        token = Token(user, scope, self._clock() + life)
        with self._lock:
            self.tokens[text] = token
        return text, token

    def check_token(self, text):
        with self._lock:
            token = self.tokens.get(text)
        if token is None or token.user.locked:
            raise ApiError('APIGW.0301', 'Incorrect IAM authentication '
                           'information: decrypt token fail', status=401,
                           gateway=True)
        if token.expires <= self._clock():
            raise ApiError('APIGW.0307', 'The token must be updated.',
                           status=401, gateway=True)
        return Caller(token.user, 'token', scope=token.scope)

    # Keys

    def issue_key(self, user, life):
        """A temporary key with its security token."""
        key = Key(user, 'HST' + secrets.token_hex(9).upper()[:17],
                  secrets.token_urlsafe(30), 'gQ' + secrets.token_urlsafe(400),
                  self._clock() + life)
        with self._lock:
            self.keys[key.ak] = key
        return key

    def check_obs(self, claim):
        """Prove an OBS/AWS claim; the Caller, or ApiError."""
        with self._lock:
            key = self.keys.get(claim.ak)
        if key is None:
            raise ApiError('InvalidAccessKeyId')
        claim.check(key.sk, self._clock())
        if key.token != claim.token:
            raise ApiError('InvalidSecurity', 'The security token is missing '
                           'or does not belong to this access key.')
        if key.expires is not None and key.expires <= self._clock():
            raise ApiError('InvalidSecurity',
                           'The provided security token has expired.')
        return Caller(key.user, claim.kind, key.ak,
                      temporary=key.token is not None)

    def check_sdk(self, claim):
        """Prove an SDK-HMAC-SHA256 claim; the Caller, or ApiError."""
        with self._lock:
            key = self.keys.get(claim.ak)
        if key is None:
            raise refuse('the access key %s does not exist' % claim.ak)
        claim.check(key.sk, self._clock())
        if key.token != claim.token:
            raise refuse('the security token is missing or does not belong '
                         'to this access key')
        if key.expires is not None and key.expires <= self._clock():
            raise refuse('the security token has expired')
        return Caller(key.user, claim.kind, key.ak,
                      temporary=key.token is not None)

    def expire(self, what):
        """Make all tokens or all temporary keys out of date at once."""
        past = self._clock() - 1
        with self._lock:
            if what == 'tokens':
                for token in self.tokens.values():
                    token.expires = past
            elif what == 'keys':
                for key in self.keys.values():
                    if key.token is not None:
                        key.expires = past
            else:
                raise ValueError('expire: tokens or keys, not %r' % what)
