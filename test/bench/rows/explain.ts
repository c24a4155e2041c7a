/** What an explanation needs of a long file (lenses, structure, the prompt) beside what TypeScript's server does for its own code lens. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { english } from '../../../server/src/core/translate.ts';
import { codeUnits } from '../../../server/src/lsp/code/codeStructure.ts';
import { codeTask } from '../../../server/src/lsp/code/codeTasks.ts';
import { lensesOf } from '../../../server/src/lsp/code/features.ts';
import { repositoryRoot } from '../../support/localModel.ts';
import { median, ratios, spread } from '../figures.ts';
import { type BuiltServer, startServer } from '../languageServer.ts';
import { section } from '../rows.ts';

const LINES = 5_000;
/** The last release with the server in JavaScript, which is the one that VS Code's own code lens asks. */
const TYPESCRIPT = '5.9.3';

export const explain = section<'time' | 'block'>({
  name: 'explain',
  title: 'Explaining in a file of 5,000 lines beside the TypeScript server',
  limitS: 60,
  rows: {
    time: {
      name: 'explain: lenses, structure and prompt after an edit',
      unit: 'times',
      goal: { most: 0.5 },
    },
    block: { name: 'explain: longest block of the event loop', unit: 'ms', goal: { most: 50 } },
  },
  prepare: () => {
    installTypescript();
  },
  async run({ quick }, tell) {
    const rounds = quick ? 3 : 15;
    const folder = mkdtempSync(join(tmpdir(), 'bench-explain-'));
    const file = join(folder, 'long.ts');
    const text = source();
    writeFileSync(file, text);
    const server = await startServer(join(folder, 'data'), { lens: 'functions' });
    const typescript = startTypescript();
    try {
      const mine = await openHere(server, `file://${file}`, text);
      const theirs = await openThere(typescript, file, text);
      const [ours, others]: [number[], number[]] = [[], []];
      for (let round = -3; round < rounds; round++) {
        const [here, there] = [await mine(round), await theirs(round)];
        // The first pay for loading a grammar and a library.
        if (round < 0) continue;
        ours.push(here);
        others.push(there);
      }
      const found = ratios(ours, others);
      tell('time', {
        value: median(found),
        against: `TypeScript ${TYPESCRIPT} server, its navigation tree: ${spread(others, 0)} ms`,
        note: `${spread(found)}; ${spread(ours, 0)} ms for lenses and a prompt, ${rounds} edits in turns`,
      });
    } finally {
      typescript.end();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
    const blocks = await longestBlocks(text, quick ? 3 : 20);
    tell('block', {
      value: Math.max(...blocks),
      against: null,
      note: `median of the longest of each explanation ${median(blocks).toFixed(0)} ms, ${blocks.length} explanations of a changed file`,
    });
  },
});

interface Position {
  readonly line: number;
}

type Edit = (nth: number) => Promise<number>;

/** Opens the file here; an edit is told, and then lenses and the prompt of a function in the middle are asked for. */
async function openHere(
  { client, request }: BuiltServer,
  uri: string,
  text: string,
): Promise<Edit> {
  await client.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId: 'typescript', version: 1, text },
  });
  let version = 1;
  return async (nth) => {
    const startedMs = performance.now();
    await client.sendNotification('textDocument/didChange', {
      textDocument: { uri, version: ++version },
      contentChanges: [{ range: rangeAt(EDITED_LINE), text: `// edit ${nth}\n` }],
    });
    const lenses = await client.sendRequest<{ range: { start: Position } }[] | null>(
      'textDocument/codeLens',
      { textDocument: { uri } },
    );
    const { line = 0 } = lenses?.[Math.floor(lenses.length / 2)]?.range.start ?? {};
    const range = { uri, startLine: line, startCharacter: 9, endLine: line, endCharacter: 9 };
    const task = await request('costAwareRouter/codeTask', { task: 'explain', range });
    const ms = performance.now() - startedMs;
    if ((lenses ?? []).length < 100 || task === null) {
      throw new Error(`expected lenses and a prompt, got ${lenses?.length} and ${task?.title}`);
    }
    return ms;
  };
}

