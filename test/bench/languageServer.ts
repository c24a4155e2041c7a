/** The built language server in a process of its own, run as the extension runs it, with a client on the other end of its pipes. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { SERVER_FLAGS } from '../../client/src/serverFlags.ts';
import type {
  AnswerEvent,
  AnswerResultWire,
  AskParams,
  Requests,
} from '../../server/src/protocol.ts';
import { repositoryRoot, testModelsDir } from '../support/localModel.ts';

export interface Asked {
  readonly text: string;
  readonly served: string;
  readonly firstMs: number;
  readonly wholeMs: number;
  /** From the first text to the last. */
  readonly writingMs: number;
  /** When it began and ended, on this process's clock. */
  readonly span: readonly [startMs: number, firstMs: number, endMs: number];
}

export interface BuiltServer {
  readonly pid: number;
  readonly client: MessageConnection;
  request<M extends keyof Requests>(method: M, params: Requests[M][0]): Promise<Requests[M][1]>;
  ask(text: string, rest?: Partial<AskParams>): Promise<Asked>;
  /** Of the server and of the model host, its child. */
  cpuMs(): number;
  /** Process id of the model host while one runs. */
  hostPid(): number | undefined;
  stop(): Promise<void>;
}

/** @param program @default `dist/server.js` */
export async function startServer(
  dataDir: string,
  settings: Record<string, unknown> = {},
  program = join(repositoryRoot, 'dist', 'server.js'),
): Promise<BuiltServer> {
  const child = spawn(process.execPath, [...SERVER_FLAGS, program, '--stdio'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const client = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  const listeners = new Map<string, (event: AnswerEvent) => void>();
  client.onRequest('workspace/configuration', ({ items }: { items: unknown[] }) =>
    items.map((_item, index) => (index === 0 ? settings : null)),
  );
  client.onRequest('client/registerCapability', () => null);
  client.onNotification(
    'costAwareRouter/answerEvent',
    ({ requestId, event }: { requestId: string; event: AnswerEvent }) =>
      listeners.get(requestId)?.(event),
  );
  client.listen();
  await client.sendRequest('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { workspace: { configuration: true } },
    initializationOptions: { dataDir, modelsDir: testModelsDir },
  });
  await client.sendNotification('initialized', {});
  // Told only when ledger and registry are open.
  await client.sendRequest('costAwareRouter/models', null);
  const pid = child.pid ?? 0;
  return {
    pid,
    client,
    request: (method, params) => client.sendRequest(method, params),
    async ask(text, rest = {}) {
      const params: AskParams = {
        requestId: randomUUID(),
        text,
        context: [],
        history: [],
        destination: 'local',
        sessionId: 'bench',
        workspaceId: 'bench',
        trusted: true,
        ...rest,
      };
      let first: number | undefined;
      let last = 0;
      const started = performance.now();
      listeners.set(params.requestId, (event) => {
        if (event.kind !== 'delta') return;
        last = performance.now();
        first ??= last;
      });
      const result = await client.sendRequest<AnswerResultWire>('costAwareRouter/answer', params);
      const ended = performance.now();
      listeners.delete(params.requestId);
      if (result.kind !== 'answered') {
        throw new Error(`expected an answer, got ${JSON.stringify(result).slice(0, 300)}`);
      }
      const firstAt = first ?? ended;
      return {
        text: result.answer.text,
        served: result.answer.served,
        firstMs: firstAt - started,
        wholeMs: ended - started,
        writingMs: last - firstAt,
        span: [started, firstAt, ended],
      };
    },
    cpuMs: () => processCpuMs(pid) + processCpuMs(childOf(pid)),
    hostPid: () => childOf(pid),
    async stop() {
      const ended = once(child, 'exit');
      await client.sendRequest('shutdown');
      await client.sendNotification('exit');
      await ended;
      client.dispose();
    },
  };
}

/** Resident memory in MB by Linux; `NaN` elsewhere. */
export function residentMb(pid: number | undefined): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(statusOf(pid)) ?? [];
  return Number(kilobytes) / 1024;
}

function statusOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

/** Ticks of 10 ms, which is what Linux counts in. */
function processCpuMs(pid: number | undefined): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

function childOf(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const children = threads.flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '),
    );
    return children.map(Number).find((one) => one > 0);
  } catch {
    return undefined;
  }
}
