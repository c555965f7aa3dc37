#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""obs-push upload: what a break leaves, and what a second run makes of it."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from pushtest import MIB, PushCase

PART = 5 * MIB
KILLS = 30


class Kill(PushCase):
    def run_and_kill(self, seconds, *arguments):
        """Kill it after so many seconds; the time of the kill, or None if it
        was quicker."""
        process = self.start(*arguments)
        try:
            _, errors = process.communicate(timeout=seconds)
            self.assertEqual(process.returncode, 0, errors.decode())
            return None
        except subprocess.TimeoutExpired:
            killed = time.time()
            process.kill()
            process.communicate()
            return killed

    def sent_again(self, ends):
        """Parts that were sent although a run that still lived had been told
        that they are stored. What the server took from its buffers after the
        kill was told to nobody."""
        done, again = set(), []
        for record in self.cloud.log():
            if record['op'] not in ('upload-part', 'copy-part'):
                continue
            part = record['upload_id'], record['part']
            if part in done:
                again.append(part)
            answered = record['time'] + record['seconds']
            alive = next(end for end in ends if end > record['time'])
            if record['status'] == 200 and record.get('stored') and \
                    record['acked'] and answered < alive:
                done.add(part)
        return again

    def kill_often(self, file, key, where):
        random.seed(20260102)
        ends = []
        while len(ends) < KILLS:
            killed = self.run_and_kill(random.uniform(0.03, 0.8), 'upload',
                                       file, where, *self.where(),
                                       '--part-size', '5MiB')
            ends.append(killed or time.time())
        self.cloud.set(bandwidth=0)
        self.upload(file, key, '--part-size', '5MiB')
        ends.append(time.time())
        self.assertEqual(self.sent_again(ends), [])
        self.assert_stored(key, file)
        # What can be left is an upload that was begun in the instant before
        # its number reached the journal: it has no parts.
        for upload in self.cloud.uploads():
            self.assertEqual(len(upload['parts']), 0, upload)
        self.assertEqual(os.listdir(self.state), [])

    def test_killed_at_random_moments_and_resumed(self):
        file = self.file('disk.bin', 12 * PART + 12345)
        # Slow enough to be killed in all phases.
        self.cloud.set(bandwidth=40 * MIB)
        self.kill_often(file, 'key', 'obs://test-bucket/key')

    def test_killed_while_zeros_are_copied(self):
        data = self.file('data', 4 * PART)
        with open(data, 'rb') as f:
            content = f.read()
        file = self.raw('disk.raw', 600 * MIB, {0: content[:2 * PART],
                                                400 * MIB: content[2 * PART:]})
        self.cloud.set(bandwidth=60 * MIB)
        self.kill_often(file, 'disk.raw', 'obs://test-bucket/disk.raw')
        self.assertEqual([key for key in self.cloud.objects()
                          if 'zeros' in key], [])


class SlowCase(PushCase):
    def interrupt(self, file, after=4, how=signal.SIGINT):
        """Run until so many parts are stored, then send it a signal."""
        process = self.start_slowly(file, stored=after)
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
        return process.returncode, err.decode()

    def slow_file(self, parts=20):
        """A file of whose parts the first four are taken and the others get
        no answer, until clear_faults() and the client has lost patience."""
        self.cloud.fault(match={'op': 'upload-part'}, skip=4, action='stall',
                         count=None)
        return self.file('disk.bin', parts * PART)

    def start_slowly(self, file, key='key', stored=1):
        """A run with two parts in flight, when so many are stored."""
        process = self.start('upload', file, 'obs://test-bucket/' + key,
                             *self.where(), '--part-size', '5MiB',
                             '--parallel', '2', '--timeout', '3')
        self.addCleanup(process.kill)
        while self.cloud.count('upload-part', status=200) < stored:
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        return process


