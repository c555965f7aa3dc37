#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push from an image file to a registered image, and all that can stand
in the way."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from pushtest import GIB, MIB, UBUNTU, PushCase, random_bytes


class ImageCase(PushCase):
    def setUp(self):
        super().setUp()
        self.image = self.zvhd2()

    def images(self):
        return self.cloud.state()['images']

    def imports(self):
        return self.cloud.count('quickimport')

    def register(self, key='images/image01.zvhd2', *arguments, name='web-01',
                 os_version=UBUNTU, **how):
        more = ['--name', name]
        if os_version:
            more += ['--os-version', os_version]
        return self.run_push('register', 'obs://test-bucket/' + key,
                             *self.where()[:4], *self.services(), *more,
                             *arguments, **how)


class Flow(ImageCase):
    def test_one_command_does_it_all(self):
        result = self.push(self.image, 'images/', '--min-disk', '40')
        [image] = self.images()
        self.assertEqual(image['name'], 'web-01')
        self.assertEqual(image['status'], 'active')
        self.assertIn(image['id'], result.out)
        self.assertRegex(result.out, r'check +image01.zvhd2 +ZVHD2, zstd, '
                         r'1.0 GiB disk, .* index and footer ok')
        ops = self.cloud.ops()
        order = [op for op in ('head-bucket', 'list-projects', 'list-os',
                               'quota', 'list-images', 'put-object',
                               'initiate', 'complete', 'quickimport')
                 if op in ops]
        self.assertEqual(sorted(order, key=ops.index), order)
        [job] = self.cloud.state()['jobs']
        self.assertEqual(job['fields']['min_disk'], 40)
        self.assert_clean()

    def test_fields_of_the_request(self):
        self.push(self.image, 'images/', '--type', 'bms', '--architecture',
                  'arm', '--firmware', 'uefi', '--tag', 'a=b', '--tag',
                  'c=d', '--description', 'text', '--enterprise-project',
                  '0', os_version=self.arm_version())
        fields = self.cloud.state()['jobs'][0]['fields']
        self.assertEqual(fields['type'], 'BMS')
        self.assertEqual(fields['architecture'], 'arm')
        self.assertEqual(fields['hw_firmware_type'], 'uefi')
        self.assertEqual(fields['tags'], {'a': 'b', 'c': 'd'})
        self.assertEqual(fields['description'], 'text')

    def arm_version(self):
        listed = self.run_push('os-versions', '--architecture', 'arm',
                               *self.where()[:4], *self.services()[:4])
        return listed.out.splitlines()[0]

    def test_data_image(self):
        self.push(self.image, 'data/', '--type', 'data', '--os-type',
                  'Linux', os_version=None)
        [job] = self.cloud.state()['jobs']
        self.assertEqual(job['fields']['type'], 'DataImage')
        self.assertEqual(self.cloud.count('list-os'), 0)

    def test_raw_with_its_bitmap(self):
        disk = self.raw('disk.raw', 300 * MIB, {0: random_bytes(MIB),
                                                200 * MIB: b'x'})
        self.push(disk, 'images/')
        self.assertEqual(self.images()[0]['status'], 'active')
        self.assertIn('images/disk.mf', self.cloud.objects())

    def test_quiet_prints_the_image_only(self):
        result = self.push(self.image, 'images/', '--quiet')
        self.assertEqual(result.out.strip(), self.images()[0]['id'])

    def test_json(self):
        result = self.push(self.image, 'images/', '--json')
        [image] = result.stages('image')
        self.assertEqual(image['image_id'], self.images()[0]['id'])

    def test_no_wait_then_wait(self):
        self.cloud.set(job_seconds=1)
        result = self.push(self.image, 'images/', '--no-wait', '--quiet')
        job = result.out.strip()
        self.assertEqual(job, self.cloud.state()['jobs'][0]['job_id'])
        result = self.run_push('wait', job, *self.where()[:4],
                               *self.services())
        self.assertIn(self.images()[0]['id'], result.out)

    def test_steps_on_their_own(self):
        self.upload(self.image, 'images/')
        self.register()
        self.register(name='web-02', *['images/image01.zvhd2', '--wait'])
        self.assertEqual(sorted(i['name'] for i in self.images()),
                         ['web-01', 'web-02'])

    def test_dry_run_changes_nothing(self):
        result = self.push(self.image, 'images/', '--dry-run')
        self.assertIn('dry run', result.out)
        self.assertLessEqual({r['method'] for r in self.cloud.log()},
                             {'HEAD', 'GET'})
        self.assertIn('list-os', self.cloud.ops())

    def test_password_login_uses_the_token(self):
        user = next(u for u in self.cloud.info['users'] if u.get('password'))
        self.push(self.image, 'images/', env=self.cloud.env(
            credentials=False, OS_AUTH_URL=self.cloud.url + '/v3',
            OS_USERNAME=user['name'], OS_PASSWORD=user['password'],
            OS_USER_DOMAIN_NAME=user['domain'], OS_PROJECT_NAME='eu-de'))
        self.assertEqual(self.images()[0]['status'], 'active')
        self.assertEqual(self.cloud.count('list-projects'), 0)

    def test_token_that_runs_out_while_waiting(self):
        user = next(u for u in self.cloud.info['users'] if u.get('password'))
        self.cloud.fault(match={'op': 'job-project'}, action='expire',
                         what='tokens')
        self.cloud.set(job_seconds=1)
        self.push(self.image, 'images/', env=self.cloud.env(
            credentials=False, OS_AUTH_URL=self.cloud.url + '/v3',
            OS_USERNAME=user['name'], OS_PASSWORD=user['password'],
            OS_USER_DOMAIN_NAME=user['domain'], OS_PROJECT_NAME='eu-de'))
        self.assertEqual(self.images()[0]['status'], 'active')

    def test_legacy_signature_is_tried_when_the_plain_one_is_refused(self):
        self.cloud.set(ims_auth=['sdk-legacy'])
        self.push(self.image, 'images/')
        self.assertEqual(self.images()[0]['status'], 'active')


