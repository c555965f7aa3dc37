#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compile the overlay's objects of a QEMU build again, with other eyes.

usage: replay-compile.py BUILD clang|gcc SOURCE...

SOURCE is a name in the tree's block/ ('zvhd2.c'), or the path of any other C
file, which is then compiled as if it stood beside them.  Each is checked with
the build's own include paths and macros; nothing is written.  A warning is an
error.  With clang the thread-safety analysis of QEMU's graph lock is on, which
gcc does not know: gcc takes a missing lock without a word.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

# What QEMU's configure passes to clang where it passes other things to gcc,
# so that QEMU's headers are as quiet as in its own clang builds.
CLANG = ['clang', '-fsyntax-only', '-Werror', '-Wthread-safety',
         '-Wno-unknown-warning-option', '-Wno-initializer-overrides',
         '-Wno-missing-include-dirs', '-Wno-shift-negative-value',
         '-Wno-string-plus-int', '-Wno-typedef-redefinition',
         '-Wno-tautological-type-limit-compare',
         '-Wno-gnu-variable-sized-type-not-at-end']
GCC = ['gcc', '-c', '-o', '/dev/null', '-Werror']
# code generation that one compiler has and the other has not, or that an
# older one knows under another name: nothing to a check of the source
GCC_ONLY = ('-fzero-call-used-regs', '-ftrivial-auto-var-init', '-mcx16')


def command_for(build, compiler, like, source):
    """The compiler's argument list for source, as the build has it for like."""
    with open(os.path.join(build, 'compile_commands.json')) as f:
        entries = json.load(f)
    for entry in entries:
        if os.path.basename(entry['file']) == like and \
           '/block/' in entry['file']:
            break
    else:
        sys.exit(f'replay-compile: {like} is no part of the build in {build}')
    words = shlex.split(entry['command'])
    # 'ccache cc' or 'cc': the first option ends the compiler's name
    while not words[0].startswith('-'):
        words.pop(0)
    kept = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ('-o', '-MQ', '-MF', '-c'):
            skip = True
        elif word == '-MD' or (compiler == 'clang' and
                               word.startswith(GCC_ONLY)):
            pass
        else:
            kept.append(word)
    if source == like:
        source = entry['file']
    own = CLANG if compiler == 'clang' else GCC
    # QEMU's block/ is a source's own folder when it includes "zvhd2-driver.h"
    own_folder = os.path.dirname(entry['file'])
    return own[:1] + kept + own[1:] + ['-iquote', own_folder, source]


def main():
    if len(sys.argv) < 4 or sys.argv[2] not in ('clang', 'gcc'):
        sys.exit(__doc__)
    build, compiler, sources = sys.argv[1], sys.argv[2], sys.argv[3:]
    commands = []
    for source in sources:
        like = source if os.path.basename(source) == source else 'zvhd2.c'
        path = source if like == source else os.path.abspath(source)
        commands.append(command_for(build, compiler, like, path))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(lambda c: subprocess.run(
                c, cwd=build, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True), commands):
            sys.stderr.write(result.stdout)
            failed += result.returncode != 0
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