async function openThere(typescript: TypescriptServer, file: string, text: string): Promise<Edit> {
  typescript.tell('open', { file, fileContent: text, scriptKindName: 'TS' });
  return async (nth) => {
    const startedMs = performance.now();
    typescript.tell('change', {
      file,
      line: EDITED_LINE + 1,
      offset: 1,
      endLine: EDITED_LINE + 1,
      endOffset: 1,
      insertString: `// edit ${nth}\n`,
    });
    await typescript.ask('navtree', { file });
    return performance.now() - startedMs;
  };
}

const EDITED_LINE = 10;

function rangeAt(line: number) {
  const place = { line, character: 0 };
  return { start: place, end: place };
}

/** In this process, because only so can its event loop be watched. */
async function longestBlocks(text: string, rounds: number): Promise<number[]> {
  const blocks: number[] = [];
  for (let round = -2; round < rounds; round++) {
    const document = TextDocument.create(
      `file:///${round}.ts`,
      'typescript',
      1,
      `// ${round}\n${text}`,
    );
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const units = await codeUnits('typescript', document.getText(), { onProblem: () => {} });
    if (units === undefined) throw new Error('expected the structure of the file, got none');
    lensesOf('functions', document, units, english);
    const middle = units[Math.floor(units.length / 2)];
    if (middle === undefined) throw new Error('expected functions in the file, got none');
    codeTask('explain', document, middle.span, units, {
      sha256: (code) => createHash('sha256').update(code).digest('hex'),
      pathOf: (uri) => uri,
      t: english,
    });
    // One turn more, so that a block at the end is noticed.
    await new Promise((resolve) => setTimeout(resolve, 5));
    delay.disable();
    if (round >= 0) blocks.push(delay.max / 1e6);
  }
  return blocks;
}

/** Functions and classes of some ten lines each, as hand-written code has them. */
function source(): string {
  const units: string[] = [];
  for (let nth = 0; units.join('\n').split('\n').length < LINES; nth += 20) {
    for (let one = nth; one < nth + 20; one++) {
      units.push(`
/** Sums what is left of part ${one}. */
export function part${one}(values: readonly number[], limit = ${one}): number {
  let sum = 0;
  for (const value of values) {
    if (value > limit) continue;
    sum += value * ${one};
  }
  return sum;
}

export class Holder${one} {
  readonly #kept = new Map<string, number>();
  add(name: string, value: number): void {
    this.#kept.set(name, part${one}([value]));
  }
}`);
    }
  }
  return units.join('\n').split('\n').slice(0, LINES).join('\n');
}

interface TypescriptServer {
  tell(command: string, given: object): void;
  ask(command: string, given: object): Promise<void>;
  end(): void;
}

function typescriptFolder(): string {
  return join(repositoryRoot, '.cache', `typescript-${TYPESCRIPT}`);
}

/** Once; the project's own TypeScript is a native program without this server. */
function installTypescript(): void {
  const folder = typescriptFolder();
  if (existsSync(join(folder, 'node_modules', 'typescript', 'lib', 'tsserver.js'))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  execFileSync(
    'npm',
    ['install', '--no-save', '--ignore-scripts', '--silent', `typescript@${TYPESCRIPT}`],
    { cwd: folder, stdio: 'ignore' },
  );
}

function startTypescript(): TypescriptServer {
  const program = join(typescriptFolder(), 'node_modules', 'typescript', 'lib', 'tsserver.js');
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    process.execPath,
    [program, '--disableAutomaticTypingAcquisition', '--suppressDiagnosticEvents'],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  const waiting = new Map<number, (answered: boolean) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const told = JSON.parse(line) as { request_seq?: number; type: string; success?: boolean };
    if (told.type === 'response') waiting.get(told.request_seq ?? -1)?.(told.success === true);
  });
  let seq = 0;
  const tell = (command: string, given: object) => {
    seq += 1;
    child.stdin.write(`${JSON.stringify({ seq, type: 'request', command, arguments: given })}\n`);
  };
  return {
    tell,
    ask: (command, given) =>
      new Promise((resolve, reject) => {
        waiting.set(seq + 1, (answered) =>
          answered ? resolve() : reject(new Error(`expected a reply to ${command}, got a refusal`)),
        );
        tell(command, given);
      }),
    end: () => child.kill(),
  };
}