class Again(ImageCase):
    """The same command after a break does nothing twice."""

    def test_interrupted_while_waiting(self):
        self.cloud.set(job_seconds=3600)
        process = self.start(self.image, 'obs://test-bucket/images/',
                             *self.where(), *self.services(), '--name',
                             'web-01', '--os-version', UBUNTU)
        self.addCleanup(process.kill)
        while not self.cloud.count('job-project'):
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        job = self.cloud.state()['jobs'][0]['job_id']
        self.assertIn('obs-push wait ' + job, err.decode())
        self.cloud.set(job_seconds=0.1)
        uploads = self.cloud.count('put-object') + self.cloud.count(
            'initiate')
        # Jobs keep their duration: stand in for the service's progress.
        self.cloud.fault(match={'op': 'job-project'}, action='rewrite',
                         do=False, status=200, body=(
                             '{"status": "FAIL", "job_id": "%s", "error_code":'
                             ' "IMG.0057", "fail_reason": "x", "entities": {}}'
                             % job))
        result = self.push(self.image, 'images/', code=7)
        self.assertIn(job, result.out)
        self.assertEqual(self.cloud.count('put-object') + self.cloud.count(
            'initiate'), uploads)
        self.assertEqual(self.imports(), 1)
        # A failed import is registered again and not uploaded again.
        self.push(self.image, 'images/', '--duplicate-name')
        self.assertEqual(self.cloud.count('put-object') + self.cloud.count(
            'initiate'), uploads)
        self.assertEqual(self.imports(), 2)
        self.assert_clean()

    def test_killed_between_upload_and_register(self):
        self.cloud.fault(match={'op': 'quickimport'}, action='stall')
        process = self.start(self.image, 'obs://test-bucket/images/',
                             *self.where(), *self.services(), '--name',
                             'web-01', '--os-version', UBUNTU)
        self.addCleanup(process.kill)
        while 'images/image01.zvhd2' not in self.cloud.objects() or not any(
                name.endswith('.push') for name in os.listdir(self.state)):
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        process.kill()
        process.communicate()
        self.cloud.mark()
        result = self.push(self.image, 'images/')
        self.assertIn('uploaded by an earlier run', result.out)
        self.assertEqual(self.cloud.count('put-object'), 0)
        self.assertEqual(self.cloud.count('upload-part'), 0)
        self.assertEqual(self.images()[0]['status'], 'active')

    def test_changed_image_is_uploaded_again(self):
        self.cloud.fault(match={'op': 'quickimport'}, action='answer',
                         status=400, body='{"error": {"code": "IMG.0001", '
                         '"message": "no"}}')
        self.push(self.image, 'images/', code=None)
        self.image = self.zvhd2(blocks=9)
        self.cloud.mark()
        self.push(self.image, 'images/')
        self.assertNotIn('uploaded by', self.cloud.errors())
        self.assert_stored('images/image01.zvhd2', self.image)


