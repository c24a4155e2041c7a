/**
 * Whether a folder lies on a disk of another machine, or one shared with it. SQLite's write-ahead log needs memory that
 * all writers share, and locks that every one of them obeys; neither holds there, so a ledger on it could lose money.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync, statfsSync } from 'node:fs';

/** What the system says of a folder; whatever it does not say is absent. */
export interface DiskFacts {
  readonly platform: NodeJS.Platform;
  /** Without links and mapped drives, as far as the system resolves them. */
  readonly path: string;
  /** `f_type` of statfs; its numbers mean something on Linux only. */
  readonly type?: number;
  /** Linux: /proc/self/mountinfo. macOS: what `mount` prints. */
  readonly mounts?: string;
}

/** Numbers of include/uapi/linux/magic.h and of the file systems' own headers. */
const LINUX_TYPES: Readonly<Record<number, string>> = {
  26985: 'NFS',
  20859: 'SMB',
  4283649346: 'SMB',
  4266872130: 'SMB',
  22092: 'NCP',
  16914839: '9P',
  1397113167: 'AFS',
  1799439955: 'AFS',
  1937076805: 'Coda',
  12805120: 'Ceph',
  198183888: 'Lustre',
  1196443219: 'GPFS',
  1952539503: 'OCFS2',
  18225520: 'GFS2',
  537068840: 'OrangeFS',
  428016422: 'BeeGFS',
  2866260714: 'PanFS',
  19993000: 'IBRIX',
  3133910204: 'a folder shared by VMware',
  2020557398: 'a folder shared by VirtualBox',
};

/** Names of mounted file systems; one that runs as a program of a user begins with `fuse.`. */
const NETWORK_NAMES =
  /^(nfs\d?|cifs|smb\d?|smbfs|smbnetfs|afs|afpfs|ncpfs|9p|ceph|lustre|gpfs|ocfs2|gfs2|glusterfs|orangefs|pvfs2|beegfs(_nodev)?|panfs|webdav|davfs2?|ftp|sshfs|curlftpfs|s3fs|goofys|gcsfuse|blobfuse2?|rclone|juicefs|moosefs|mfs|seaweedfs|vboxsf|vmhgfs(-fuse)?|virtiofs|fakeowner|prl_fs|drvfs|osxfuse_sshfs)$/;

/** What kind of disk it is, in words, or `undefined` for one of this machine, or where nothing is known against it. */
export function networkKind(facts: DiskFacts): string | undefined {
  switch (facts.platform) {
    case 'win32':
      return isShare(facts.path) ? 'a network share' : undefined;
    case 'linux':
      return (
        (facts.type === undefined ? undefined : LINUX_TYPES[facts.type >>> 0]) ??
        namedNetwork(mountOf(facts.path, linuxMounts(facts.mounts ?? '')))
      );
    case 'darwin':
      return namedNetwork(mountOf(facts.path, macMounts(facts.mounts ?? '')));
    default:
      return undefined;
  }
}

/** `\\server\share`, also in its long form; `\\?\C:\` and `\\.\` are of this machine. */
function isShare(path: string): boolean {
  const plain = path.replaceAll('/', '\\');
  return /^\\\\\?\\UNC\\/i.test(plain) || /^\\\\[^\\?.][^\\]*\\/.test(plain);
}

interface Mount {
  readonly folder: string;
  readonly name: string;
}

function linuxMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after] = line.split(' - ');
    const folder = before.split(' ')[4];
    const name = after?.split(' ')[0];
    if (folder === undefined || name === undefined) return [];
    return [{ folder: folder.replaceAll(/\\([0-7]{3})/g, (_, code) => octal(code)), name }];
  });
}

/** Spaces and the like are written as octal numbers. */
function octal(code: string): string {
  return String.fromCharCode(Number.parseInt(code, 8));
}

/** Lines such as `//ann@files/home on /Volumes/home (smbfs, nodev)`. */
function macMounts(printed: string): readonly Mount[] {
  return printed.split('\n').flatMap((line) => {
    const [, folder, name] = / on (\/.*) \(([^,)]+)/.exec(line) ?? [];
    return folder === undefined || name === undefined ? [] : [{ folder, name }];
  });
}

/** The mount that a path is under: the deepest, and of several on one folder the last. */
function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const inside = mount.folder === '/' ? path : path.slice(0, mount.folder.length + 1);
    const isOver = mount.folder === '/' || inside === mount.folder || inside === `${mount.folder}/`;
    if (isOver && (found === undefined || mount.folder.length >= found.folder.length))
      found = mount;
  }
  return found;
}

function namedNetwork(mount: Mount | undefined): string | undefined {
  if (mount === undefined) return undefined;
  const name = mount.name.toLowerCase().replace(/^(fuse|macfuse|osxfuse)\./, '');
  return NETWORK_NAMES.test(name) ? name : undefined;
}

/** @param folder one that exists */
export function diskFactsOf(folder: string): DiskFacts {
  const { platform } = process;
  const path = told(() => realpathSync.native(folder)) ?? folder;
  if (platform === 'linux') {
    const type = told(() => statfsSync(path).type);
    const mounts = told(() => readFileSync('/proc/self/mountinfo', 'utf8'));
    return {
      platform,
      path,
      ...(type === undefined ? {} : { type }),
      ...(mounts === undefined ? {} : { mounts }),
    };
  }
  if (platform === 'darwin') {
    const { stdout } = spawnSync('/sbin/mount', { encoding: 'utf8', timeout: 2_000 });
    return { platform, path, ...(stdout ? { mounts: stdout } : {}) };
  }
  return { platform, path };
}

function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    // A system that does not tell leaves the disk as good as any other.
    return undefined;
  }
}

/** Why a ledger may not lie there, or `undefined`. */
export function whyNotOn(folder: string, kind: string | undefined): string | undefined {
  if (kind === undefined) return undefined;
  return (
    `expected the ledger's folder ${folder} on a disk of this machine, but it lies on a network or shared one (${kind}), ` +
    "where SQLite's write-ahead log and locks are not safe; choose a local data folder, or keep a team's ledger in PostgreSQL"
  );
}
