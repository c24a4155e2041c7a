/** Where the suite inside the extension host runs: in a desktop VS Code where there is one or one can be had, else in the server. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { downloadAndUnzipVSCode, SilentReporter } from '@vscode/test-electron';
import { repositoryRoot } from '../support/localModel.ts';

const UPDATE_SERVICE = 'https://update.code.visualstudio.com/api/releases/stable';
const PROBE_MS = 3000;

export interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The path of xvfb-run, where it is installed. */
  readonly xvfbRun: string | undefined;
  /** Whether VS Code can be downloaded. */
  readonly serviceAnswers: boolean;
}

export type HostPlan =
  | {
      readonly kind: 'desktop';
      /** The program to run, or `download`. */
      readonly program: { readonly path: string } | 'download';
      /** Runs the program on a display made for it; `undefined` where there is a display. */
      readonly xvfbRun: string | undefined;
    }
  | { readonly kind: 'server'; readonly why: string };

export function hostPlan({ platform, env, xvfbRun, serviceAnswers }: Surroundings): HostPlan {
  const named = env['VSCODE_PATH'];
  const hasDisplay = platform !== 'linux' || Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']);
  const wrapper = hasDisplay ? undefined : xvfbRun;
  if (named) return { kind: 'desktop', program: { path: named }, xvfbRun: wrapper };
  if (!hasDisplay && wrapper === undefined) {
    return { kind: 'server', why: 'there is no display and no xvfb-run' };
  }
  if (!serviceAnswers) return { kind: 'server', why: 'VS Code can not be downloaded here' };
  return { kind: 'desktop', program: 'download', xvfbRun: wrapper };
}

/** A program behind xvfb-run is an argument of it, the first one after its own. */
export function desktopCommand(
  program: string,
  xvfbRun: string | undefined,
): { readonly executable: string; readonly before: readonly string[] } {
  return xvfbRun === undefined
    ? { executable: program, before: [] }
    : { executable: xvfbRun, before: ['--auto-servernum', program] };
}

export async function serviceAnswers(url = UPDATE_SERVICE, withinMs = PROBE_MS): Promise<boolean> {
  return await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(withinMs) }).then(
    // A service that does not know the method is there all the same.
    ({ ok, status }) => ok || status === 405,
    () => false,
  );
}

export type DesktopVscode =
  | { readonly kind: 'there'; readonly program: string; readonly xvfbRun: string | undefined }
  | { readonly kind: 'not_there'; readonly why: string };

/** The program of the plan, downloaded once into the project's cache folder where it has to be. */
export async function ensureDesktopVscode(): Promise<DesktopVscode> {
  const { env, platform } = process;
  const plan = hostPlan({
    platform,
    env,
    xvfbRun: found('xvfb-run'),
    serviceAnswers: env['VSCODE_PATH'] === undefined && (await serviceAnswers()),
  });
  if (plan.kind === 'server') return { kind: 'not_there', why: plan.why };
  const { program, xvfbRun } = plan;
  if (program !== 'download') return { kind: 'there', program: program.path, xvfbRun };
  try {
    const path = await downloadAndUnzipVSCode({
      version: 'stable',
      cachePath: join(repositoryRoot, '.cache', 'vscode-desktop'),
      reporter: new SilentReporter(),
    });
    return { kind: 'there', program: path, xvfbRun };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'not_there', why: `the download of VS Code failed (${reason})` };
  }
}

function found(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