class Preflight(ImageCase):
    """Nothing is uploaded that could not be registered."""

    def refused(self, *arguments, text, code, key='images/', file=None,
                **how):
        self.cloud.mark()
        result = self.push(file or self.image, key, *arguments, code=code,
                           **how)
        self.assertIn(text, result.err)
        for op in ('put-object', 'initiate', 'upload-part', 'quickimport'):
            self.assertEqual(self.cloud.count(op), 0)
        return result

    def test_os_version_with_suggestions(self):
        result = self.refused(text='Ubuntu 22.04 server 64bit', code=2,
                              os_version='ubuntu 22.04 64bit')
        self.assertIn('nearest', result.err)

    def test_os_version_missing(self):
        self.refused(text='os-version', code=2, os_version=None)

    def test_name(self):
        self.refused(text='--name', code=2, name=None)
        for name in (' lead', 'trail ', 'a/b', 'x' * 129, ''):
            with self.subTest(name):
                self.refused(text='name', code=2, name=name)

    def test_name_is_taken(self):
        self.push(self.image, 'images/')
        self.refused(text='already', code=7)
        self.cloud.mark()
        self.push(self.image, 'images/', '--duplicate-name')
        self.assertEqual(len(self.images()), 2)

    def test_quota(self):
        self.cloud.set(image_quota=0)
        self.refused(text='quota', code=7)

    def test_min_disk_too_small(self):
        image = self.zvhd2('big.zvhd2', 50 * GIB)
        self.refused('--min-disk', '40', text='50', code=2, file=image)

    def test_bucket(self):
        self.cloud.make_bucket('cold-bucket', storage_class='COLD')
        result = self.run_push(
            self.image, 'obs://cold-bucket/x.zvhd2', *self.where(),
            *self.services(), '--name', 'n', '--os-version', UBUNTU, code=5)
        self.assertIn('COLD', result.err)
        result = self.run_push(
            self.image, 'obs://no-bucket/x.zvhd2', *self.where(),
            *self.services(), '--name', 'n', '--os-version', UBUNTU, code=5)
        self.assertIn('no bucket', result.err)

    def test_storage_class(self):
        self.refused('--storage-class', 'WARM', text='STANDARD', code=2)

    def test_key_with_a_space(self):
        self.refused(text='space', code=2, key='dir name/')

    def test_tags_and_description(self):
        self.refused('--tag', 'novalue', text='key=value', code=2)
        self.refused('--tag', 'a b=c', text='tag', code=2)
        self.refused('--description', 'a<b', text='description', code=2)

    def test_image_that_is_none(self):
        file = self.path('x.qcow2')
        with open(file, 'wb') as f:
            f.write(b'QFI\xfb'.ljust(4096, b'\0'))
        self.refused(text='qcow2', code=3, file=file)

    def test_file_over_a_tebibyte(self):
        file = self.raw('huge.raw', 1025 * GIB, {})
        self.refused('--no-bitmap', text='TB', code=3, file=file)

    def test_missing_permission(self):
        self.cloud.set(denied=['ims:images:list'])
        result = self.push(self.image, 'images/', code=None)
        self.assertIn(result.code, (4, 7), result)
        self.assertEqual(self.cloud.count('put-object'), 0)

    def test_registering_what_is_no_image(self):
        self.cloud.put('x.zvhd2', b'z2strm'.ljust(8192, b'\0'))
        self.cloud.put('y.raw', b'r' * 8192)
        for key, text in (('x.zvhd2', 'rule'), ('y.raw', 'bitmap'),
                          ('none', 'no such object')):
            with self.subTest(key):
                result = self.register(key, code=3)
                self.assertIn(text, result.err)
        self.assertEqual(self.imports(), 0)


