#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/qemu-overlay: goes on, comes off, and says what is wrong in one line.

The trees are small: the files that the patches touch, from the real sources.
The tool runs from a copy of the checkout, so that a test may change block/ and
the series without anybody noticing.
"""
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
STATE = '.zvhd2-overlay'
# the versions of which the machine's mirror surely has the source
SURE = ('7.2', '10.0')


def run(*words, **options):
    return subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **options)


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def real_tree(version, vanilla=False):
    """A fetched source tree; it may carry the overlay."""
    words = [os.path.join(TOP, 'tools/qemu-overlay'), 'fetch', '--qemu',
             version] + (['--vanilla'] if vanilla else [])
    result = run(*words)
    if result.returncode:
        raise RuntimeError(f'no source of QEMU {version}: {result.stderr}')
    return result.stdout.strip()


def series_files(version):
    """What the patches of a series touch."""
    folder = os.path.join(TOP, 'qemu-patches', version)
    names = set()
    for line in read(os.path.join(folder, 'series')).split('\n'):
        if line:
            names.update(re.findall(r'^\+\+\+ b/(\S+)',
                                    read(os.path.join(folder, line)), re.M))
    return sorted(names)


class Scratch(unittest.TestCase):
    """A copy of the checkout, and small trees for it."""

    @classmethod
    def setUpClass(cls):
        base = os.environ.get('TEST_TMP') or os.environ.get('TMPDIR')
        cls.tmp = tempfile.mkdtemp(prefix='overlay-', dir=base)
        cls.addClassCleanup(shutil.rmtree, cls.tmp)
        cls.repo = os.path.join(cls.tmp, 'repo')
        for folder in ('block', 'qemu-patches', 'tools/lib'):
            shutil.copytree(os.path.join(TOP, folder),
                            os.path.join(cls.repo, folder))
        shutil.copy(os.path.join(TOP, 'tools/qemu-overlay'),
                    os.path.join(cls.repo, 'tools/qemu-overlay'))
        cls.pristine = {}
        for version in SURE:
            cls.pristine[version] = cls.small_tree(version)

    @classmethod
    def small_tree(cls, version):
        tree = real_tree(version)
        small = os.path.join(cls.tmp, 'pristine-' + version)
        names = series_files(version) + ['VERSION', 'configure']
        state = os.path.join(tree, STATE)
        if os.path.isdir(state):
            shutil.copytree(state, os.path.join(small, STATE))
            names += ['block/' + n
                      for n in read(os.path.join(state, 'files')).split()]
            for name in os.listdir(state):
                if name.endswith('.patch'):
                    names += re.findall(r'^\+\+\+ b/(\S+)',
                                        read(os.path.join(state, name)), re.M)
        for name in names:
            os.makedirs(os.path.dirname(os.path.join(small, name)),
                        exist_ok=True)
            shutil.copy2(os.path.join(tree, name), os.path.join(small, name))
        if os.path.isdir(os.path.join(small, STATE)):
            result = cls.overlay('undo', small)
            if result.returncode:
                raise RuntimeError(result.stderr)
        return small

    @classmethod
    def overlay(cls, verb, tree, **options):
        return run(os.path.join(cls.repo, 'tools/qemu-overlay'), verb,
                   '--qemu', tree, **options)

    def setUp(self):
        self.trees = tempfile.mkdtemp(dir=self.tmp)
        self.addCleanup(shutil.rmtree, self.trees)

    def tree(self, version='7.2'):
        copy = os.path.join(self.trees, 'qemu')
        shutil.copytree(self.pristine[version], copy)
        return copy

    def good(self, verb, tree, **options):
        result = self.overlay(verb, tree, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def change(self, path, old, new):
        text = read(path)
        self.assertIn(old, text)
        write(path, text.replace(old, new))
        self.addCleanup(write, path, text)


def contents(tree, state=False):
    """Path -> hash of every file of the tree, the tool's own left out."""
    found = {}
    for folder, folders, names in os.walk(tree):
        if not state and STATE in folders:
            folders.remove(STATE)
        for name in names:
            path = os.path.join(folder, name)
            with open(path, 'rb') as f:
                found[os.path.relpath(path, tree)] = (
                    hashlib.sha256(f.read()).hexdigest(),
                    os.stat(path).st_mode)
    return found


