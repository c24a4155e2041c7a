/**
 * The language server as a program: `--stdio` for any LSP editor, or the pipe of the editor that forked it. Standard output
 * belongs to the protocol; what a person should know goes to the client's log.
 */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { createServer } from './server.ts';

const connection = createConnection(ProposedFeatures.all);
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

function packageVersion(): string {
  const path = findPackageJSON('..', import.meta.url);
  if (path === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string };
  return version;
}
