/**
 * `npm run compare:clients`: the same clients ask this project's `serve` and LiteLLM's proxy for the same things, in front
 * of the same protocol server. Prints a table of what each client got. Needs Python and PyPI, so it is no part of `npm test`.
 *
 *     --write FILE      puts the table into a Markdown file, between its markers
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { CODEX_VERSION, codexSays, installCodex } from '../support/codex.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { endAllPrograms, temporaryFolder } from '../support/programs.ts';
import { installPythonPackage, OPENAI_FOR_PYTHON } from '../support/pythonPackage.ts';
import {
  type ClientGot,
  calls,
  clientsTable,
  type GotByCall,
  gotByCallSchema,
  markOf,
} from './besideClients/calls.ts';
import { nodeGot } from './besideClients/nodeCalls.ts';
import { openScriptedProvider, type ScriptedProvider } from './besideClients/provider.ts';
import { reachedText } from './besideClients/reached.ts';
import { LITELLM_VERSION, litellmPackage, PYTHON_3 } from './peer.ts';
import { type Endpoint, type ProxyOptions, startLitellm, startOurs } from './requests/proxies.ts';

const { values: flags } = parseArgs({ options: { write: { type: 'string' } } });

const RICH_USD = 1_000;
/** Three calls of the table cost more. */
const POOR_USD = 0.0003;

try {
  const python = join(await installPythonPackage(OPENAI_FOR_PYTHON, PYTHON_3), 'python');
  const litellmPython = join(await installPythonPackage(litellmPackage, PYTHON_3), 'python');
  const codex = await installCodex();
  const [ours, theirs] = await Promise.all([opened(startOurs), opened(startLitellm)]);
  const clients: readonly { readonly name: string; ask(proxy: Opened): Promise<GotByCall> }[] = [
    { name: 'Node', ask: ({ rich, poor }) => nodeGot({ ...asked(rich), poor: asked(poor) }) },
    { name: 'Python', ask: ({ rich }) => askedByPython(python, 'Python', rich) },
    { name: 'Codex', ask: ({ rich }) => askedByCodex(codex, rich) },
    { name: 'LiteLLM-SDK', ask: ({ rich }) => askedByPython(litellmPython, 'LiteLLM-SDK', rich) },
  ];
  const results: ClientGot[] = [];
  for (const { name, ask } of clients) {
    console.error(`· ${name}`);
    results.push({
      client: name,
      ours: withReached(name, await ask(ours), ours.provider),
      theirs: withReached(name, await ask(theirs), theirs.provider),
    });
  }
  const sdks = [
    `OpenAI's SDK for Node ${versionOf('node_modules/openai/package.json')}`,
    `for Python ${OPENAI_FOR_PYTHON.version}`,
    `LiteLLM's own SDK ${LITELLM_VERSION}`,
    `the coding agent Codex ${CODEX_VERSION}`,
  ];
  const day = new Date().toISOString().slice(0, 10);
  const provider = `aimock ${versionOf('node_modules/@copilotkit/aimock/package.json')}`;
  const heading = `Run on ${day}: ${sdks.join(', ')}; LiteLLM's proxy ${LITELLM_VERSION}; the provider is ${provider}.`;
  const table = `${heading}\n\n${clientsTable(results, `LiteLLM ${LITELLM_VERSION}`)}`;
  console.log(table);
  if (flags.write !== undefined) {
    const path = resolve(process.env['INIT_CWD'] ?? '.', flags.write);
    const marked = /(<!-- clients -->\n)[\s\S]*?(<!-- end -->)/;
    const document = readFileSync(path, 'utf8');
    if (!marked.test(document)) throw new Error(`expected the marker <!-- clients --> in ${path}`);
    writeFileSync(
      path,
      document.replace(marked, (_, start, end) => `${start}${table}\n${end}`),
    );
  }
  await Promise.all([ours.provider.close(), theirs.provider.close()]);
} finally {
  await endAllPrograms();
}

interface Opened {
  readonly provider: ScriptedProvider;
  readonly rich: Endpoint;
  readonly poor: Endpoint;
}

type Start = (provider: { readonly url: string }, options: ProxyOptions) => Promise<Endpoint>;

async function opened(start: Start): Promise<Opened> {
  const provider = await openScriptedProvider();
  const at = { url: `${provider.baseUrl}/chat/completions` };
  const [rich, poor] = await Promise.all([
    start(at, { budgetUsd: RICH_USD }),
    start(at, { budgetUsd: POOR_USD }),
  ]);
  return { provider, rich, poor };
}

function asked({ url, key, model }: Endpoint) {
  return { baseUrl: url.replace('/chat/completions', ''), key, model };
}

async function askedByPython(python: string, client: string, proxy: Endpoint): Promise<GotByCall> {
  const script = join(import.meta.dirname, 'besideClients', 'pythonCalls.py');
  const { baseUrl, key, model } = asked(proxy);
  const { stdout } = await promisify(execFile)(python, [script, client, baseUrl, key, model], {
    env: { PATH: process.env['PATH'], LITELLM_LOCAL_MODEL_COST_MAP: 'True' },
  });
  return gotByCallSchema.parse(JSON.parse(stdout));
}

/** A whole task of an agent, by its own loop of calls and results. */
async function askedByCodex(codex: string, proxy: Endpoint): Promise<GotByCall> {
  const home = temporaryFolder();
  try {
    const said = await codexSays({ codex, home, ...asked(proxy) });
    const made = readFileSync(join(home, 'work', 'made.txt'), 'utf8').trim();
    return { agent: { kind: 'answer', text: `made the file (${made}), said “${said.trim()}”` } };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { agent: { kind: 'error', type: 'failed', status: null, message } };
  }
}

/** Adds to an answer what of its request came through to the provider. */
function withReached(client: string, got: GotByCall, provider: ScriptedProvider): GotByCall {
  return Object.fromEntries(
    Object.entries(got).map(([id, one]) => {
      const { reaches } = calls.find((call) => call.id === id) ?? {};
      if (one.kind === 'error' || reaches === undefined) return [id, one];
      const reached = reachedText(provider.got(markOf(client, id)), reaches);
      return [id, { ...one, text: `${one.text}; the provider got ${reached}` }];
    }),
  );
}

function versionOf(path: string): string {
  const read = JSON.parse(readFileSync(join(repositoryRoot, path), 'utf8'));
  return (read as { readonly version: string }).version;
}
