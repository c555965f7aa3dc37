# SPDX-License-Identifier: GPL-2.0-or-later
"""IAM: tokens, temporary access keys, projects, domains."""

import json

from . import gateway
from .errors import ApiError, iam_error
from .record import hide
from .wire import Response, iso_date

OPS = {('POST', '/v3/auth/tokens'): 'create-token',
       ('POST', '/v3.0/OS-CREDENTIAL/securitytokens'): 'create-key',
       ('GET', '/v3/projects'): 'list-projects',
       ('GET', '/v3/auth/projects'): 'list-projects',
       ('GET', '/v3/auth/domains'): 'list-domains'}


def member(value, *path, kind=dict):
    """value[path...] of a JSON body, or 400."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise ApiError('IAM', 'Expecting to find %s in the request body.'
                           % '.'.join(path))
        value = value[name]
    if not isinstance(value, kind):
        raise ApiError('IAM', '%s has the wrong type.' % '.'.join(path))
    return value


def wrong_password():
    return ApiError('IAM', 'The username or password is wrong.', status=401)


class IamService:
    def __init__(self, accounts, settings, clock):
        self.accounts = accounts
        self.settings = settings
        self.clock = clock

    error = staticmethod(iam_error)

    def classify(self, request):
        path = request.raw_path.rstrip('/')
        request.op = OPS.get((request.method, path), 'unknown')

    def handle(self, request):
        if request.op == 'unknown':
            raise gateway.no_such_api()
        body = gateway.read_body(request)
        if request.method == 'POST':
            fields = gateway.parse_json(request, body, 'IAM')
            request.record['json'] = hide(fields)
        if request.op == 'create-token':
            return self.create_token(request, fields)
        if request.op == 'create-key':
            gateway.authenticate(request, body, self.accounts, ('token',))
            return self.create_key(request, fields)
        gateway.authenticate(request, body, self.accounts)
        if request.op == 'list-projects':
            return self.list_projects(request)
        return self.list_domains(request)

    # -- tokens

    def create_token(self, request, fields):
        identity = member(fields, 'auth', 'identity')
        methods = member(identity, 'methods', kind=list)
        if 'password' not in methods or any(
                method not in ('password', 'totp') for method in methods):
            raise ApiError('IAM', 'methods must be ["password"].')
        given = member(identity, 'password', 'user')
        domain = member(given, 'domain') if 'domain' in given else {}
        user = self.accounts.find_user(given.get('id'), given.get('name'),
                                       domain.get('name'), domain.get('id'))
        if user is None or user.password != given.get('password'):
            raise wrong_password()
        if user.locked:
            raise ApiError('IAM', 'The user is locked.', status=403)
        scope = self.scope_of(user, member(fields, 'auth').get('scope'))
        text, token = self.accounts.issue_token(
            user, scope, self.settings['token_life'],
            self.settings['token_length'])
        answer = {
            'expires_at': iso_date(token.expires, 6),
            'issued_at': iso_date(self.clock(), 6), 'methods': methods,
            'user': {'id': user.id, 'name': user.name,
                     'domain': {'id': user.domain_id, 'name': user.domain},
                     'password_expires_at': ''},
            'roles': [{'id': '0', 'name': 'te_admin'},
                      {'id': '0', 'name': 'op_gated_lld'}]}
        answer.update(scope)
        if request.arg('nocatalog', '').lower() != 'true':
            answer['catalog'] = [
                {'type': name, 'name': name, 'id': name, 'endpoints': [
                    {'region': region, 'interface': 'public',
                     'url': '%s://%s.%s.localhost' % (request.scheme, name,
                                                      region)}
                    for region in self.accounts.regions]}
                for name in ('iam', 'image', 'ims', 'obs', 'compute', 'vpc')]
        return Response(201, [('X-Subject-Token', text)],
                        json.dumps({'token': answer}), 'application/json')

    def scope_of(self, user, scope):
        """The scope of a request -> what the token answer says of it."""
        domain = {'id': user.domain_id, 'name': user.domain}
        if scope is None:
            return {'domain': domain}
        if not isinstance(scope, dict) or len(scope) != 1:
            raise ApiError('IAM', 'The scope must be a project or a domain.')
        if 'domain' in scope:
            wanted = member(scope, 'domain')
            if (wanted.get('id') not in (None, user.domain_id)
                    or wanted.get('name') not in (None, user.domain)
                    or not wanted):
                raise ApiError('IAM', 'The domain of the scope is not that '
                               'of the user.', status=401)
            return {'domain': domain}
        wanted = member(scope, 'project')
        owner = member(wanted, 'domain') if 'domain' in wanted else {}
        found = self.accounts.find_project(user, wanted.get('name'),
                                           wanted.get('id'))
        if (found is None or owner.get('name') not in (None, user.domain)
                or owner.get('id') not in (None, user.domain_id)):
            raise ApiError('IAM', 'The project of the scope does not exist.')
        return {'project': {'id': found['id'], 'name': found['name'],
                            'domain': domain}}

    # -- temporary keys

    def create_key(self, request, fields):
        identity = member(fields, 'auth', 'identity')
        if member(identity, 'methods', kind=list) != ['token']:
            raise ApiError('IAM', 'methods must be ["token"].')
        options = identity.get('token', {})
        if not isinstance(options, dict):
            raise ApiError('IAM', 'token has the wrong type.')
        if options.get('id') not in (None, request.header('x-auth-token')):
            raise ApiError('IAM', 'token.id is not the X-Auth-Token.',
                           status=401)
        life = options.get('duration_seconds', 900)
        if type(life) is not int or not 900 <= life <= 86400:
            raise ApiError('IAM', 'duration_seconds must be 900 to 86400.')
        key = self.accounts.issue_key(request.caller.user, life)
        return Response(201, (), json.dumps({'credential': key_json(key)}),
                        'application/json')

    # -- lookups

    def list_projects(self, request):
        name = request.arg('name')
        found = [project for project
                 in self.accounts.projects(request.caller.user)
                 if name in (None, project['name'])]
        return Response(200, (), json.dumps({
            'projects': found, 'links': {'self': request.target}}),
            'application/json')

    @staticmethod
    def list_domains(request):
        user = request.caller.user
        return Response(200, (), json.dumps({'domains': [
            {'id': user.domain_id, 'name': user.domain, 'enabled': True,
             'description': ''}], 'links': {'self': request.target}}),
            'application/json')


def key_json(key):
    """A temporary key as IAM and the metadata service write it."""
    return {'access': key.ak, 'secret': key.sk, 'securitytoken': key.token,
            'expires_at': iso_date(key.expires, 6)}
