#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fails if something has become twice as slow as its goal allows.

Short runs of P1, P3, P5 and P8 on data made on the spot.  Each fails only if
the best of several pairs, measured one right after the other, is worse than
twice the goal: a busy machine slows both sides of a pair, and one quiet
moment is enough.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases                                                # noqa: E402
import data                                                 # noqa: E402
import measure                                              # noqa: E402
import servers                                              # noqa: E402
import uploads                                              # noqa: E402

MIB = 1 << 20
ROUNDS = 3
GROSS = 2
# against rclone, which needs no long start and takes part in P8's goals
UPLOAD_SIZE = 128 * MIB


class SmokeDisks(data.QuickDisks):
    data, piece = 128 * MIB, 8 * MIB


class Smoke(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        servers.install('gcc', 'libc6-dev', 'libssl-dev', 'rclone', 'time',
                        'zstd')
        folder = os.path.join(os.environ.get('TEST_TMP', data.CACHE), 'smoke')
        cls.bench = cases.Bench(SmokeDisks(folder), ROUNDS, quick=True)
        cls.addClassCleanup(cls.bench.__exit__)

    def check_goals(self, goals):
        for text, ours, theirs, field, most in goals:
            middle, best, worst = measure.ratio(ours, theirs, field)
            said = (f'{text}: {best:.2f} to {worst:.2f} x of {theirs.name}, '
                    f'goal {most:.2f}')
            print(said)
            self.assertLessEqual(best, GROSS * most, said)

    def test_compressing_is_not_grossly_slower_than_zstd(self):
        self.check_goals(self.bench.p1().goals)

    def test_expanding_is_not_grossly_slower_than_zstd_and_qcow2(self):
        self.check_goals(self.bench.p3().goals)

    def test_a_bitmap_beside_raw_costs_next_to_nothing(self):
        self.check_goals(self.bench.p5().goals)

    def test_uploading_is_not_grossly_slower_than_rclone(self):
        path = self.bench.out('upload.bin')
        uploads.random_file(path, UPLOAD_SIZE)
        with uploads.Sink() as sink:
            clients = uploads.Clients(sink, path, self.bench.folder('push'))
            ours, rclone = measure.compare(
                [clients.obs_push(), clients.rclone()], ROUNDS)
        self.check_goals([('wall', ours, rclone, 'wall', 1),
                          ('CPU', ours, rclone, 'cpu', .5),
                          ('memory', ours, rclone, 'memory', 1)])


if __name__ == '__main__':
    unittest.main()