def times(tree):
    return {os.path.join(folder, name):
            os.stat(os.path.join(folder, name)).st_mtime_ns
            for folder, _, names in os.walk(tree) for name in names
            if STATE not in folder}


class Apply(Scratch):
    def test_copies_and_patches(self):
        for version in SURE:
            with self.subTest(version):
                tree = self.tree(version)
                self.good('apply', tree)
                for name in os.listdir(os.path.join(self.repo, 'block')):
                    copied = os.path.join(tree, 'block', name)
                    if name.endswith(('.c', '.h')):
                        self.assertEqual(
                            read(copied),
                            read(os.path.join(self.repo, 'block', name)))
                    else:
                        self.assertFalse(os.path.exists(copied), name)
                listed = read(os.path.join(tree, 'block/zvhd2.list')).split()
                self.assertEqual(listed, sorted(
                    n for n in os.listdir(os.path.join(self.repo, 'block'))
                    if n.endswith('.c')))
                self.assertIn("'zvhd2'", read(os.path.join(
                    tree, 'qapi/block-core.json')))
                shutil.rmtree(tree)

    def test_again_touches_nothing(self):
        tree = self.tree()
        self.good('apply', tree)
        before = times(tree)
        second = self.good('apply', tree)
        self.assertEqual(times(tree), before)
        self.assertEqual(second.stderr, '')

    def test_undo_restores_every_file(self):
        for version in SURE:
            with self.subTest(version):
                tree = self.tree(version)
                before = contents(tree, state=True)
                self.good('apply', tree)
                self.assertNotEqual(contents(tree), before)
                self.good('undo', tree)
                self.assertEqual(contents(tree, state=True), before)
                self.good('undo', tree)
                shutil.rmtree(tree)

    def test_a_changed_file_alone_is_copied_again(self):
        tree = self.tree()
        self.good('apply', tree)
        before = times(tree)
        changed = os.path.join(self.repo, 'block/zvhd2-format.h')
        self.change(changed, '#ifndef', '/* */\n#ifndef')
        self.good('apply', tree)
        after = times(tree)
        self.assertEqual([os.path.relpath(p, tree) for p in after
                          if after[p] != before[p]], ['block/zvhd2-format.h'])

    def test_a_file_that_is_gone_goes(self):
        extra = os.path.join(self.repo, 'block/zvhd2-extra.c')
        tree = self.tree()
        write(extra, '/* */\n')
        try:
            self.good('apply', tree)
        finally:
            os.remove(extra)
        self.assertTrue(os.path.exists(tree + '/block/zvhd2-extra.c'))
        self.assertIn('zvhd2-extra.c', read(tree + '/block/zvhd2.list'))
        self.good('apply', tree)
        self.assertFalse(os.path.exists(tree + '/block/zvhd2-extra.c'))
        self.assertNotIn('zvhd2-extra.c', read(tree + '/block/zvhd2.list'))

    def test_a_changed_series_replaces_the_old_one(self):
        tree = self.tree()
        self.good('apply', tree)
        before = times(tree)
        series = os.path.join(self.repo, 'qemu-patches/7.2/series')
        self.change(series, '../common/0002-iotests-know-zvhd2.patch\n', '')
        self.good('apply', tree)
        after = times(tree)
        self.assertEqual([os.path.relpath(p, tree) for p in after
                          if after[p] != before[p]],
                         ['tests/qemu-iotests/check'])
        self.assertEqual(
            read(tree + '/tests/qemu-iotests/check'),
            read(self.pristine['7.2'] + '/tests/qemu-iotests/check'))

    def test_a_file_of_qemu_is_never_replaced(self):
        tree = self.tree()
        write(tree + '/block/zvhd2-format.c', 'somebody else\n')
        before = contents(tree, state=True)
        result = self.overlay('apply', tree)
        self.assertEqual(result.returncode, 1)
        self.assertIn('block/zvhd2-format.c is there already', result.stderr)
        self.assertEqual(contents(tree, state=True), before)

    def test_a_run_that_was_killed_is_finished(self):
        whole = self.tree()
        self.good('apply', whole)
        wanted = contents(whole)
        shutil.rmtree(whole)
        # mv(1) kills the script when it is about to put a file in place
        tools = os.path.join(self.trees, 'bin')
        write(tools + '/mv', '#!/bin/sh\n'
              'case "$*" in *qapi/block-core.json) kill -9 $PPID; esac\n'
              'exec /bin/mv "$@"\n')
        os.chmod(tools + '/mv', 0o755)
        environment = dict(os.environ, PATH=tools + ':' + os.environ['PATH'])
        for verb, after in (('apply', wanted),
                            ('undo', contents(self.pristine['7.2']))):
            for again in (verb, 'apply'):
                with self.subTest(verb + ' killed, then ' + again):
                    tree = self.tree()
                    if verb == 'undo':
                        self.good('apply', tree)
                    result = self.overlay(verb, tree, env=environment)
                    self.assertEqual(result.returncode, -9)
                    self.assertNotEqual(contents(tree), after)
                    self.good(again, tree)
                    self.assertEqual(contents(tree),
                                     wanted if again == 'apply' else after)
                    self.good('undo', tree)
                    self.assertEqual(contents(tree, state=True),
                                     contents(self.pristine['7.2']))
                    shutil.rmtree(tree)