class Resume(SlowCase):
    def test_interrupt_says_how_to_go_on_and_goes_on(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(how):
                self.cloud.mark()
                file = self.slow_file()
                code, err = self.interrupt(file, 4, how)
                self.assertEqual(code, 130)
                self.assertIn('same command', err)
                # What was acknowledged is known without being read again;
                # two answers may have been on their way.
                listed = self.run_push('uploads', '--json', '--state-dir',
                                       self.state)
                self.assertGreaterEqual(listed.results('here')[0]['done'],
                                        2 * PART)
                self.cloud.clear_faults()
                self.upload(file, 'key', '--part-size', '5MiB')
                self.assertEqual(self.cloud.sent_twice(), [])
                self.assert_stored('key', file)
                self.assert_clean()

    def test_other_part_size_does_not_start_anew(self):
        file = self.slow_file()
        self.interrupt(file)
        self.cloud.clear_faults()
        self.upload(file, 'key', '--part-size', '7MiB')
        self.assertEqual(self.cloud.count('initiate'), 1)
        self.assertEqual(self.cloud.sent_twice(), [])
        self.assert_stored('key', file)

    def test_changed_source_is_refused_with_a_choice(self):
        file = self.slow_file()
        self.interrupt(file)
        self.cloud.clear_faults()
        with open(file, 'r+b') as f:
            f.write(b'changed')
        self.cloud.mark()
        result = self.upload(file, 'key', '--part-size', '5MiB', code=3)
        self.assertIn('has changed', result.err)
        self.assertIn('--restart', result.err)
        self.assertEqual(self.cloud.count('upload-part'), 0)
        self.upload(file, 'key', '--part-size', '5MiB', '--restart')
        self.assert_stored('key', file)
        self.assertEqual(self.cloud.count('abort'), 1)
        self.assert_clean()

    def test_replaced_source_is_refused(self):
        """Another file of the same size and time: the inode tells."""
        file = self.slow_file()
        self.interrupt(file)
        self.cloud.clear_faults()
        at = os.stat(file)
        other = self.file('other.bin', at.st_size, seed=2)
        os.utime(other, ns=(at.st_atime_ns, at.st_mtime_ns))
        os.rename(other, file)
        result = self.upload(file, 'key', '--part-size', '5MiB', code=3)
        self.assertIn('has changed', result.err)

    def test_source_changed_while_it_is_read(self):
        file = self.slow_file()
        process = self.start_slowly(file, stored=3)
        with open(file, 'r+b') as f:
            f.seek(19 * PART)
            f.write(b'changed')
        self.cloud.clear_faults()
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, err)
        self.assertIn('has changed while it was read', err.decode())
        self.assertEqual(self.cloud.count('complete'), 0)
        self.assertNotIn('key', self.cloud.objects())

    def test_source_cut_while_it_is_read(self):
        file = self.slow_file()
        process = self.start_slowly(file, stored=3)
        os.truncate(file, 12 * PART)
        self.cloud.clear_faults()
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, err)
        self.assertNotIn('key', self.cloud.objects())

    def test_other_options_are_refused(self):
        file = self.slow_file()
        self.interrupt(file)
        result = self.upload(file, 'key', '--storage-class', 'WARM', code=2)
        self.assertIn('another storage class', result.err)

    def test_only_one_process_at_a_time(self):
        file = self.slow_file()
        first = self.start_slowly(file)
        second = self.upload(file, 'key', code=1)
        self.assertIn('another obs-push (process %d)' % first.pid, second.err)
        self.cloud.clear_faults()
        # Another key is another upload.
        self.upload(file, 'key2')
        out, err = first.communicate(timeout=60)
        self.assertEqual(first.returncode, 0, err)
        self.assertEqual(self.cloud.count('initiate', key='key'), 1)
        self.assert_stored('key', file)
        self.assert_clean()

    def test_upload_that_the_server_dropped_begins_anew(self):
        file = self.slow_file()
        self.interrupt(file)
        self.cloud.clear_faults()
        upload = self.cloud.uploads()[0]
        self.assertEqual(self.cloud.obs('DELETE', 'key', [
            ('uploadId', upload['id'])]).status, 204)
        result = self.upload(file, 'key', '--part-size', '5MiB')
        self.assertIn('dropped the earlier upload', result.err)
        self.assert_stored('key', file)

    def test_lost_complete_is_found_by_the_next_run(self):
        """Killed after Complete was sent: the object's upload id tells."""
        file = self.file('disk.bin', 4 * PART)
        self.cloud.fault(match={'op': 'complete'}, action='stall',
                         when='response')
        process = self.start('upload', file, 'obs://test-bucket/key',
                             *self.where(), '--part-size', '5MiB')
        while 'key' not in self.cloud.objects():
            time.sleep(0.02)
        process.kill()
        process.communicate()
        # the answer that nobody takes is in the log some time later
        while self.cloud.count('complete') < 1:
            time.sleep(0.02)
        self.cloud.mark()
        result = self.upload(file, 'key', '--part-size', '5MiB')
        self.assertIn('complete already', result.out)
        self.assertEqual(self.cloud.count('upload-part'), 0)
        self.assertEqual(self.cloud.count('complete'), 0)
        self.assert_clean()

    def test_damaged_journal_is_not_guessed_at(self):
        file = self.slow_file()
        self.interrupt(file)
        self.cloud.clear_faults()
        name = [n for n in os.listdir(self.state)
                if n.endswith('.journal')][0]
        journal = os.path.join(self.state, name)
        with open(journal, 'r+b') as f:
            f.truncate(os.stat(journal).st_size - 10)
        result = self.upload(file, 'key', code=1)
        self.assertIn('--restart', result.err)
        self.upload(file, 'key', '--restart')
        self.assert_stored('key', file)

    def test_deadline_leaves_it_resumable(self):
        file = self.slow_file()
        result = self.upload(file, 'key', '--part-size', '5MiB', '--parallel',
                             '1', '--deadline', '2s', code=8)
        self.assertIn('deadline', result.err)
        self.cloud.clear_faults()
        self.upload(file, 'key', '--part-size', '5MiB')
        self.assertEqual(self.cloud.sent_twice(), [])
        self.assert_stored('key', file)


