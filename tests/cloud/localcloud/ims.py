# SPDX-License-Identifier: GPL-2.0-or-later
"""The image service: quick import, jobs, and the lookups around them."""

import json
import re
import uuid

from . import gateway, imsbody
from .errors import ApiError, json_error
from .imsjobs import Jobs
from .obsmeta import SSE_C
from .record import hide
from .wire import Response, iso_date

MAX_FILE = 1 << 40

PATHS = (
    ('POST', r'/v2(?:\.1)?/cloudimages/quickimport/action', 'quickimport'),
    ('GET', r'/v1/cloudimages/job/(?P<job>[^/]+)', 'job-cloudimages'),
    ('GET', r'/v1/(?P<project>[0-9a-f]{32})/jobs/(?P<job>[^/]+)',
     'job-project'),
    ('GET', r'/v2/cloudimages', 'list-images'),
    ('GET', r'/v1/cloudimages/os_version', 'list-os'),
    ('GET', r'/v1/cloudimages/quota', 'quota'),
)


def json_answer(value):
    return Response(200, (), json.dumps(value), 'application/json')


class ImsService:
    def __init__(self, shelf, accounts, settings, clock):
        self.shelf = shelf
        self.accounts = accounts
        self.settings = settings
        self.clock = clock
        self.jobs = Jobs(shelf, settings, clock)

    def error(self, request, error):
        return json_error(request, error, self.settings['ims_error_style'])

    def classify(self, request):
        request.op = 'unknown'
        for method, pattern, op in PATHS:
            match = re.fullmatch(pattern, request.raw_path)
            if match and method == request.method:
                request.op = op
                request.path_names = match.groupdict()

    def handle(self, request):
        if request.op == 'unknown':
            raise gateway.no_such_api()
        if request.op.startswith('job-') and (
                request.op[4:] not in self.settings['job_paths']):
            raise gateway.no_such_api(self.settings['job_path_status'])
        body = gateway.read_body(request)
        gateway.authenticate(request, body, self.accounts,
                             self.settings['ims_auth'])
        project = self.project(request)
        name = 'op_' + request.op.replace('-', '_')
        if request.op == 'quickimport':
            fields = gateway.parse_json(request, body, 'IMG.0001')
            request.record['json'] = hide(fields)
            return self.op_quickimport(request, project, fields)
        return getattr(self, name)(request, project)

    def project(self, request):
        """Id of the project that is meant, proven to be the caller's."""
        caller = request.caller
        in_path = request.path_names.get('project')
        in_header = request.header('x-project-id')
        if caller.kind == 'token':
            scope = caller.scope.get('project')
            if scope is None:
                raise ApiError('IMG.0026', 'The token has no project scope.',
                               status=403)
            ident = scope['id']
        else:
            ident = in_header or in_path
            if ident is None:
                raise ApiError('APIGW.0301', 'Incorrect IAM authentication '
                               'information: X-Project-Id is needed with '
                               'AK/SK', status=401, gateway=True)
        found = self.accounts.find_project(caller.user, ident=ident)
        region = found and found['name'].partition('_')[0]
        if (region != request.region or in_path not in (None, ident)
                or in_header not in (None, ident)):
            raise ApiError('IMG.0030', 'The project does not match the '
                           'token, the account or the region.', status=403)
        return ident

    def need(self, permission):
        if permission in self.settings['denied']:
            raise ApiError('IMG.0026', 'Policy doesn\'t allow %s to be '
                           'performed.' % permission, status=403,
                           extra={'encoded_authorization_message': 'bm9wZQ'})

    # -- import

    def op_quickimport(self, request, project, fields):
        fields = imsbody.check_body(fields)
        self.need('ims:dataImages:create' if fields['type'] == 'DataImage'
                  else 'ims:serverImages:create')
        mine = self.jobs.images(project)
        if self.settings['unique_names'] and any(
                image['name'] == fields['name'] for image in mine):
            raise ApiError('IMG.0009', 'The image name %s exists.'
                           % fields['name'])
        if len(mine) >= self.settings['image_quota']:
            raise ApiError('IMG.0015', 'The image quota is used up.')
        if self.jobs.running() >= self.settings['max_running_jobs']:
            raise ApiError('IMG.0194', 'Too many imports are running.')
        with self.shelf.lock:
            self.check_object(request, fields)
            job = self.jobs.start(fields, project)
        request.record.update(job_id=job.id, image_id=job.image_id)
        return json_answer({'job_id': job.id})

    def check_object(self, request, fields):
        """What is refused at once; the contents are the job's business."""
        bucket = self.shelf.buckets.get(fields['bucket'])
        if (bucket is None
                or bucket.owner_id != request.caller.user.domain_id):
            raise ApiError('IMG.0069', 'The bucket %s does not exist or is '
                           'not accessible.' % fields['bucket'])
        if bucket.region != request.region:
            raise ApiError('IMG.0058', 'The bucket is in another region.')
        found = bucket.objects.get(fields['key'])
        if found is None:
            raise ApiError('IMG.0057', 'The image file %s does not exist.'
                           % fields['key'])
        if bucket.storage_class != 'STANDARD' \
                or found.storage_class != 'STANDARD':
            raise ApiError('IMG.0057', 'Bucket and file must be of the '
                           'Standard storage class.')
        if SSE_C + 'algorithm' in found.headers:
            raise ApiError('IMG.0057', 'The file is encrypted with a key of '
                           'the customer and cannot be read.')
        if found.size > MAX_FILE:
            raise ApiError('IMG.0059', 'The image file is too large.')

    # -- jobs

    def find_job(self, request, project):
        self.need('ims:imageJobs:getPercentage')
        job = self.jobs.jobs.get(request.path_names['job'])
        if job is None or job.project_id != project:
            # No document names a code for this.
            raise ApiError('IMG.0001', 'The job does not exist.', status=404)
        return json_answer(self.jobs.job_json(job))

    op_job_cloudimages = find_job
    op_job_project = find_job

    # -- lookups

    def op_list_images(self, request, project):
        self.need('ims:images:list')
        found = self.jobs.images(project)
        if request.arg('__imagetype', 'private') != 'private':
            found = []
        for name in ('id', 'name', 'status', 'owner', 'virtual_env_type'):
            if request.has_query(name):
                found = [image for image in found
                         if image[name] == request.arg(name)]
        found.sort(key=lambda image: (image['created_at'], image['id']))
        if request.has_query('marker'):
            at = next((number for number, image in enumerate(found)
                       if image['id'] == request.arg('marker')), None)
            if at is None:
                raise ApiError('IMG.0001', 'marker is unknown.')
            found = found[at + 1:]
        limit = request.arg('limit', '25')
        if not re.fullmatch(r'\d{1,6}', limit):
            raise ApiError('IMG.0001', 'limit is not a number.')
        return json_answer({'images': found[:int(limit)]})

    @staticmethod
    def op_list_os(request, _project):
        tags = [tag for name, value in request.query if name == 'tag'
                for tag in (value or '').split(',') if tag]
        if set(tags) - {'uefi', 'bms', 'arm', 'x86', 'kvm'}:
            raise ApiError('IMG.0001', 'unknown tag.')
        return json_answer(imsbody.os_list(tags))

    def op_quota(self, _request, project):
        quota = self.settings['image_quota']
        return json_answer({'quotas': {'resources': [
            {'type': 'image', 'used': len(self.jobs.images(project)),
             'quota': quota, 'min': 0, 'max': quota}]}})

    # -- for control.py

    def add_image(self, name, status='active'):
        """An image of the first account that is there already."""
        user = self.accounts.users[0]
        project = self.accounts.find_project(
            user, name=self.accounts.regions[0])
        image = {'id': str(uuid.uuid4()), 'name': name, 'status': status,
                 'owner': project['id'], 'min_disk': 40,
                 'created_at': iso_date(self.clock())[:19] + 'Z',
                 'visibility': 'private', '__imagetype': 'private',
                 'virtual_env_type': 'FusionCompute',
                 'disk_format': 'zvhd2', '__image_size': '4096'}
        with self.jobs.lock:
            self.jobs.extra_images.append(image)
        return image

    def state(self):
        with self.jobs.lock:
            jobs = list(self.jobs.jobs.values())
        return {'jobs': [dict(self.jobs.job_json(job), fields=job.fields,
                              bytes_read=job.bytes_read) for job in jobs],
                'images': [image for project in {job.project_id
                                                 for job in jobs}
                           for image in self.jobs.images(project)]}
