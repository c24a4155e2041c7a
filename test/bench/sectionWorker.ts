/** The process of one section. Arguments: its name, `quick` or `full`. */
import { endAllPrograms } from '../support/programs.ts';
import type { FromWorker } from './runSection.ts';
import { sections } from './sections.ts';

const [, , name, size] = process.argv;
const found = sections.find((one) => one.name === name);
if (found === undefined) throw new Error(`expected a section, got ${name}`);
process.once('unhandledRejection', (error) => {
  send({ type: 'failed', why: messageOf(error) });
  void endAllPrograms().finally(() => process.exit(1));
});
process.once('SIGTERM', () => void endAllPrograms().finally(() => process.exit(0)));
try {
  await found.run(
    { quick: size === 'quick', say: (line) => send({ type: 'say', line }) },
    (id, measured) => send({ type: 'row', id, measured }),
  );
} catch (error) {
  send({ type: 'failed', why: messageOf(error) });
}
await endAllPrograms();
send({ type: 'done' });

function send(message: FromWorker): void {
  process.send?.(message);
}

/** `fetch` says what went wrong in its cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${messageOf(error.cause)})`;
}
