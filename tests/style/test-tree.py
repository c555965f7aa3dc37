#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold for every file of the tree: licence, layering, size, words."""
import os
import re
import subprocess
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PURE = ['zvhd2-format', 'zvhd2-finding', 'zvhd2-codec', 'zvhd2-map',
        'zvhd2-builder', 'raw-bitmap']
CODE = ('.c', '.h', '.py', '.sh', '.js')
# A file over 800 lines needs its reason here.
LONG = {
    'LICENSE': 'the licence text',
}


def tracked():
    out = subprocess.run(['git', '-C', TOP, 'ls-files', '-z'],
                         stdout=subprocess.PIPE, check=True).stdout
    names = [n for n in out.decode().split('\0') if n]
    return [n for n in names if os.path.isfile(os.path.join(TOP, n))]


def text(name):
    with open(os.path.join(TOP, name), encoding='utf-8',
              errors='replace') as f:
        return f.read()


def is_code(name):
    if name.endswith(CODE) or name.endswith('meson.build'):
        return True
    with open(os.path.join(TOP, name), 'rb') as f:
        return f.read(2) == b'#!'


class Tree(unittest.TestCase):
    def test_top_level_is_as_designed(self):
        allowed = {'block', 'qemu-patches', 'tools', 'tests', 'meson.build',
                   'README.md', 'LICENSE', 'LICENSE-MIT', 'CONTRIBUTING.md'}
        top = {n.split('/')[0] for n in tracked()}
        self.assertEqual({n for n in top if not n.startswith('.')} - allowed,
                         set())

    def test_every_code_file_names_its_licence(self):
        bare = [n for n in tracked() if is_code(n)
                and 'SPDX-License-Identifier:' not in text(n)[:400]]
        self.assertEqual(bare, [])

    def test_pure_modules_are_mit_and_include_only_c(self):
        ok = re.compile(r'#include (<(assert|ctype|errno|inttypes|limits|'
                        r'stdarg|stdbool|stddef|stdint|stdio|stdlib|string|'
                        r'zlib|zstd)\.h>|"(zvhd2-(format|codec|map)|'
                        r'raw-bitmap(-fit)?)\.h")')
        for name in PURE:
            for end in '.c', '.h':
                if name in ('zvhd2-finding', 'zvhd2-builder') and end == '.h':
                    continue    # declared beside what they serve
                source = text(f'block/{name}{end}')
                self.assertIn('SPDX-License-Identifier: MIT', source[:200],
                              name)
                for line in re.findall(r'^\s*#\s*include.*', source, re.M):
                    self.assertRegex(line, ok, name + end)

    def test_no_meson_build_in_block(self):
        # the folder is copied over QEMU's own
        self.assertEqual([n for n in tracked() if n.startswith('block/')
                          and os.path.basename(n) in
                          ('meson.build', 'trace-events')], [])

    def test_long_files_have_a_reason(self):
        long = [n for n in tracked() if is_code(n) and n not in LONG
                and text(n).count('\n') > 800]
        self.assertEqual(long, [])

    def test_no_registry_host_and_no_machine_path(self):
        # written so that this file does not match itself
        bad = re.compile(r'/(w[o]rk|r[o]ot|h[o]me)/[a-z.]|'
                         r'(registry|deb|security|snapshot)\.[a-z]+\.o[r]g|'
                         r'registry\.npmjs|/tmp/d[e]v/')
        hits = []
        for name in tracked():
            if name == 'LICENSE':
                continue
            for number, line in enumerate(text(name).splitlines(), 1):
                if bad.search(line):
                    hits.append(f'{name}:{number}: {line.strip()[:100]}')
        self.assertEqual(hits, [])

    def test_no_driver_source_in_a_patch(self):
        # a patch says where our files hang in; the code is in block/
        for name in tracked():
            if name.endswith('.patch'):
                added = [line for line in text(name).splitlines()
                         if line.startswith('+') and
                         not line.startswith('+++')]
                self.assertLess(len(added), 150, name)

    def test_scripts_parse(self):
        for name in tracked():
            if not is_code(name):
                continue
            first = text(name).split('\n', 1)[0]
            if name.endswith('.py') or 'python' in first:
                compile(text(name), name, 'exec')
            elif 'bash' in first or name.endswith('.sh'):
                result = subprocess.run(
                    ['bash', '-n', os.path.join(TOP, name)],
                    stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_readme_names_only_what_exists(self):
        readme = text('README.md')
        for path in set(re.findall(r'`((?:tools|tests|block|qemu-patches)/'
                                   r'[A-Za-z0-9_./-]+)`', readme)):
            self.assertTrue(os.path.exists(os.path.join(TOP, path)), path)


if __name__ == '__main__':
    unittest.main()
