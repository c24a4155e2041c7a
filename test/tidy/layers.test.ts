/** The dependency rules of docs/ARCHITECTURE.md, held against the imports as they stand. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const source = resolve(import.meta.dirname, '../../server/src');

/** What each room may import from the project, and which packages where that is limited. */
const rooms: Readonly<Record<string, { rooms: readonly string[]; packages?: readonly string[] }>> =
  {
    core: { rooms: ['core'], packages: ['zod'] },
    models: { rooms: ['models', 'core'] },
    store: { rooms: ['store', 'core'] },
    privacy: { rooms: ['privacy', 'core'] },
    syntax: { rooms: ['syntax', 'core'] },
    learning: { rooms: ['learning', 'core', 'models'] },
    training: { rooms: ['training', 'core', 'learning'] },
    http: { rooms: ['http', 'compose', 'core'] },
    observe: { rooms: ['observe', 'core'] },
    mcp: { rooms: ['mcp', 'compose', 'core'] },
    cli: {
      rooms: [
        'cli',
        'compose',
        'core',
        'http',
        'jsonLines',
        'learning',
        'mcp',
        'observe',
        'training',
      ],
    },
    lsp: { rooms: ['lsp', 'compose', 'protocol', 'inertMarkdown', 'core', 'syntax'] },
    inertMarkdown: { rooms: [], packages: [] },
    protocol: { rooms: [], packages: [] },
    compose: {
      rooms: [
        ...['core', 'models', 'store', 'privacy', 'syntax'],
        ...['tuning', 'calibrationDesk', 'whatIfDesk'],
      ],
    },
    tuning: { rooms: ['core', 'models', 'store'] },
    calibrationDesk: { rooms: ['core', 'learning', 'tuning'] },
    jsonLines: { rooms: [], packages: [] },
    whatIfDesk: { rooms: ['core', 'jsonLines'] },
  };

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g);
  return [...found].map(([, specifier = '']) => ({ file, specifier }));
}

function roomOf(file: string): string {
  const [first = ''] = relative(source, file).split(/[\\/]/);
  return first.replace(/\.ts$/, '');
}

function violations(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, specifier }) => {
    const room = roomOf(file);
    const rule = rooms[room];
    if (rule === undefined) return [`${relative(source, file)}: no rule for the room ${room}`];
    const said = `${relative(source, file)} imports ${specifier}`;
    if (specifier.startsWith('.')) {
      return rule.rooms.includes(roomOf(resolve(file, '..', specifier))) ? [] : [said];
    }
    return rule.packages === undefined || rule.packages.includes(specifier) ? [] : [said];
  });
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join(source, file));

test('each room imports only what it may', () => {
  const imports = files.flatMap(importsOf);
  assert.ok(imports.length > 50, `expected the imports of the server, got ${imports.length}`);
  assert.deepEqual(violations(imports), []);
});

test('the client library of PostgreSQL is loaded only where a team ledger is asked for', () => {
  const staticImports = (file: string) =>
    [
      ...readFileSync(file, 'utf8').matchAll(/^(?:import|export)(?! type)[^;]*?\bfrom '([^']+)'/gm),
    ].map(([, specifier = '']) => specifier);
  const reached = new Set<string>();
  const walk = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const specifier of staticImports(file)) {
      assert.notEqual(specifier, 'pg', `${relative(source, file)} loads it at the start`);
      if (specifier.startsWith('.') && specifier.endsWith('.ts'))
        walk(resolve(file, '..', specifier));
    }
  };
  for (const entry of ['compose.ts', 'lsp/main.ts', 'lsp/server.ts', 'cli/main.ts'])
    walk(join(source, entry));
  assert.ok(reached.size > 50, `expected the sources of the programs, got ${reached.size}`);
  assert.ok(!reached.has(join(source, 'store/ledgerPostgres.ts')));
});

test('the rule bites: core may not reach for Node, an adapter, or a package', () => {
  const file = join(source, 'core/router.ts');
  for (const specifier of ['node:fs', '../store/ledger.ts', 'openai', '../http/api.ts']) {
    assert.equal(violations([{ file, specifier }]).length, 1, specifier);
  }
  assert.deepEqual(violations([{ file, specifier: 'zod' }]), []);
});

test('no source passes 350 lines; the wire contract is one file by rule', () => {
  const long = files.filter((file) => {
    const most = file.endsWith('protocol.ts') ? 700 : 350;
    return readFileSync(file, 'utf8').split('\n').length > most + 1;
  });
  assert.deepEqual(
    long.map((file) => relative(source, file)),
    [],
  );
});

test('the client knows nothing of the server but its wire contract and how Markdown is made inert', () => {
  const client = resolve(import.meta.dirname, '../../client');
  const own = readdirSync(client, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(client, file));
  const reached = own
    .flatMap(importsOf)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ file, specifier }) => resolve(file, '..', specifier))
    .filter((path) => path.startsWith(source));
  assert.ok(reached.length > 5, 'expected the client to import the contract');
  assert.deepEqual(
    [...new Set(reached)].sort(),
    ['inertMarkdown.ts', 'protocol.ts'].map((file) => join(source, file)),
  );
});
