/**
 * The language server as a program: `--stdio` for any LSP editor, or the pipe of the editor that forked it. Standard output
 * belongs to the protocol; what a person should know goes to the client's log.
 */
import { Console } from 'node:console';
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { gathered } from './gathered.ts';
import { createServer } from './server.ts';

const connection = process.argv.includes('--stdio')
  ? overStandardStreams()
  : createConnection(ProposedFeatures.all);
const server = createServer(connection, {
  // Loaded when the client is ready: it brings the ledger, the models and the cloud's SDK with it.
  compose: () => import('../compose.ts'),
  version: packageVersion(),
});

// The library ends the process when the client goes or says so; a terminal or a supervisor says it by a signal.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void server.close().finally(() => process.exit(0));
  });
}

connection.listen();

function overStandardStreams() {
  // A library that prints must not write between two messages.
  globalThis.console = new Console(process.stderr, process.stderr);
  return createConnection(ProposedFeatures.all, process.stdin, gathered(process.stdout));
}

function packageVersion(): string {
  const path = findPackageJSON('..', import.meta.url);
  if (path === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string };
  return version;
}
