// What the tests in a real VS Code need: its server, a Chromium, and the packed extension. Gets each where it is missing
// and tells in the environment where it lies.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { build } from 'esbuild';
import { ensureDesktopVscode } from '../test/vscode/desktop.ts';
import { projectNode, root, run, say } from './setup.mjs';
import { ensureVscodeServer } from './vscodeServer.mjs';

/** Sets `COST_AWARE_ROUTER_TEST_*` for the tests. Returns what could not be had as one sentence, else nothing. */
export async function prepareEditorTests() {
  const target = `${process.platform}-${process.arch}`;
  try {
    const server = ensureVscodeServer();
    const chromium = ensureChromium();
    if (chromium === undefined) {
      return 'no Chromium (install one, or name it in CHROMIUM_PATH)';
    }
    await bundleHostSuite();
    run(projectNode(), [join('scripts', 'packageVsix.mjs')]);
    const extensions = join(root, 'build', 'extensions');
    install(server, join(root, 'build', `cost-aware-router-${target}.vsix`), extensions);
    const desktop = await ensureDesktopVscode();
    if (desktop.kind === 'not_there') {
      say(
        `the extension-host suite runs in the VS Code server, not the desktop program: ${desktop.why}`,
      );
    }
    Object.assign(process.env, {
      ...(desktop.kind === 'there' && {
        COST_AWARE_ROUTER_TEST_DESKTOP: desktop.program,
        ...(desktop.xvfbRun !== undefined && { COST_AWARE_ROUTER_TEST_XVFB: desktop.xvfbRun }),
      }),
      COST_AWARE_ROUTER_TEST_SERVER: server.main,
      COST_AWARE_ROUTER_TEST_NODE: server.node,
      COST_AWARE_ROUTER_TEST_CHROMIUM: chromium,
      COST_AWARE_ROUTER_TEST_EXTENSIONS: extensions,
    });
    return undefined;
  } catch (error) {
    return String(error.message ?? error);
  }
}

function ensureChromium() {
  const found = findChromium();
  if (found !== undefined) return found;
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    return undefined;
  }
  say('installing Chromium for the editor tests (once)');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Another installation may be under way: it is waited for.
  const apt = (...args) =>
    run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env,
      stdio: ['ignore', 'ignore', 2],
    });
  try {
    apt('update');
  } catch (error) {
    say(`the package lists stay as they are: ${error.message}`);
  }
  try {
    apt('install', '-y', '--no-install-recommends', 'chromium', 'fonts-dejavu-core');
  } catch (error) {
    say(`Chromium could not be installed: ${error.message}`);
  }
  return findChromium();
}

function findChromium() {
  const { CHROMIUM_PATH, PATH = '' } = process.env;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const found = PATH.split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return [CHROMIUM_PATH, ...found].find((path) => path !== undefined && existsSync(path));
}

/** The suite that runs inside the extension host, one file per test file; mocha and `vscode` are there at run time. */
async function bundleHostSuite() {
  const folder = join(root, 'test', 'vscode', 'host');
  const outdir = join(root, 'build', 'hostSuite');
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: readdirSync(folder).map((file) => join(folder, file)),
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    sourcemap: 'inline',
    logLevel: 'warning',
    external: ['vscode', 'mocha'],
  });
}

function install(server, vsix, extensions) {
  rmSync(extensions, { recursive: true, force: true });
  mkdirSync(extensions, { recursive: true });
  const scratch = join(root, 'build', 'installer');
  const said = execFileSync(
    server.node,
    [
      server.main,
      '--accept-server-license-terms',
      `--server-data-dir=${scratch}`,
      `--user-data-dir=${scratch}`,
      `--extensions-dir=${extensions}`,
      `--install-extension=${vsix}`,
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  );
  rmSync(scratch, { recursive: true, force: true });
  if (!/successfully installed/.test(said)) {
    throw new Error(`expected ${vsix} to be installed, got: ${said.trim()}`);
  }
}