class Disk(SlowCase):
    def test_journal_that_cannot_be_written(self):
        """Found out before anything is begun on the server."""
        file = self.file('disk.bin', 4 * PART)

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        result = self.upload(file, 'key', '--part-size', '5MiB', code=1,
                             preexec_fn=limit)
        self.assertIn('cannot write the journal', result.err)
        self.assertEqual(self.cloud.count('initiate'), 0)
        self.assertEqual(os.listdir(self.state), [])

    def test_journal_that_fills_the_disk_later(self):
        """A warning, not an end: the server's list will be asked."""
        file = self.slow_file()
        # Wide enough for the journal that a run begins with, not for more.
        self.cloud.fault(match={'op': 'upload-part'}, action='stall',
                         count=None)
        probe = self.start_slowly(file, stored=0)
        size = 0
        while not size:
            time.sleep(0.05)
            for upload in self.cloud.uploads():
                for name in os.listdir(self.state):
                    with open(os.path.join(self.state, name), 'rb') as f:
                        text = f.read()
                    if upload['id'].encode() in text:
                        size = len(text)
        probe.kill()
        probe.communicate()
        self.cloud.clear_faults()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        result = self.upload(file, 'key', '--part-size', '5MiB',
                             preexec_fn=limit)
        self.assertIn('cannot write the journal', result.err)
        self.assertIn('ask the server', result.err)
        self.assert_stored('key', file)

    def test_state_folder_that_cannot_be_made(self):
        file = self.file('disk.bin', 4 * PART)
        with open(self.state, 'w'):
            pass
        result = self.upload(file, 'key', code=1)
        self.assertIn('state folder', result.err)


class Lists(SlowCase):
    def leave_one(self, key='dir/key'):
        file = self.slow_file()
        process = self.start_slowly(file, key, 2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.cloud.clear_faults()
        return file

    def test_uploads_and_abort(self):
        self.leave_one()
        # One that this machine knows nothing of.
        self.cloud.obs('POST', 'dir/other', [('uploads', None)])
        listed = self.run_push('uploads', '--json', 'obs://test-bucket/dir/',
                               *self.where())
        self.assertEqual([e['key'] for e in listed.results('here')],
                         ['dir/key'])
        self.assertEqual(sorted(e['key'] for e in listed.results('server')),
                         ['dir/key', 'dir/other'])
        self.run_push('abort', '--dry-run', 'obs://test-bucket/dir/key',
                      *self.where())
        self.assertEqual(len(self.cloud.uploads()), 2)
        self.run_push('abort', 'obs://test-bucket/dir/key', *self.where())
        self.assertEqual([u['key'] for u in self.cloud.uploads()],
                         ['dir/other'])
        self.assertEqual(os.listdir(self.state), [])
        self.run_push('abort', '--all', 'obs://test-bucket/dir/',
                      *self.where())
        self.assert_clean()

    def test_abort_needs_a_name_or_all(self):
        self.run_push('abort', 'obs://test-bucket', *self.where(), code=2)

    def test_abort_spares_a_running_upload(self):
        process = self.start_slowly(self.slow_file())
        result = self.run_push('abort', 'obs://test-bucket/key',
                               *self.where(), code=1)
        self.assertIn('at work', result.err)
        self.cloud.clear_faults()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)

    def test_more_uploads_than_a_page_holds(self):
        for n in range(1005):
            self.cloud.obs('POST', 'many/%04d' % n, [('uploads', None)])
        self.cloud.mark()
        listed = self.run_push('uploads', '--json', 'obs://test-bucket/many/',
                               *self.where())
        self.assertEqual(len(listed.results('server')), 1005)
        self.assertEqual(self.cloud.count('list-uploads'), 2)

    def test_resume_with_more_parts_than_a_page_holds(self):
        """1010 parts: the list of parts has two pages, on resume as well."""
        file = self.raw('disk.bin', 1010 * PART, {0: b'x', 700 * PART: b'y'})
        # a quick machine must not be through before it is killed
        self.cloud.fault(match={'op': 'upload-part'}, skip=1004,
                         action='stall', count=None)
        process = self.start('upload', file, 'obs://test-bucket/key',
                             *self.where(), '--part-size', '5MiB',
                             '--parallel', '16')
        self.addCleanup(process.kill)
        while self.cloud.count('upload-part', status=200) < 1002:
            self.assertIsNone(process.poll())
            time.sleep(0.1)
        process.kill()
        process.communicate()
        self.cloud.clear_faults()
        killed = self.cloud.mark()
        self.upload(file, 'key', '--part-size', '5MiB', '--parallel', '16')
        self.assertLessEqual(self.cloud.count('upload-part'), 8 + 16)
        self.assertEqual([r['query'].get('part-number-marker')
                          for r in self.cloud.log('list-parts')],
                         [None, '1000', None, '1000'])
        self.assertEqual(self.cloud.objects()['key']['size'], 1010 * PART)
        self.assertGreater(killed, 1002)
        self.assertEqual(self.cloud.read('key', 700 * PART, 2), b'y\0')


