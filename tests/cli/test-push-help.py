#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Help, manual page and completion of obs-push say the same, and what the
program really takes; wrong command lines are told apart."""

import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
import cloudtest
from pushtest import HERE, OBS_PUSH

COMPLETION = os.path.join(HERE, '..', '..', 'tools', 'obs-push',
                          'completion.bash')
NAMED = ('check', 'upload', 'register', 'wait', 'bitmap', 'uploads', 'abort',
         'os-versions', 'config')


def run(*arguments, code=0, **how):
    done = subprocess.run([OBS_PUSH, *arguments], capture_output=True,
                          text=True, timeout=60, **how)
    if done.returncode != code:
        raise AssertionError('%s: exit %d\n%s%s' % (
            arguments, done.returncode, done.stdout, done.stderr))
    return done


def options(command):
    return run(*command, '--long-options').stdout.split()


def plain(roff):
    return roff.replace('\\-', '-').replace('\\fI', '').replace(
        '\\fR', '').replace('\\fB', '')


class InStep(unittest.TestCase):
    def setUp(self):
        self.commands = run('--long-options=commands').stdout.split()
        self.man = plain(run('--help-man').stdout)

    def test_all_commands_are_there(self):
        self.assertLessEqual(set(NAMED), set(self.commands))

    def test_each_option_is_in_help_manual_and_table(self):
        for command in self.commands:
            words = options([command])
            help_text = run(command, '--help').stdout
            shown = set(re.findall(r'^  (?:-\w, )?(--[\w-]+)', help_text,
                                   re.M))
            self.assertEqual(shown, set(words) - {'--help'}, command)
            for word in words:
                self.assertRegex(self.man, r'(?m)^\.B (-\w, )?%s(=|$)' % word,
                                 command)

    def test_each_option_is_taken_by_its_command(self):
        """An option of the table without its value is missing a value; an
        unknown one is unknown."""
        for command in self.commands:
            for word in options([command]):
                if word == '--help':
                    continue
                done = subprocess.run([OBS_PUSH, command, word],
                                      capture_output=True, text=True,
                                      timeout=60, env=dict(os.environ,
                                                           HOME='/nowhere',
                                                           XDG_STATE_HOME=(
                                                               '/nowhere')))
                self.assertNotIn('Unknown option', done.stderr,
                                 (command, word))
            done = run(command, '--no-such-option', code=2)
            self.assertIn('Unknown option', done.stderr)

    def test_help_begins_with_examples(self):
        for command in self.commands:
            self.assertTrue(run(command, '--help').stdout
                            .startswith('Examples:\n  obs-push'), command)
        overview = run('--help').stdout
        self.assertLess(overview.index('Examples:'),
                        overview.index('Usage:'))
        for command in self.commands:
            self.assertRegex(overview, r'(?m)^  %s ' % command)

    def test_examples_use_options_that_exist(self):
        for command in self.commands:
            text = run(command, '--help').stdout
            for line in text.partition('\nUsage:')[0].splitlines()[1:]:
                words = line.split()
                own = words[1] if words[1] in self.commands else 'push'
                for word in re.findall(r' (--[\w-]+)', line):
                    self.assertIn(word, options([own]), line)

    def test_exit_codes_are_in_the_manual(self):
        status = self.man.partition('EXIT STATUS')[2]
        for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 130):
            self.assertRegex(status, r'(?m)^\.B %d$' % code)

    def test_manual_is_right_roff(self):
        if not shutil.which('man'):
            self.assertIn('.TH OBS', self.man)
            return
        page = os.path.join(cloudtest.scratch('man-'), 'obs-push.1')
        self.addCleanup(shutil.rmtree, os.path.dirname(page))
        with open(page, 'w') as f:
            f.write(run('--help-man').stdout)
        done = subprocess.run(['man', '--warnings', '-l', '-E', 'UTF-8',
                               page], capture_output=True, text=True,
                              env=dict(os.environ, MANPAGER='cat',
                                       LC_ALL='C.UTF-8'))
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertIn('--min-disk', done.stdout)


class Completion(unittest.TestCase):
    def complete(self, *words):
        """What bash offers for the last word."""
        script = '''
            source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _obs_push
            printf '%s\\n' "${COMPREPLY[@]}"
        '''
        done = subprocess.run(
            ['bash', '-c', script, 'bash', COMPLETION, OBS_PUSH, *words],
            capture_output=True, text=True, timeout=60, cwd=HERE)
        self.assertEqual(done.stderr, '')
        return done.stdout.split()

    def test_commands(self):
        self.assertLessEqual(set(NAMED), set(self.complete('')))
        self.assertEqual(self.complete('regi'), ['register'])

    def test_options_of_a_command(self):
        for command in NAMED:
            self.assertEqual(sorted(self.complete(command, '--')),
                             sorted(options([command])), command)
        self.assertEqual(self.complete('upload', '--stor'),
                         ['--storage-class'])

    def test_options_without_a_command(self):
        self.assertIn('--os-version', self.complete('--os-'))

    def test_values(self):
        self.assertIn('otc', self.complete('upload', '--cloud', 'o'))
        self.assertEqual(self.complete('upload', '--signature', 'v'),
                         ['v2', 'v4'])
        self.assertEqual(self.complete('upload', '--cacert', 'pusht'),
                         ['pushtest.py'])


class CommandLine(unittest.TestCase):
    def test_version(self):
        self.assertRegex(run('--version').stdout, r'^obs-push \d')

    def test_nothing_is_usage(self):
        run(code=2)

    def test_wrong_lines(self):
        for line, text in (
                (['upload'], 'too few'),
                (['uplod', 'a', 'obs://bucket/k'], 'neither a command nor'),
                (['os-version'], 'neither a command nor'),
                (['upload', 'a', 'b', 'c'], 'too many'),
                (['upload', 'a', 'obs://bucket/k', '--part-size', '5 apples'],
                 'no size'),
                (['upload', 'a', 'obs://bucket/k', '--deadline', 'tomorrow'],
                 'no time'),
                (['upload', 'a', 'obs://bucket/k', '--parallel', '9999'],
                 '--parallel'),
                (['upload', 'a', 'obs://bucket/k', '--signature', 'rsa'],
                 '--signature'),
                (['upload', 'a', 'obs://bucket/k', '--json', '--quiet'],
                 'exclude'),
                (['upload', 'a', 'obs://bucket/k', '--no-clobber',
                  '--if-changed'], 'exclude'),
                (['a', 'obs://bucket/k', '--wait', '--no-wait'], 'exclude'),
                (['config', '--cloud', 'nimbus', '--no-metadata'],
                 'nimbus')):
            with self.subTest(line):
                done = run(*line, code=2, env=dict(
                    os.environ, OBS_ACCESS_KEY_ID='a',
                    OBS_SECRET_ACCESS_KEY='b'))
                self.assertIn(text, done.stderr)
                self.assertIn('--help', done.stderr)

    def test_output_that_cannot_be_written(self):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([OBS_PUSH, '--help'], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn('cannot write', done.stderr)


if __name__ == '__main__':
    unittest.main()
