/**
 * Runs code that a model wrote, which nobody has read: in a child process that may touch no file, start no process and load
 * no add-on (Node's permission model), with no environment, inside a context that knows neither Node nor the network, with a
 * limit on time and on memory. It is given text and gives back one word. Not a defence against an engine's own bugs.
 */
import { spawn } from 'node:child_process';
import type { RunTests } from './checkableQuestions.ts';

const RUN_MS = 1_000;
/** Starting the child takes its time on a busy machine; only a child that hangs reaches this. */
const KILL_MS = 20_000;
const HEAP_MB = 64;
const LONGEST_CODE = 20_000;
/**
 * The one thing by which code gets hold of an object from outside its context: a dynamic import fails with an error of the
 * outer world, whose constructor leads to `process`. It can't be spelled otherwise, since a keyword takes no escapes and
 * code made of strings is off. A mere mention of the word is refused, too: that answer counts as wrong.
 */
const WAY_OUT = /\bimport\b/;

/** The child: reads { code, tests } and writes `true`, `false`, or `unsafe` where the permission model is not in force. */
const HARNESS = `
const vm = require('node:vm');
let input = '';
process.stdin.setEncoding('utf8').on('data', (text) => { input += text; }).on('end', () => {
  const safe = process.permission !== undefined && !process.permission.has('fs.write') && !process.permission.has('child');
  if (!safe) { process.stdout.write('unsafe'); return; }
  const { code, tests } = JSON.parse(input);
  let right = false;
  try {
    const context = vm.createContext(Object.create(null), {
      codeGeneration: { strings: false, wasm: false },
      microtaskMode: 'afterEvaluate',
    });
    const run = (text) => vm.runInContext(text, context, { timeout: ${RUN_MS} });
    run("for (const name of ['ArrayBuffer','SharedArrayBuffer','WebAssembly','Atomics']) delete globalThis[name];" +
      "var console = { log() {}, error() {}, warn() {}, info() {} }; var module = { exports: {} }; var exports = module.exports;");
    run(code);
    right = tests.every((test) => run('(' + test + ') === true') === true);
  } catch {}
  process.stdout.write(String(right));
});
`;

export function createSandbox(signal: AbortSignal): RunTests {
  return async (code, tests) => {
    if (code.length > LONGEST_CODE || WAY_OUT.test(code)) return false;
    const said = await runChild(JSON.stringify({ code, tests }), signal);
    if (said === 'unsafe') return undefined;
    // A child that was killed, or that ran out of memory, said nothing.
    return said === 'true';
  };
}

function runChild(input: string, signal: AbortSignal): Promise<string> {
  const electron = 'electron' in process.versions ? { ELECTRON_RUN_AS_NODE: '1' } : {};
  const child = spawn(
    process.execPath,
    [
      '--permission',
      '--disallow-code-generation-from-strings',
      `--max-old-space-size=${HEAP_MB}`,
      '--no-warnings',
      '-e',
      HARNESS,
    ],
    {
      env: electron,
      stdio: ['pipe', 'pipe', 'ignore'],
      signal,
      timeout: KILL_MS,
      killSignal: 'SIGKILL',
    },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  // A child that died before it read all has told enough by dying.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on('error', () => resolve(''));
    child.on('close', () => resolve(said));
  });
}
