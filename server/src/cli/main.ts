#!/usr/bin/env -S node --max-semi-space-size=8 --initial-old-space-size=32
/**
 * The process around the command line: its streams, its signals and its end. Its first line lets short-lived objects take
 * 24 MB at most, where Node would let them grow to more than a hundred, and looks early which of the older are still in use: the starters that npm makes pass that on, on Windows too.
 */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { exitCodes } from './exitCodes.ts';
import { runCli } from './run.ts';

/** What still runs when a command is done (a stream that no one drains, say) gets so long to end by itself. */
const LINGER_MS = 2_000;

const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // Whoever asks twice does not want to wait for anything to settle.
    if (controller.signal.aborted) process.exit(exitCodes.cancelled);
    controller.abort();
  });
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader left, as `head` does; there is nobody to tell.
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  version: packageVersion(),
  signal: controller.signal,
  createApp: async (options) => (await import('../compose.ts')).createApp(options),
});
setTimeout(() => process.exit(), LINGER_MS).unref();

function packageVersion(): string {
  const path = findPackageJSON('..', import.meta.url);
  if (path === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string };
  return version;
}
