# SPDX-License-Identifier: GPL-2.0-or-later
"""Real disks, built from Debian's packages without mounting anything.

    root_tree()                  -> a Debian tree with kernel and systemd
    disk(layout)                 -> RAW image of it: 'bios', 'uefi' or 'lvm';
                                    'server' is 'bios' with more in it
    data_disk(path, size, folders)  -> MBR + ext4 with copies of folders

The root file system is written into place by mke2fs -d, the boot loader by
hand, the EFI partition by mtools and the LVM metadata by inactive volumes, so
no loop device or device mapper is needed.  Everything is cached below
build/cache; delete that folder to build anew.  Needs root (file owners).
"""
import hashlib
import json
import os
import shutil
import struct
import subprocess

import servers

CACHE = os.path.join(servers.TOP, 'build', 'cache')
PACKAGES = ('mmdebstrap', 'e2fsprogs', 'fdisk', 'grub-pc-bin', 'grub2-common',
            'grub-common', 'grub-efi-amd64-bin', 'mtools', 'dosfstools',
            'lvm2')
UUID = '8d7ab3f0-53d4-4c0e-9a51-6c6d2f7d1b10'
MIB = 1 << 20
# The guest reads a file of random bytes and prints its hash where a test
# sees it: what came over the network is what went in.
PROOF = '/usr/share/boot-proof'
UNIT = f'''[Unit]
Description=Prints a proof on the serial line
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "boot-proof $(sha256sum {PROOF} | cut -c1-64)" \
> /dev/ttyS0'
[Install]
WantedBy=multi-user.target
'''


PV = 'AAAAAA-aaaa-bbbb-cccc-dddd-eeee-ffffff'
VOLUME_GROUP = f'''contents = "Text Format Volume Group"
version = 1
vg0 {{
id = "BBBBBB-aaaa-bbbb-cccc-dddd-eeee-ffffff"
seqno = 2
format = "lvm2"
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = 8192
max_lv = 0
max_pv = 0
metadata_copies = 0
physical_volumes {{
pv0 {{
id = "{PV}"
device = "unknown"
status = ["ALLOCATABLE"]
flags = []
dev_size = %(sectors)d
pe_start = 2048
pe_count = %(extents)d
}} }}
logical_volumes {{
root {{
id = "CCCCCC-aaaa-bbbb-cccc-dddd-eeee-ffffff"
status = ["READ", "WRITE", "VISIBLE"]
flags = []
segment_count = 1
segment1 {{
start_extent = 0
extent_count = %(extents)d
type = "striped"
stripe_count = 1
stripes = ["pv0", 0]
}} }} }} }}
'''


def sh(*argv, **more):
    return servers.run(*argv, timeout=900, **more)


def root_tree():
    """Debian stable root with kernel, systemd and the proof; (path, hash)."""
    tree = os.path.join(CACHE, 'rootfs')
    stamp = os.path.join(CACHE, 'rootfs.json')
    servers.need_root('disks hold files of all owners, and are mounted')
    if not os.path.exists(stamp):
        servers.install(*PACKAGES)
        os.makedirs(CACHE, exist_ok=True)
        shutil.rmtree(tree, ignore_errors=True)
        # apt's sources of this machine serve; what they are is its affair
        sh('mmdebstrap', '--quiet', '--variant=apt',
           '--include=linux-image-cloud-amd64,systemd-sysv,udev,'
           'initramfs-tools,lvm2,openssh-server,python3-minimal',
           '--dpkgopt=path-exclude=/usr/share/man/*', suite(), tree)
        proof = os.urandom(3 * MIB + 77)
        with open(tree + PROOF, 'wb') as f:
            f.write(proof)
        unit = tree + '/etc/systemd/system/boot-proof.service'
        with open(unit, 'w') as f:
            f.write(UNIT)
        wants = tree + '/etc/systemd/system/multi-user.target.wants'
        os.makedirs(wants, exist_ok=True)
        os.symlink('../boot-proof.service', wants + '/boot-proof.service')
        with open(tree + '/etc/hostname', 'w') as f:
            f.write('zvhd2-guest\n')
        with open(tree + '/etc/fstab', 'w') as f:
            f.write(f'UUID={UUID} / ext4 defaults 0 1\n')
        with open(stamp, 'w') as f:
            json.dump({'proof': hashlib.sha256(proof).hexdigest()}, f)
    with open(stamp) as f:
        return tree, json.load(f)['proof']


