# SPDX-License-Identifier: GPL-2.0-or-later
"""Import jobs and the images they make."""

import secrets
import threading
import traceback
import uuid

from .imagecheck import ImageError, Reader, check_image
from .wire import iso_date

OLD_MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()


def old_date(when):
    """'04-Jun-2015 18:11:06:586', as older services write it."""
    text = iso_date(when)
    return '%s-%s-%s %s:%s' % (text[8:10], OLD_MONTHS[int(text[5:7]) - 1],
                               text[:4], text[11:19], text[20:23])


class Job:
    """One import: reads the image in a thread of its own."""

    def __init__(self, fields, project_id, begin, seconds):
        self.id = secrets.token_hex(16)
        self.image_id = str(uuid.uuid4())
        self.fields = fields
        self.project_id = project_id
        self.begin = begin          # on the service's clock
        self.seconds = seconds
        self.read_done = threading.Event()
        self.facts = None
        self.error = None           # (code, reason)
        self.bytes_read = 0
        self.file_size = 0


class Jobs:
    def __init__(self, shelf, settings, clock):
        self.shelf = shelf
        self.settings = settings
        self.clock = clock
        self.lock = threading.RLock()
        self.jobs = {}
        self.extra_images = []

    def start(self, fields, project_id):
        """Begin to import what check_body() returned; the object is there."""
        job = Job(fields, project_id, self.clock(),
                  self.settings['job_seconds'])
        store = self.shelf.store
        with self.shelf.lock:
            bucket = self.shelf.buckets[fields['bucket']]
            image = bucket.objects[fields['key']]
            base, dot, extension = fields['key'].rpartition('.')
            if not dot or '/' in extension:
                base = fields['key']
            bitmap = bucket.objects.get(base + '.mf')
            held = [item.content for item in (image, bitmap) if item]
            for content in held:
                store.hold(content)
        job.file_size = image.size
        with self.lock:
            self.jobs[job.id] = job
        threading.Thread(target=self._read, args=(job, held), daemon=True
                         ).start()
        return job

    def _read(self, job, held):
        """The thread: read the image, then the job has a result."""
        readers = [Reader(self.shelf.store, content) for content in held]
        try:
            job.facts = check_image(
                readers[0], job.fields['key'],
                readers[1] if len(readers) > 1 else None,
                self.settings['raw_needs_bitmap'])
            needed = -(-job.facts.disk_size // (1 << 30))
            if job.fields['min_disk'] < needed:
                raise ImageError('IMG.0055', 'min_disk %d is smaller than '
                                 'the disk in the image, %d GB'
                                 % (job.fields['min_disk'], needed))
        except ImageError as error:
            job.error = (error.code, error.reason)
        except Exception:       # a fault of this program: make it loud
            traceback.print_exc()
            job.error = ('IMG.0000', 'internal error')
        finally:
            job.bytes_read = sum(reader.bytes_read for reader in readers)
            for content in held:
                self.shelf.store.release(content)
            job.read_done.set()

    def status(self, job):
        """(status, progress 0..1)."""
        passed = self.clock() - job.begin
        if passed < job.seconds or not job.read_done.is_set():
            progress = min(0.99, passed / job.seconds if job.seconds else 0)
            progress = max(0.0, round(progress, 2))
            if self.settings['job_odd_status'] and progress > 0.3:
                return self.settings['job_odd_status'], progress
            return ('INIT' if progress < 0.1 else 'RUNNING'), progress
        if self.failure(job):
            return 'FAIL', 1.0
        return 'SUCCESS', 1.0

    def failure(self, job):
        """(code, reason) of a job that fails, or None."""
        if job.error:
            return job.error
        if self.settings['job_fail_code']:
            return (self.settings['job_fail_code'],
                    self.settings['job_fail_reason'])
        return None

    def running(self):
        with self.lock:
            jobs = list(self.jobs.values())
        return sum(self.status(job)[0] not in ('SUCCESS', 'FAIL')
                   for job in jobs)

    def job_json(self, job):
        """Answer of both job addresses."""
        status, progress = self.status(job)
        date = (old_date if self.settings['job_time_style'] == 'old'
                else iso_date)
        done = status in ('SUCCESS', 'FAIL')
        kind = ('imsImportDataImageJob' if job.fields['type'] == 'DataImage'
                else 'imsImportImageJob')
        answer = {'status': status, 'job_id': job.id, 'job_type': kind,
                  'begin_time': date(job.begin),
                  'end_time': date(job.begin + job.seconds) if done else '',
                  'error_code': None, 'fail_reason': None, 'entities': {}}
        if status == 'FAIL':
            answer['error_code'], answer['fail_reason'] = self.failure(job)
        elif status == 'SUCCESS':
            answer['entities'] = {'image_id': job.image_id,
                                  'image_name': job.fields['name'],
                                  'process_percent': 1.0}
        elif status != 'INIT':
            answer['entities'] = {'image_name': job.fields['name'],
                                  'process_percent': progress,
                                  'current_task': 'ImportImage',
                                  'subJobId': job.id[::-1]}
        return answer

    # -- images

    def images(self, project_id):
        """All images: saving while their job runs; failed ones vanish."""
        with self.lock:
            jobs = list(self.jobs.values())
            found = [image for image in self.extra_images
                     if image['owner'] == project_id]
        for job in jobs:
            status, _ = self.status(job)
            if job.project_id == project_id and status != 'FAIL':
                found.append(self.image_json(job, status == 'SUCCESS'))
        return found

    def image_json(self, job, active):
        fields = job.fields
        env = {'ECS': 'FusionCompute', 'BMS': 'Ironic',
               'DataImage': 'DataImage'}[fields['type']]
        image = {'id': job.image_id, 'name': fields['name'],
                 'status': 'active' if active else 'saving',
                 'min_disk': fields['min_disk'], 'min_ram': 0,
                 'owner': job.project_id, 'visibility': 'private',
                 'protected': False, 'container_format': 'bare',
                 '__imagetype': 'private', '__isregistered': 'true',
                 '__root_origin': 'file', '__os_type': fields['os_type'],
                 '__os_version': fields['os_version'],
                 '__description': fields['description'],
                 'virtual_env_type': env, '__lazyloading': 'true',
                 'created_at': iso_date(job.begin)[:19] + 'Z',
                 'updated_at': iso_date(job.begin)[:19] + 'Z',
                 'enterprise_project_id': fields['enterprise_project_id'],
                 'tags': ['%s=%s' % item for item in fields['tags'].items()]}
        if fields['architecture'] == 'arm':
            image['__support_arm'] = 'true'
        if fields['hw_firmware_type']:
            image['hw_firmware_type'] = fields['hw_firmware_type']
        if active:
            image['disk_format'] = job.facts.disk_format
            image['__image_size'] = str(job.file_size)
        return image
