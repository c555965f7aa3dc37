#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The local cloud proves itself: IAM, metadata, and the image service."""

import glob
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib')]

import zvhd2ref                                     # noqa: E402
from cloudcase import CloudCase                     # noqa: E402
from localcloud import imagecheck                   # noqa: E402

VECTORS = os.path.join(HERE, '..', '..', '..', 'shared', 'vectors', 'zvhd2')
MIB, GIB = 1 << 20, 1 << 30
UBUNTU = 'Ubuntu 22.04 server 64bit'
TTL = {'X-Metadata-Token-Ttl-Seconds': '600'}


class Services(CloudCase):
    options = {'regions': ('eu-de', 'eu-nl')}

    def post(self, path, body, **headers):
        return self.cloud.request('POST', path, dict(
            headers, **{'Content-Type': 'application/json;charset=utf8'}),
            json.dumps(body))

    def password(self, scope={'project': {'name': 'eu-de'}}, **change):
        user = {'name': 'demo', 'password': 'Demo-Passw0rd',
                'domain': {'name': 'demo-account'}}
        user.update(change)
        auth = {'identity': {'methods': ['password'],
                             'password': {'user': user}}}
        if scope is not None:
            auth['scope'] = scope
        return self.post('/v3/auth/tokens?nocatalog=true', {'auth': auth})

    def token(self, **how):
        answer = self.password(**how)
        self.assertEqual(answer.status, 201)
        return answer.headers['x-subject-token']


