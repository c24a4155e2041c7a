// Installs Debian's PostgreSQL for the tests of the team ledger, where it is missing and this is root on Debian. The tests
// start servers of their own from its binaries, so the one that the package would start is left out.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, say } from './setup.mjs';

const DEBIAN = '/usr/lib/postgresql';
const SETTINGS = '/etc/postgresql-common';

const { COST_AWARE_ROUTER_TEST_POSTGRES } = process.env;
const mayInstall =
  process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
if (!COST_AWARE_ROUTER_TEST_POSTGRES && !existsSync(DEBIAN) && mayInstall) {
  say('installing PostgreSQL for the tests of the team ledger (once)');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) =>
    run('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 2] });
  try {
    mkdirSync(SETTINGS, { recursive: true });
    const noCluster = join(SETTINGS, 'createcluster.conf');
    if (!existsSync(noCluster)) writeFileSync(noCluster, 'create_main_cluster = false\n');
    apt('update');
    const keepSettings = ['-o', 'Dpkg::Options::=--force-confold'];
    apt('install', '-y', '--no-install-recommends', ...keepSettings, 'postgresql');
  } catch (error) {
    // The tests say that they were left out.
    say(`PostgreSQL could not be installed: ${error.message}`);
  }
}