class Adopt(PushCase):
    """--upload-id: an upload that another tool began."""

    def begin(self, file, sizes, key='key'):
        """Parts of such sizes are there, in the order of the file; a size
        below 0 is a part that is not."""
        upload = self.cloud.obs('POST', key, [('uploads', None)]).between(
            'UploadId')
        with open(file, 'rb') as f:
            for number, size in enumerate(sizes, 1):
                data = f.read(abs(size))
                if size > 0:
                    answer = self.cloud.obs('PUT', key, [
                        ('partNumber', str(number)), ('uploadId', upload)],
                        body=data)
                    self.assertEqual(answer.status, 200)
        self.cloud.mark()
        return upload

    def sent(self):
        return sorted(r['part'] for r in self.cloud.log('upload-part'))

    def same(self, file, key='key'):
        with open(file, 'rb') as f:
            self.assertEqual(self.cloud.read(key), f.read())
        self.assert_clean()

    def test_only_what_is_missing_is_sent(self):
        file = self.file('f', 4 * 7 * MIB + 3)
        upload = self.begin(file, [7 * MIB, -7 * MIB, 7 * MIB, -7 * MIB, 3])
        out = self.upload(file, 'key', '--upload-id', upload).out
        self.assertIn('14.0 MiB from before', out)
        self.assertEqual(self.sent(), [2, 4])
        self.same(file)

    def test_part_that_differs_is_sent_again(self):
        file = self.file('f', 21 * MIB)
        upload = self.begin(self.file('g', 7 * MIB, 2), [7 * MIB])
        self.upload(file, 'key', '--upload-id', upload)
        self.assertEqual(self.sent(), [1, 2, 3])
        self.same(file)

    def test_one_part_holds_all(self):
        """Where we would have made a plain object."""
        file = self.file('f', 6 * MIB)
        upload = self.begin(file, [6 * MIB])
        self.upload(file, 'key', '--upload-id', upload)
        self.assertEqual(self.sent(), [])
        self.same(file)

    def test_sizes_that_we_have_not(self):
        """Everything is sent, in parts of ours; parts past them are left."""
        file = self.file('f', 33 * MIB)
        upload = self.begin(file, [5 * MIB + 1] * 6)
        self.upload(file, 'key', '--upload-id', upload)
        self.assertEqual(self.sent(), [1, 2, 3])
        self.same(file)

    def test_break_and_resume_without_the_id(self):
        file = self.file('f', 35 * MIB)
        upload = self.begin(file, [5 * MIB])
        self.cloud.fault(match={'op': 'upload-part'}, skip=2, action='answer',
                         status=403, code='AccessDenied', count=None)
        self.upload(file, 'key', '--upload-id', upload, '--parallel', '1',
                    code=None)
        self.cloud.clear_faults()
        self.assertEqual([u['id'] for u in self.cloud.uploads()],
                         [upload])
        self.upload(file, 'key')
        self.same(file)
        self.assertEqual(self.cloud.sent_twice(), [])

    def test_refusals_leave_everything_as_it_is(self):
        file = self.file('f', 35 * MIB)
        upload = self.begin(file, [5 * MIB])
        wrong = self.upload(file, 'key', '--upload-id', 'x' + upload, code=5)
        self.assertIn('has no unfinished upload', wrong.err)
        for option in ('--restart', '--storage-class=WARM', '--if-changed'):
            self.upload(file, 'key', '--upload-id', upload, option, code=2)
        self.assertEqual(self.cloud.count('upload-part'), 0)
        self.assertEqual([u['id'] for u in self.cloud.uploads()],
                         [upload])
        # an upload of our own to the same place is not forgotten for it
        self.cloud.fault(match={'op': 'upload-part'}, action='answer',
                         status=403, code='AccessDenied', count=None)
        self.upload(file, 'key', code=None)
        self.cloud.clear_faults()
        self.upload(file, 'key', '--upload-id', upload, code=2)
        self.assertEqual(len(self.cloud.uploads()), 2)


if __name__ == '__main__':
    unittest.main()