def suite():
    with open('/etc/os-release') as f:
        words = dict(line.rstrip().split('=', 1) for line in f if '=' in line)
    return words['VERSION_CODENAME'].strip('"')


def grub_config(tree):
    boot = os.listdir(tree + '/boot')
    kernel = next(n for n in boot if n.startswith('vmlinuz-'))
    initrd = next(n for n in boot if n.startswith('initrd.img-'))
    # plain commands: the embedded configuration has no menu to offer
    return ('serial --unit=0\nterminal_output serial\n'
            f'search --no-floppy --fs-uuid --set=root {UUID}\n'
            f'linux /boot/{kernel} root=UUID={UUID} ro console=ttyS0\n'
            f'initrd /boot/{initrd}\nboot\n')


def mkfs(image, tree, offset, size):
    sh('mke2fs', '-q', '-F', '-b', '4096', '-t', 'ext4', '-d', tree, '-U',
       UUID, '-E', f'offset={offset}', image, str(size // 4096))


def patch(image, offset, data):
    with open(image, 'r+b') as f:
        f.seek(offset)
        f.write(data)


def sfdisk(image, script):
    sh('sfdisk', '-q', image, input=script)


def disk(layout, gib=3):
    """RAW image of the root tree; layouts 'bios', 'uefi', 'lvm', 'server'."""
    image = os.path.join(CACHE, f'debian-{layout}.raw')
    if os.path.exists(image):
        return image
    tree, _ = root_tree()
    servers.install(*PACKAGES)
    part = image + '.part'
    if os.path.exists(part):
        os.unlink(part)
    size = gib << 30
    with open(part, 'wb') as f:
        f.truncate(size)
    {'bios': bios, 'uefi': uefi, 'lvm': lvm,
     'server': server}[layout](part, tree, size)
    os.rename(part, image)
    return image


def bios(image, tree, size):
    """MBR, one ext4, GRUB between the MBR and the partition."""
    sfdisk(image, '2048,,L,*\n')
    mkfs(image, tree, MIB, size - MIB)
    lib = '/usr/lib/grub/i386-pc'
    early = image + '.cfg'
    with open(early, 'w') as f:
        f.write(grub_config(tree))
    sh('grub-mkimage', '-d', lib, '-O', 'i386-pc', '-p', '/', '-c', early,
       '-o', image + '.core', 'biosdisk', 'part_msdos', 'ext2', 'search',
       'search_fs_uuid', 'normal', 'linux', 'serial', 'terminal', 'boot',
       'configfile', 'echo', 'minicmd')
    with open(lib + '/boot.img', 'rb') as f:
        patch(image, 0, f.read(440))
    with open(image + '.core', 'rb') as f:
        core = f.read()
    assert len(core) < MIB - 512
    patch(image, 512, core)
    os.unlink(early)
    os.unlink(image + '.core')


def server(image, tree, size, payload=700):
    """Like bios, with @payload MiB of this machine's programs in /srv: what a
    server's disk holds and does not need for booting."""
    full = tree + '.server'
    shutil.rmtree(full, ignore_errors=True)
    sh('cp', '-al', tree, full)
    try:
        for folder in ('/usr/lib/gcc', '/usr/lib/python3', '/usr/share/doc',
                       '/usr/bin', '/usr/lib/x86_64-linux-gnu'):
            used = int(sh('du', '-sm', full + '/srv').split()[0])
            if used < payload and os.path.isdir(folder):
                # a file may vanish while it is copied: not this test's affair
                sh('cp', '-a', '--parents', folder, full + '/srv',
                   check=False)
        bios(image, full, size)
    finally:
        shutil.rmtree(full, ignore_errors=True)


def uefi(image, tree, size):
    """GPT, an EFI partition with GRUB as the default loader, ext4."""
    sfdisk(image, 'label: gpt\nstart=2048,size=131072,type=U\n'
                  'start=133120,type=L\n')
    last = size - MIB                    # the second GPT stands after it
    mkfs(image, tree, 65 * MIB, last - 65 * MIB)
    esp, config, loader = image + '.esp', image + '.cfg', image + '.efi'
    with open(config, 'w') as f:
        f.write(grub_config(tree))
    sh('grub-mkstandalone', '-O', 'x86_64-efi', '-o', loader, '--modules',
       'part_gpt ext2 search search_fs_uuid normal linux serial boot',
       f'boot/grub/grub.cfg={config}')
    with open(esp, 'wb') as f:
        f.truncate(64 * MIB)
    sh('mkfs.vfat', '-F', '32', esp)
    sh('mmd', '-i', esp, '::/EFI', '::/EFI/BOOT')
    sh('mcopy', '-i', esp, loader, '::/EFI/BOOT/BOOTX64.EFI')
    with open(esp, 'rb') as f:
        patch(image, MIB, f.read())
    for name in esp, config, loader:
        os.unlink(name)


def lvm(image, tree, size):
    """MBR, one LVM partition with one linear volume that holds ext4.

    The kernel here may lack the device mapper, so the volume group is written
    as a restored backup, which LVM does without it.
    """
    sfdisk(image, '2048,,8e\n')
    inner = image + '.pv'
    with open(inner, 'wb') as f:
        f.truncate(size - MIB)
    extents_4m = (size - MIB - MIB) // (4 * MIB)
    backup = inner + '.vg'
    with open(backup, 'w') as f:
        f.write(VOLUME_GROUP % {'sectors': (size - MIB) // 512,
                                'extents': extents_4m})
    loop = sh('losetup', '--find', '--show', inner).strip()
    config = ['--config', 'devices { filter=["a|^%s$|","r|.*|"] '
              'use_devicesfile=0 } activation { udev_sync=0 udev_rules=0 '
              'monitoring=0 } backup { backup=0 archive=0 }' % loop]
    try:
        sh('pvcreate', *config, '-q', '-y', '--uuid', PV, '--restorefile',
           backup, loop)
        sh('vgcfgrestore', *config, '-q', '-y', '-f', backup, 'vg0')
        listed = sh('lvs', *config, '--noheadings', '-o', 'lv_name', 'vg0',
                    env=dict(os.environ, LVM_SUPPRESS_FD_WARNINGS='1'))
        assert 'root' in listed, listed
    finally:
        sh('losetup', '-d', loop)
    mkfs(inner, tree, MIB, extents_4m * 4 * MIB)
    with open(inner, 'rb') as src, open(image, 'r+b') as dst:
        copy_sparse(src, dst, MIB)
    os.unlink(inner)
    os.unlink(backup)


def copy_sparse(src, dst, shift):
    """Copies the data extents of one file into another, @shift further."""
    end = os.fstat(src.fileno()).st_size
    at = 0
    while at < end:
        try:
            at = os.lseek(src.fileno(), at, os.SEEK_DATA)
        except OSError:
            break
        stop = os.lseek(src.fileno(), at, os.SEEK_HOLE)
        while at < stop:
            piece = os.pread(src.fileno(), min(MIB, stop - at), at)
            os.pwrite(dst.fileno(), piece, at + shift)
            at += len(piece)


def root_offset(layout):
    """Byte offset of the ext4 file system in disk(layout)."""
    return {'bios': MIB, 'server': MIB, 'uefi': 65 * MIB,
            'lvm': 2 * MIB}[layout]


def data_disk(image, size, folders):
    """MBR + ext4 of @size bytes with copies of @folders; no boot loader."""
    servers.install('e2fsprogs', 'fdisk')
    tree = image + '.tree'
    os.makedirs(tree)
    try:
        for folder in folders:
            subprocess.run(['cp', '-a', '--parents', folder, tree],
                           check=False, stderr=subprocess.DEVNULL)
        with open(image, 'wb') as f:
            f.truncate(size)
        sfdisk(image, '2048,,L\n')
        mkfs(image, tree, MIB, size - MIB)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def extents(path):
    """[(offset, length)] of data of a sparse file."""
    found = []
    with open(path, 'rb') as f:
        at, end = 0, os.fstat(f.fileno()).st_size
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            stop = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            found.append((at, stop - at))
            at = stop
    return found


def superblock_ok(path, offset):
    """True if an ext4 superblock stands where the file system should be."""
    with open(path, 'rb') as f:
        f.seek(offset + 1024 + 56)
        return struct.unpack('<H', f.read(2))[0] == 0xef53