class Refuse(Scratch):
    def refused(self, tree, patch):
        before = contents(tree, state=True)
        for verb in 'check', 'apply':
            result = self.overlay(verb, tree)
            self.assertEqual(result.returncode, 1, result.stderr)
            lines = [line for line in result.stderr.splitlines()
                     if 'does not fit' in line]
            self.assertEqual(len(lines), 1, result.stderr)
            self.assertIn(patch, lines[0])
            self.assertIn(tree, lines[0])
            self.assertEqual(contents(tree, state=True), before)

    def test_a_tree_that_cannot_be_written(self):
        tree = self.tree()
        folder = tree + '/qapi'
        os.chmod(folder, 0o555)
        self.addCleanup(os.chmod, folder, 0o755)
        # root writes everywhere, unless it gives that up
        words = [] if os.geteuid() else [
            'setpriv', '--bounding-set=-dac_override,-fowner',
            '--inh-caps=-all', '--']
        tool = os.path.join(self.repo, 'tools/qemu-overlay')
        result = run(*words, tool, 'apply', '--qemu', tree)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn('cannot write ' + folder + '/block-core.json',
                      result.stderr)
        os.chmod(folder, 0o755)
        self.good('apply', tree)
        self.good('undo', tree)
        self.assertEqual(contents(tree, state=True),
                         contents(self.pristine['7.2']))

    def test_fuzz(self):
        tree = self.tree()
        # the outermost line of a hunk's context
        self.change(tree + '/block/meson.build', "    'qed.c',\n",
                    "    'qed.c', 'more.c',\n")
        patch = 'qemu-patches/common/0001-block-build-zvhd2.patch'
        # the control: patch(1) as it comes would take it
        with open(os.path.join(self.repo, patch)) as f:
            plain = run('patch', '-p1', '--dry-run', '-d', tree, stdin=f)
        self.assertEqual(plain.returncode, 0, plain.stdout)
        self.assertIn('fuzz', plain.stdout)
        self.refused(tree, patch)

    def test_a_hunk_whose_place_is_gone(self):
        tree = self.tree('10.0')
        self.change(tree + '/qapi/block-core.json',
                    "'vmdk', 'vpc', 'vvfat' ] }", "'vmdk', 'vvfat' ] }")
        self.refused(tree, 'qemu-patches/common/0005-qapi-zvhd2.patch')

    def test_a_file_that_is_gone(self):
        tree = self.tree()
        os.remove(tree + '/tests/qemu-iotests/check')
        self.refused(tree, 'common/0002-iotests-know-zvhd2.patch')

    def test_an_edit_on_top_is_kept(self):
        tree = self.tree()
        self.good('apply', tree)
        write(tree + '/qemu-img.c',
              '/* mine */\n' + read(tree + '/qemu-img.c'))
        self.good('undo', tree)
        self.assertEqual(read(tree + '/qemu-img.c'), '/* mine */\n' + read(
            self.pristine['7.2'] + '/qemu-img.c'))

    def test_an_edit_of_a_patched_line_stops_undo(self):
        tree = self.tree()
        self.good('apply', tree)
        self.change(tree + '/block/meson.build', "read('zvhd2.list')",
                    "read('mine.list')")
        before = contents(tree, state=True)
        result = self.overlay('undo', tree)
        self.assertEqual(result.returncode, 1)
        self.assertIn('0001-block-build-zvhd2.patch no longer comes off',
                      result.stderr)
        self.assertEqual(contents(tree, state=True), before)


