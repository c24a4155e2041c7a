/** Which disks are no place for a ledger, by what each system says of them. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLedger } from '../../server/src/store/ledger.ts';
import { type DiskFacts, diskFactsOf, networkKind } from '../../server/src/store/networkDisk.ts';
import { clockAt, NOVEMBER, ONE_DOLLAR, request, tempFolder } from './ledgerFixture.ts';

const MOUNTINFO = String.raw`22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
24 22 0:22 / /proc rw,nosuid - proc proc rw
31 22 0:30 / /home/ann/server rw,nosuid - fuse.sshfs ann@host:/srv rw,user_id=1000
32 22 0:31 / /home/ann/vault rw - fuse.gocryptfs /home/ann/cipher rw
33 22 0:32 / /mnt/usb rw - fuseblk /dev/sdb1 rw
34 22 0:33 / /mnt/my\040share rw - cifs //files/home rw
35 34 0:34 / /mnt/my\040share/local rw - ext4 /dev/sdc1 rw
36 22 0:35 / /work rw - virtiofs work rw
37 22 0:36 / /srv rw - nfs4 host:/srv rw
38 22 0:37 / /srv rw - xfs /dev/sdd1 rw`;

const MAC_MOUNTS = `/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//ann@files._smb._tcp.local/home on /Volumes/home (smbfs, nodev, nosuid, mounted by ann)
host:/srv on /Volumes/my srv (nfs, nodev)
https://dav.example/ on /Volumes/dav (webdav, nodev)`;

test('a network or shared disk is told from one of this machine', () => {
  const linux = (path: string, type?: number): DiskFacts => ({
    platform: 'linux',
    path,
    mounts: MOUNTINFO,
    ...(type === undefined ? {} : { type }),
  });
  const mac = (path: string): DiskFacts => ({ platform: 'darwin', path, mounts: MAC_MOUNTS });
  const windows = (path: string): DiskFacts => ({ platform: 'win32', path });
  const rows: readonly [facts: DiskFacts, kind: string | undefined][] = [
    [linux('/home/ann', 0xef53), undefined],
    [linux('/home/ann', 0x6969), 'NFS'],
    [linux('/home/ann', 0xff534d42), 'SMB'],
    [linux('/home/ann', 0xfe534d42 | 0), 'SMB'],
    [linux('/home/ann', 0x01021997), '9P'],
    [linux('/home/ann', 0x5346414f), 'AFS'],
    [linux('/home/ann', 0x00c36400), 'Ceph'],
    [linux('/home/ann', 0x0bd00bd0), 'Lustre'],
    [linux('/home/ann', 0x47504653), 'GPFS'],
    [linux('/home/ann', 0x7461636f), 'OCFS2'],
    // FUSE has one number for everything; the name of the mount tells.
    [linux('/home/ann/server/data', 0x65735546), 'sshfs'],
    [linux('/home/ann/server', 0x65735546), 'sshfs'],
    [linux('/home/ann/server2', 0x65735546), undefined],
    [linux('/home/ann/vault', 0x65735546), undefined],
    [linux('/mnt/usb', 0x65735546), undefined],
    [linux('/mnt/my share/x'), 'cifs'],
    [linux('/mnt/my share/local/x'), undefined],
    [linux('/work/data', 0x65735546), 'virtiofs'],
    // Mounted over it later.
    [linux('/srv/data'), undefined],
    // btrfs, tmpfs, xfs, zfs, overlay
    ...[0x9123683e, 0x01021994, 0x58465342, 0x2fc12fc1, 0x794c7630].map(
      (type): [DiskFacts, undefined] => [linux('/home', type), undefined],
    ),
    [{ platform: 'linux', path: '/home' }, undefined],
    [mac('/Users/ann/data'), undefined],
    [mac('/Volumes/home/data'), 'smbfs'],
    [mac('/Volumes/homes'), undefined],
    [mac('/Volumes/my srv/x'), 'nfs'],
    [mac('/Volumes/dav'), 'webdav'],
    [{ platform: 'darwin', path: '/Users' }, undefined],
    [windows(String.raw`C:\Users\ann`), undefined],
    [windows(String.raw`\\?\C:\Users\ann`), undefined],
    [windows(String.raw`\\files\home\ann`), 'a network share'],
    [windows('//files/home/ann'), 'a network share'],
    [windows(String.raw`\\?\UNC\files\home`), 'a network share'],
    [windows(String.raw`\\wsl.localhost\Debian\home`), 'a network share'],
    [{ platform: 'freebsd', path: '/home' }, undefined],
  ];
  for (const [facts, kind] of rows) {
    assert.equal(networkKind(facts), kind, `${facts.platform} ${facts.path} ${facts.type}`);
  }
});

test('this machine says what its disks are, and they are its own', {
  skip: process.platform === 'win32' && 'asks Linux and macOS',
}, (t) => {
  for (const folder of [tmpdir(), '/dev/shm', '/'].filter((one) => existsSync(one))) {
    const facts = diskFactsOf(folder);
    t.diagnostic(`${folder}: type ${facts.type?.toString(16)}, ${facts.mounts?.length} characters`);
    assert.ok((facts.mounts ?? '').length > 0, 'expected the mounts of this machine');
    assert.equal(networkKind(facts), undefined, folder);
  }
});

test('a ledger on a network disk is not opened, and the reason says how to go on', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const opened = await openLedger({
    path,
    clock: clockAt(NOVEMBER),
    newId: randomUUID,
    diskFacts: (folder) => ({ platform: 'linux', path: folder, type: 0x6969 }),
  });
  assert.ok(opened.kind === 'unavailable');
  assert.match(opened.why, /network or shared one \(NFS\).*local data folder.*PostgreSQL/);
  assert.equal(existsSync(path), false);
  const reply = await opened.ledger.reserve(request('r', 0.1), ONE_DOLLAR);
  assert.equal(reply.kind, 'unavailable');
});