class Unclear(ImageCase):
    """The register call is never repeated without looking first."""

    def test_answer_lost_but_done(self):
        self.cloud.fault(match={'op': 'quickimport'}, action='drop',
                         when='response')
        self.push(self.image, 'images/')
        self.assertEqual(self.imports(), 1)
        self.assertEqual(len(self.images()), 1)

    def test_500_although_done(self):
        self.cloud.fault(match={'op': 'quickimport'}, action='rewrite',
                         status=500, body='{"error": {"code": "IMG.0000", '
                         '"message": "internal"}}')
        self.push(self.image, 'images/')
        self.assertEqual(self.imports(), 1)
        self.assertEqual(len(self.images()), 1)

    def test_not_done(self):
        self.cloud.fault(match={'op': 'quickimport'}, action='drop',
                         when='before')
        self.push(self.image, 'images/')
        self.assertEqual(len(self.images()), 1)
        ops = self.cloud.ops()
        first = ops.index('quickimport')
        self.assertIn('list-images', ops[first:][:ops[first + 1:].index(
            'quickimport') + 1])

    def test_looks_like_another_of_the_same_name(self):
        """An image of that name from before is not taken for ours."""
        self.push(self.image, 'images/')
        self.cloud.fault(match={'op': 'quickimport'}, action='drop',
                         when='before')
        self.cloud.mark()
        self.push(self.image, 'images/', '--duplicate-name')
        self.assertEqual(len(self.images()), 2)

    def test_never_clear(self):
        self.cloud.fault(match={'op': 'quickimport'}, action='drop',
                         when='before', count=None)
        result = self.push(self.image, 'images/', code=None)
        self.assertNotEqual(result.code, 0)
        self.assertIn('console', result.err)
        self.assertEqual(self.imports(), 3)


class Job(ImageCase):
    def test_fail_stops_at_once_and_says_why(self):
        self.cloud.set(job_fail_code='IMG.0055', job_fail_reason='too small')
        result = self.push(self.image, 'images/', code=7)
        self.assertIn('IMG.0055', result.err)
        self.assertIn('too small', result.err)
        self.assertLess(self.cloud.count('job-project'), 4)

    def test_image_that_the_service_cannot_read(self):
        """Its own check of the object fails the job."""
        self.upload(self.image, 'images/image01.zvhd2')
        broken = bytearray(self.cloud.read('images/image01.zvhd2'))
        # Index entry of the first block: past what our two reads look at.
        at = int.from_bytes(broken[-4096 + 96:][:8], 'little')
        broken[at:at + 8] = (1 << 40).to_bytes(8, 'little')
        self.cloud.put('images/image01.zvhd2', bytes(broken))
        result = self.register('images/image01.zvhd2', '--wait', code=7)
        self.assertIn('IMG.', result.err)

    def test_either_address_of_the_job(self):
        for path in ('project', 'cloudimages'):
            with self.subTest(path):
                self.cloud.set(job_paths=[path])
                self.push(self.image, path + '/', name='web-' + path)
        self.assertEqual(len(self.images()), 2)

    def test_lookups_that_fail_for_a_while(self):
        self.cloud.fault(match={'op': 'job-project'}, action='answer',
                         status=503, code='x', count=2)
        self.push(self.image, 'images/')
        self.assertEqual(self.images()[0]['status'], 'active')

    def test_status_of_an_unknown_name_is_waited_out(self):
        self.cloud.set(job_odd_status='PAUSED', job_seconds=1)
        self.push(self.image, 'images/')
        self.assertEqual(self.images()[0]['status'], 'active')

    def test_unknown_job(self):
        result = self.run_push('wait', 'ff' * 16, *self.where()[:4],
                               *self.services(), code=None)
        self.assertNotEqual(result.code, 0)
        self.run_push('wait', '../../etc', *self.where()[:4], code=2)

    def test_deadline_while_waiting(self):
        self.cloud.set(job_seconds=3600)
        result = self.push(self.image, 'images/', '--deadline', '4s', code=8)
        self.assertIn('obs-push wait', result.err)


class Versions(PushCase):
    def test_list_and_filter(self):
        options = self.where()[:4] + self.services()[:4]
        every = self.run_push('os-versions', *options).out.splitlines()
        self.assertIn(UBUNTU, every)
        some = self.run_push('os-versions', 'UBUNTU', *options)
        self.assertTrue(all('Ubuntu' in line
                            for line in some.out.splitlines()))
        self.assertLess(len(some.out.splitlines()), len(every))
        self.run_push('os-versions', 'no such system', *options, code=1)


if __name__ == '__main__':
    unittest.main()