class Versions(Scratch):
    def test_every_source_of_debian(self):
        trees = [real_tree(v, vanilla) for v in SURE
                 for vanilla in (False, True)]
        for name in '10.2', '10.2-vanilla':
            tree = os.path.join(TOP, 'build/src/qemu-' + name)
            if os.path.isdir(tree):
                trees.append(tree)
        for tree in trees:
            with self.subTest(tree):
                result = self.good('check', tree)
                self.assertIn('every patch', result.stderr)
                self.assertNotIn('nearest', result.stderr)

    def test_an_unknown_version_gets_the_nearest_series(self):
        for version, series, base in (('7.1.50', '7.2', '7.2'),
                                      ('8.0.3', '7.2', '7.2'),
                                      ('9.2.1', '10.0', '10.0'),
                                      ('10.0.99', None, '10.0'),
                                      ('10.1.0', '10.2', '10.0'),
                                      ('11.1.3', '10.2', '10.0')):
            with self.subTest(version):
                tree = self.tree(base)
                write(tree + '/VERSION', version + '\n')
                result = self.good('check', tree)
                said = f'QEMU {version} has no series of its own: ' \
                       f'trying the nearest, {series}'
                if series:
                    self.assertIn(said, result.stderr)
                else:
                    self.assertNotIn('nearest', result.stderr)
                shutil.rmtree(tree)

    def test_a_version_that_is_none(self):
        tree = self.tree('7.2')
        for text in 'git\n', '\n', '7\n', '7.$(id).0\n':
            with self.subTest(text):
                write(tree + '/VERSION', text)
                result = self.overlay('check', tree)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr,
                                 "^.* in VERSION is no version of QEMU\n$")

    def test_an_unknown_version_that_does_not_fit_says_so(self):
        tree = self.tree('7.2')
        write(tree + '/VERSION', '9.9.0\n')
        result = self.overlay('apply', tree)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r'10\.0/0004-qapi-zvhd2-kind\.patch '
                         r'does not fit .*\(QEMU 9\.9\.0\): '
                         r'qapi/block-core\.json: Hunk #\d FAILED')
        self.assertEqual(contents(tree, state=True),
                         dict(contents(self.pristine['7.2']),
                              VERSION=contents(tree)['VERSION']))

    def test_a_tarball_is_unpacked_once(self):
        tree = self.tree('10.0')
        tarball = os.path.join(self.trees, 'qemu-10.0.13.tar.gz')
        with tarfile.open(tarball, 'w:gz') as archive:
            archive.add(tree, 'qemu-10.0.13')
        first = self.good('fetch', tarball)
        unpacked = first.stdout.strip()
        self.assertTrue(unpacked.startswith(self.repo), unpacked)
        self.assertEqual(contents(unpacked), contents(tree))
        self.assertEqual(self.good('fetch', tarball).stderr, '')
        os.utime(tarball, (1, 1))
        self.assertIn('unpacking', self.good('fetch', tarball).stderr)

    def test_other_things_are_refused_in_one_line(self):
        folder = os.path.join(self.trees, 'empty')
        os.mkdir(folder)
        tarball = os.path.join(self.trees, 'other.tar')
        with tarfile.open(tarball, 'w') as archive:
            archive.add(os.path.join(TOP, 'LICENSE'), 'other-1.0/LICENSE')
        for what, said in ((folder, 'no QEMU source tree'),
                           (tarball, 'no QEMU source tree'),
                           ('/nonexistent', 'neither a version'),
                           ('ten', 'neither a version'),
                           ('10.0.13', 'neither a version')):
            with self.subTest(what):
                result = self.overlay('fetch', what)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stdout, '')
                self.assertIn(said, result.stderr.splitlines()[-1])
        self.assertEqual([n for n in os.listdir(self.repo + '/build/src')
                          if n.endswith('.part')], [])

    def test_command_line(self):
        tool = os.path.join(self.repo, 'tools/qemu-overlay')
        for words, code in ((['help'], 0), ([], 2), (['bild'], 2),
                            (['build', '-j', 'x'], 2), (['build', '-j'], 2),
                            (['check', '--qemu'], 2), (['check', 'undo'], 2),
                            (['--frobnicate'], 2)):
            with self.subTest(words):
                result = run(tool, *words)
                self.assertEqual(result.returncode, code)
                self.assertTrue(result.stdout + result.stderr)