class Iam(Services):
    def test_password(self):
        answer = self.password()
        self.assertEqual(answer.status, 201)
        text, token = answer.headers['x-subject-token'], answer.json()['token']
        self.assertEqual(token['project']['id'], self.cloud.project_id)
        self.assertRegex(token['expires_at'],
                         r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$')
        self.assertNotIn('catalog', token)
        self.assertGreater(len(text), 3000)
        self.assertEqual(self.cloud.request('GET', '/v3/projects', {
            'X-Auth-Token': text}).status, 200)
        for how, status in (({'password': 'no'}, 401), ({'name': 'x'}, 401),
                            ({'scope': {'project': {'name': 'mars'}}}, 400),
                            ({'scope': {}}, 400)):
            answer = self.password(**how)
            self.assertEqual(answer.status, status, how)
            self.assertEqual(answer.json()['error']['code'], status)
        log = json.dumps(self.cloud.log())
        self.assertNotIn('Demo-Passw0rd', log)
        self.assertNotIn(text, log)

    def test_temporary_keys(self):
        cloud = self.cloud
        token = self.token()
        path = '/v3.0/OS-CREDENTIAL/securitytokens'
        body = {'auth': {'identity': {'methods': ['token'], 'token': {
            'duration_seconds': 900}}}}
        answer = self.post(path, body, **{'X-Auth-Token': token})
        self.assertEqual(answer.status, 201)
        key = answer.json()['credential']
        how = {'ak': key['access'], 'sk': key['secret']}
        bearer = {'x-obs-security-token': key['securitytoken']}
        self.ok(cloud.obs('PUT', 't', headers=bearer, body=b'x', **how))
        self.fails(cloud.obs('PUT', 't', **how), 403, 'InvalidSecurity')
        self.assertEqual(cloud.sdk('GET', '/v3/projects', headers={
            'x-security-token': key['securitytoken']}, **how).status, 200)
        self.assertNotIn(key['securitytoken'], json.dumps(cloud.log()))
        # A new key of the same user goes on with an upload, unless told.
        upload = self.begin('u', headers=bearer, **how)
        self.ok(self.part('u', upload, 1, b'x'))
        cloud.set(initiator_per_key=True)
        self.fails(self.part('u', upload, 1, b'x'), 403, 'AccessDenied')
        cloud.expire('keys')
        self.fails(cloud.obs('PUT', 't', headers=bearer, **how), 403,
                   'InvalidSecurity')
        body['auth']['identity']['token']['duration_seconds'] = 60
        self.assertEqual(self.post(path, body, **{
            'X-Auth-Token': token}).status, 400)
        cloud.expire('tokens')
        answer = self.post(path, body, **{'X-Auth-Token': token})
        self.assertEqual((answer.status, answer.json()['error_msg']),
                         (401, 'The token must be updated.'))

    def test_projects(self):
        cloud = self.cloud
        for legacy in (False, True):
            answer = cloud.sdk('GET', '/v3/projects', [('name', 'eu-nl')],
                               project=False, legacy=legacy)
            found = answer.json()['projects']
            self.assertEqual([item['name'] for item in found], ['eu-nl'])
        self.assertEqual(found[0]['id'],
                         cloud.info['regions']['eu-nl']['project_id'])
        self.assertEqual(cloud.sdk('GET', '/v3/auth/domains').json()[
            'domains'][0]['id'], cloud.info['domain_id'])
        for answer in (cloud.sdk('GET', '/v3/projects', sk='no'),
                       cloud.sdk('GET', '/v3/projects', skew=1000),
                       cloud.sdk('GET', '/v3/projects', ak='no', sk='no'),
                       cloud.request('GET', '/v3/projects')):
            self.assertEqual((answer.status, answer.json()['error_code']),
                             (401, 'APIGW.0301'))
        self.assertIn('canonical request is GET|/v3/projects/|', cloud.sdk(
            'GET', '/v3/projects', sk='no').json()['error_msg'])


class Metadata(Services):
    def get(self, token=None):
        headers = {} if token is None else {'X-Metadata-Token': token}
        return self.cloud.request('GET', '/openstack/latest/securitykey',
                                  headers)

    def test_versions(self):
        cloud, path = self.cloud, '/meta-data/latest/api/token'
        cloud.set(metadata='v2')
        self.assertEqual(self.get().status, 401)
        self.assertEqual(cloud.request('PUT', path).status, 400)
        token = cloud.request('PUT', path, TTL).text
        key = self.get(token).json()['credential']
        self.ok(cloud.obs('HEAD', ak=key['access'], sk=key['secret'], headers={
            'x-obs-security-token': key['securitytoken']}))
        self.assertEqual(self.get('stale').status, 401)
        cloud.set(metadata='v1', metadata_no_v2_status=405)
        self.assertEqual(cloud.request('PUT', path, TTL).status, 405)
        self.assertEqual(self.get().status, 200)
        cloud.set(metadata_agency=False)
        answer = self.get()
        self.assertEqual((answer.status, answer.text), (
            401, 'Please configure Cloud Service Agency first'))


class Ims(Services):
    def setUp(self):
        super().setUp()
        self.cloud.set(job_seconds=0.05)

    def image(self, key='disk.zvhd2', size=GIB, change=None, **knobs):
        """Upload a small ZVHD2; change(draft) may spoil it."""
        draft = zvhd2ref.Draft(size, {0: b'boot', 3: b'data'},
                               **knobs).place()
        if change:
            change(draft)
        self.cloud.put(key, draft.pack())
        return key

    def register(self, key='disk.zvhd2', drop=(), **fields):
        body = {'name': 'web-01', 'os_version': UBUNTU, 'min_disk': 40,
                'image_url': '%s:%s' % (self.cloud.bucket, key)}
        body.update(fields)
        for name in drop:
            del body[name]
        return self.cloud.sdk('POST', '/v2/cloudimages/quickimport/action',
                              body=body)

    def wait(self, answer):
        """The finished job of a register answer."""
        self.assertEqual(answer.status, 200, answer.text)
        for _ in range(200):
            job = self.cloud.sdk('GET', '/v1/cloudimages/job/'
                                 + answer.json()['job_id']).json()
            if job['status'] in ('SUCCESS', 'FAIL'):
                return job
            time.sleep(0.02)
        self.fail('the job does not end')

    def refused(self, code, answer):
        self.assertEqual(answer.json()['error']['code'], code, answer.text)

    def test_import(self):
        cloud = self.cloud
        cloud.set(job_seconds=100)
        answer = self.register(self.image(method='zlib'), name='shown',
                               image_tags=[{'key': 'by', 'value': 'test'}])
        path = '/v1/%s/jobs/%s' % (cloud.project_id,
                                   answer.json()['job_id'])
        seen = []
        for passed in (0, 30, 60, 110):
            cloud.set(clock_offset=passed)
            job = cloud.sdk('GET', path, project=False).json()
            [image] = cloud.sdk('GET', '/v2/cloudimages', [
                ('name', 'shown')]).json()['images']
            seen.append((job['status'], image['status'],
                         round(job['entities'].get('process_percent', 0), 1),
                         job['end_time'] == ''))
        self.assertEqual(seen, [('INIT', 'saving', 0, True),
                                ('RUNNING', 'saving', 0.3, True),
                                ('RUNNING', 'saving', 0.6, True),
                                ('SUCCESS', 'active', 1, False)])
        self.assertEqual(job['job_type'], 'imsImportImageJob')
        [image] = cloud.sdk('GET', '/v2/cloudimages', [
            ('id', job['entities']['image_id'])]).json()['images']
        self.assertEqual([image[name] for name in (
            'name', 'status', 'disk_format', '__os_version', 'min_disk',
            'virtual_env_type', 'tags')], ['shown', 'active', 'zvhd2',
                                           UBUNTU, 40, 'FusionCompute',
                                           ['by=test']])
        self.assertEqual(cloud.sdk('GET', '/v2/cloudimages', [
            ('id', 'unknown')]).json(), {'images': []})

    def test_broken_images(self):
        """The service finds what is wrong and says so in the job."""
        def footer(**fields):
            return lambda draft: vars(draft.footer).update(fields)

        def no_end(draft):
            draft.records[1].end = b'dne\0'

        def other_bit(draft):
            draft.bitmap[0] ^= 6

        def stale_payload(draft):
            draft.records[0].payload = bytes(len(draft.records[0].payload))

        cases = (
            ('footer gone', lambda draft: setattr(
                draft.footer, 'cookie', bytes(8)), 'IMG.0057'),
            ('footer checksum', footer(checksum=1), 'IMG.0057'),
            ('size', footer(curr_size=5 * GIB), 'IMG.0057'),
            ('blocks', footer(non_zero_blk_num=3), 'IMG.0057'),
            ('index outside', footer(index_lba=1 << 40), 'IMG.0057'),
            ('bitmap', other_bit, 'IMG.0057'),
            ('index', lambda draft: draft.set_entry(1, blk=9), 'IMG.0057'),
            ('record end', no_end, 'IMG.0057'),
            ('payload', stale_payload, 'IMG.0057'),
        )
        for name, change, code in cases:
            with self.subTest(name):
                job = self.wait(self.register(self.image(change=change)))
                self.assertEqual((job['status'], job['error_code']),
                                 ('FAIL', code), job)
                self.assertTrue(job['fail_reason'])
        self.assertEqual(self.wait(self.register(self.image()))['status'],
                         'SUCCESS')
        self.cloud.put('cut.zvhd2', self.cloud.read('disk.zvhd2')[:-4096])
        self.assertEqual(self.wait(self.register('cut.zvhd2'))['error_code'],
                         'IMG.0057')
        big = self.image('big.zvhd2', 41 * GIB)
        self.assertEqual(self.wait(self.register(big))['error_code'],
                         'IMG.0055')

    def test_raw(self):
        cloud = self.cloud
        cloud.put('disk.raw', bytes(2 * MIB) + b'x' + bytes(3 * MIB))
        self.assertEqual(self.wait(self.register('disk.raw'))['error_code'],
                         'IMG.0158')
        for bits, status in ((2, 'SUCCESS'), (7, 'SUCCESS'), (1, 'FAIL'),
                             (0, 'FAIL')):
            cloud.put('disk.mf', struct.pack('<B', bits) + bytes(4095))
            job = self.wait(self.register('disk.raw'))
            self.assertEqual(job['status'], status, job)
        cloud.put('disk.mf', b'\2')
        self.assertEqual(self.wait(self.register('disk.raw'))['error_code'],
                         'IMG.0158')
        cloud.set(raw_needs_bitmap=False)
        cloud.obs('DELETE', 'disk.mf')
        self.assertEqual(self.wait(self.register('disk.raw'))['status'],
                         'SUCCESS')
        cloud.put('disk.qcow2', b'QFI\xfb' + bytes(1000))
        self.assertEqual(self.wait(self.register('disk.qcow2'))[
            'error_code'], 'IMG.0158')

    def test_request_rules(self):
        cloud = self.cloud
        self.image()
        many = [{'key': 'k%d' % n, 'value': ''} for n in range(11)]
        for code, fields in (
                ('IMG.0002', {'name': 'n' * 129}),
                ('IMG.0003', {'name': ' web'}),
                ('IMG.0003', {'name': 'a/b'}),
                ('IMG.0004', {'description': 'd' * 1025}),
                ('IMG.0054', {'description': '<b>'}),
                ('IMG.0056', {'os_version': 'Ubuntu 22.04'}),
                ('IMG.0056', {'drop': ['os_version']}),
                ('IMG.0055', {'min_disk': 0}),
                ('IMG.0055', {'min_disk': '40'}),
                ('IMG.0055', {'min_disk': 1025}),
                ('IMG.0017', {'image_url': 'no-colon'}),
                ('IMG.0017', {'image_url': 'test-bucket:/disk.zvhd2'}),
                ('IMG.0175', {'image_url': 'test-bucket:a b'}),
                ('IMG.0069', {'image_url': 'missing:disk.zvhd2'}),
                ('IMG.0057', {'image_url': 'test-bucket:missing'}),
                ('IMG.0024', {'type': 'VM'}),
                ('IMG.0212', {'architecture': 'mips'}),
                ('IMG.0141', {'hw_firmware_type': 'efi'}),
                ('IMG.0115', {'image_tags': [{'key': '', 'value': ''}]}),
                ('IMG.0116', {'image_tags': many}),
                ('IMG.0116', {'tags': ['a.b'], 'image_tags': []}),
                ('IMG.0155', {'enterprise_project_id': 'x'}),
                ('IMG.0001', {'colour': 'red'}),
                ('IMG.0001', {'type': 'DataImage'})):
            with self.subTest(code=code, fields=fields):
                self.refused(code, self.register(**fields))
        cloud.make_bucket('elsewhere', region='eu-nl')
        cloud.make_bucket('warm-one', storage_class='WARM')
        self.ok(cloud.obs('PUT', 'd', bucket='warm-one', body=b'x'))
        for code, url in (('IMG.0058', 'elsewhere:d'),
                          ('IMG.0057', 'warm-one:d')):
            self.refused(code, self.register(image_url=url))
        cloud.set(unique_names=True)
        cloud.control('POST', 'image', {'name': 'taken'})
        self.refused('IMG.0009', self.register(name='taken'))
        used = cloud.sdk('GET', '/v1/cloudimages/quota').json()[
            'quotas']['resources'][0]['used']
        cloud.set(image_quota=used, unique_names=False)
        self.refused('IMG.0015', self.register())

    def test_kinds(self):
        self.image()
        data = self.register(drop=['os_version'], type='DataImage',
                             os_type='Linux', name='data')
        job = self.wait(data)
        self.assertEqual((job['status'], job['job_type']),
                         ('SUCCESS', 'imsImportDataImageJob'))
        self.assertEqual(self.wait(self.register(type='BMS', name='bare'))[
            'status'], 'SUCCESS')
        self.assertEqual(self.wait(self.register(
            architecture='arm', name='arm',
            os_version=UBUNTU + ' with ARM'))['status'], 'SUCCESS')
        kinds = {image['name']: image['virtual_env_type']
                 for image in self.cloud.state()['images']}
        self.assertEqual((kinds['data'], kinds['bare'], kinds['arm']),
                         ('DataImage', 'Ironic', 'FusionCompute'))

    def test_job_variants(self):
        cloud = self.cloud
        answer = self.register(self.image())
        self.wait(answer)
        one = '/v1/%s/jobs/%s' % (cloud.project_id, answer.json()['job_id'])
        two = '/v1/cloudimages/job/' + answer.json()['job_id']
        for keep, gone, here, status in (('project', two, one, 404),
                                         ('cloudimages', one, two, 410)):
            cloud.set(job_paths=[keep], job_path_status=status)
            self.assertEqual(cloud.sdk('GET', here).status, 200)
            missing = cloud.sdk('GET', gone)
            self.assertEqual((missing.status, missing.json()['error_code']),
                             (status, 'APIGW.0101'))
        cloud.set(job_fail_code='IMG.1075', job_fail_reason='no luck',
                  job_time_style='old')
        job = cloud.sdk('GET', two).json()
        self.assertEqual((job['status'], job['error_code'],
                          job['fail_reason']),
                         ('FAIL', 'IMG.1075', 'no luck'))
        self.assertRegex(job['begin_time'],
                         r'^\d\d-[A-Z][a-z]{2}-\d{4} [\d:]{12}$')

    def test_who(self):
        cloud = self.cloud
        token = self.token()
        path = '/v1/cloudimages/os_version'

        def get(token, **headers):
            return cloud.request('GET', path, dict(
                headers, **{'X-Auth-Token': token}))
        self.assertEqual(get(token).status, 200)
        self.assertEqual(get('MII' + 'x' * 100).status, 401)
        self.assertEqual(get(self.token(scope=None)).json()['error'][
            'code'], 'IMG.0026')
        other = self.token(scope={'project': {'name': 'eu-nl'}})
        self.refused('IMG.0030', get(other))
        self.refused('IMG.0030', get(token, **{'X-Project-Id': 'f' * 32}))
        self.assertEqual(get(other, Host='ims.eu-nl.localhost').status, 200)
        self.assertEqual(cloud.sdk('GET', path, project=False).json()[
            'error_code'], 'APIGW.0301')
        self.assertEqual(cloud.sdk('GET', path, legacy=True).status, 200)
        cloud.set(ims_auth=['sdk-legacy'])
        self.assertEqual(cloud.sdk('GET', path).status, 401)
        self.assertEqual(get(token).status, 401)
        cloud.set(ims_auth=['sdk'], denied=['ims:serverImages:create'],
                  ims_error_style='flat')
        self.assertEqual(self.register().json()['error_code'], 'IMG.0026')

    def test_os_list(self):
        found = self.cloud.sdk('GET', '/v1/cloudimages/os_version', [
            ('tag', 'arm'), ('tag', 'uefi')]).json()
        self.assertEqual({group['platform'] for group in found},
                         {'EulerOS', 'Ubuntu'})
        self.assertIn(UBUNTU, [version['os_version'] for group
                               in self.cloud.sdk(
                                   'GET', '/v1/cloudimages/os_version').json()
                               for version in group['version_list']])

    def test_lost_answer(self):
        """The import runs although the client never hears of it."""
        self.image()
        self.cloud.fault(match={'op': 'quickimport'}, action='drop',
                         when='after')
        with self.assertRaises(ConnectionError):
            self.register(name='lost')
        found = self.cloud.sdk('GET', '/v2/cloudimages', [
            ('name', 'lost')]).json()['images']
        self.assertEqual(len(found), 1)


class LocalFile:
    """A file in the place of the store and of a content."""

    def __init__(self, path):
        self.file = open(path, 'rb')
        self.size = os.path.getsize(path)

    def read(self, _content, start, length):
        self.file.seek(start)
        return self.file.read(length)


class VendorImages(unittest.TestCase):
    def test_all_are_good(self):
        """The service takes what the owner of the format has written."""
        images = sorted(glob.glob(os.path.join(VECTORS, '*.zst')))
        if not images:
            self.skipTest('no ../shared/vectors next to the checkout')
        for packed in images:
            with self.subTest(os.path.basename(packed)), \
                    tempfile.NamedTemporaryFile(suffix='.zvhd2') as out:
                subprocess.run(['zstd', '-qdf', '--sparse', packed, '-o',
                                out.name], check=True)
                file = LocalFile(out.name)
                facts = imagecheck.check_image(
                    imagecheck.Reader(file, file), 'v.zvhd2', None)
                file.file.close()
                self.assertEqual(facts.disk_format, 'zvhd2')
                self.assertEqual(facts.disk_size % GIB, 0)


if __name__ == '__main__':
    unittest.main()