class Shell(unittest.TestCase):
    """Functions of tools/lib/, with a false /etc/apt or false commands."""

    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix='overlay-')
        self.addCleanup(shutil.rmtree, self.tmp)

    def shell(self, text, **environment):
        result = run('bash', '-c', 'set -eu -o pipefail\n'
                     
                     f'. {TOP}/tools/lib/packages.sh\n'
                     f'. {TOP}/tools/lib/apt-source.sh\n'
                     f'. {TOP}/tools/lib/qemu-fetch.sh\n'
                     f'SOURCES={self.tmp}/src\n' + text,
                     env=dict(os.environ, **environment))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_entries_of_another_suite(self):
        write(self.tmp + '/sources.list', '''\
# a comment
deb [arch=amd64 signed-by=/k.gpg] http://mirror/debian bookworm main contrib
deb-src http://mirror/debian bookworm main
deb http://mirror/debian bookworm-updates main  # with a remark
#deb http://off/debian bookworm main
deb http://mirror/security bookworm-security main
deb http://mirror/debian bookworm-backports main
deb http://vendor/linux bookworm stable
deb http://vendor/pg bookworm-pgdg main
''')
        write(self.tmp + '/sources.list.d/a.sources', '''\
Types: deb
URIs: http://one/debian
Suites: bookworm
 bookworm-updates
Components: main non-free
Signed-By:
 -----BEGIN KEY-----
 .
 abc
Architectures: amd64

# a remark
Enabled: no
Types: deb
URIs: http://off/debian
Suites: bookworm
Components: main
''')
        write(self.tmp + '/sources.list.d/b.sources', '''\
Types: deb deb-src
URIs: http://two/debian
Suites: trixie
Components: main
Signed-By: /k.gpg
''')
        keep = "'^(|-updates|-security)$'"
        self.assertEqual(
            self.shell(f'apt_entries list deb-src trixie {keep}',
                       APT_ETC=self.tmp), '''\
deb-src [arch=amd64 signed-by=/k.gpg] http://mirror/debian trixie main
deb-src http://mirror/debian trixie-updates main
deb-src http://mirror/security trixie-security main
''')
        self.assertEqual(
            self.shell("apt_entries list deb bookworm-backports '^$'",
                       APT_ETC=self.tmp),
            'deb [arch=amd64 signed-by=/k.gpg] http://mirror/debian '
            'bookworm-backports main\n')
        self.assertEqual(
            self.shell(f'apt_entries sources deb-src sid {keep}',
                       APT_ETC=self.tmp), '''\
Types: deb-src
URIs: http://one/debian
Suites: sid sid-updates
Components: main
Signed-By:
 -----BEGIN KEY-----
 .
 abc

Types: deb-src
URIs: http://two/debian
Suites: sid
Components: main
Signed-By: /k.gpg

''')
        # the machine's own suites, all of them
        self.assertEqual(
            self.shell("apt_entries sources deb-src - ''",
                       APT_ETC=self.tmp).count('Suites: bookworm bookworm-'),
            1)

    def test_deb_src_entries_are_seen(self):
        seen = 'apt_has_source_entries && echo yes || echo no'
        write(self.tmp + '/sources.list', '#deb-src http://m bookworm main\n')
        self.assertEqual(self.shell(seen, APT_ETC=self.tmp), 'no\n')
        write(self.tmp + '/sources.list.d/a.sources', 'Types: deb deb-src\n')
        self.assertEqual(self.shell(seen, APT_ETC=self.tmp), 'yes\n')

    def fake(self, name, text):
        write(f'{self.tmp}/bin/{name}', '#!/bin/sh\n' + text)
        os.chmod(f'{self.tmp}/bin/{name}', 0o755)

    def need(self, packages):
        """What need_packages asks for, on a machine that has gcc only."""
        log = self.tmp + '/log'
        write(log, '')
        self.fake('dpkg-query', 'echo "installed gcc"\n'
                  'echo "config-files make"\n')
        self.fake('id', 'echo 1000\n')
        self.fake('sudo', f'echo "$*" >>{log}\n')
        self.shell(f'need_packages {packages}',
                   PATH=f'{self.tmp}/bin:/usr/bin:/bin')
        return read(log).splitlines()

    def test_nothing_is_asked_when_nothing_is_missing(self):
        self.assertEqual(self.need('gcc'), [])

    def test_missing_packages_are_installed_after_an_update(self):
        asked = self.need('gcc make xz-utils')
        self.assertEqual(len(asked), 2)
        self.assertRegex(asked[0], '^apt-get .*update$')
        self.assertRegex(asked[1], '^env .*apt-get .*install .*'
                                   ' make xz-utils$')

    def default(self, showsrc):
        self.fake('apt-cache', 'case $1 in\n'
                  f'showsrc) {showsrc} ;;\n'
                  'policy) echo "  Candidate: 1:7.2+dfsg-7+deb12u18" ;;\n'
                  'esac\n')
        self.fake('id', 'echo 0\n')
        self.fake('apt-get', f'echo "$*" >>{self.tmp}/log\n')
        return self.shell('default_version', APT_ETC=self.tmp,
                          PATH=f'{self.tmp}/bin:/usr/bin:/bin').strip()

    def test_default_is_what_binaries_would_come_from(self):
        versions = ['1:10.0.2+ds-2~bpo12+1', '1:7.2+dfsg-7+deb12u15',
                    '1:7.2+dfsg-7+deb12u18']
        self.assertEqual(self.default('; '.join(
            f'echo "Version: {v}"' for v in versions)), '7.2')
        # kept: the next run does not ask
        self.assertEqual(self.default('exit 100'), '7.2')

    def test_deb_src_is_enabled_where_there_is_none(self):
        write(self.tmp + '/sources.list', 'deb http://m/debian bookworm main\n')
        # apt has no source before its lists are read anew
        known = f'[ -e {self.tmp}/log ] || exit 100; echo "Version: 7.2-1"'
        os.makedirs(self.tmp + '/sources.list.d')
        self.assertEqual(self.default(known), '7.2')
        self.assertEqual(
            read(self.tmp + '/sources.list.d/zvhd2-deb-src.list'),
            'deb-src http://m/debian bookworm main\n')
        self.assertEqual(read(self.tmp + '/log'), '-q -q update\n')

    def test_versions(self):
        for version, upstream in (('1:7.2+dfsg-7+deb12u18', '7.2'),
                                  ('1:10.0.13+ds-0+deb13u1', '10.0'),
                                  ('11.1~rc1-1', '11.1')):
            self.assertEqual(self.shell(f'upstream_of {version}'),
                             upstream + '\n')


if __name__ == '__main__':
    unittest.main()
