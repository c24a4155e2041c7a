/** `models discover`: servers of models on this machine, and with `--add` their models in the user's registry. */
import { addServer, discoverServers, KNOWN_PORTS } from '../compose.ts';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { type Session, withApp } from './session.ts';

export interface DiscoverFlags {
  readonly add?: boolean;
  /** A further port. */
  readonly port?: number;
}

export async function discover(session: Session, { add, port }: DiscoverFlags): Promise<number> {
  const { io } = session;
  const ports = port === undefined ? KNOWN_PORTS : [{ name: 'a server', port }];
  return await withApp(session, async (app) => {
    const found = await discoverServers(ports, io.signal);
    const tried = ports.map((one) => `${one.name} (${one.port})`).join(', ');
    if (found.length === 0) {
      await writeLine(io.stdout, `Nothing answers on this machine as ${tried}.`);
      return exitCodes.ok;
    }
    const today = new Date(app.ports.clock.now()).toISOString().slice(0, 10);
    for (const server of found) {
      if (server.kind === 'wants key') {
        await writeLine(
          io.stdout,
          `${server.name} at ${server.baseUrl} wants a key; write its entry into registry.yaml yourself`,
        );
        continue;
      }
      await writeLine(io.stdout, `${server.name} at ${server.baseUrl}`);
      for (const { id, contextWindow, sizeBillions, assumed } of server.models) {
        const guess = assumed.length === 0 ? '' : `; assumed: ${assumed.join(', ')}`;
        await writeLine(io.stdout, `  ${id}  ${contextWindow} tokens, ${sizeBillions} B${guess}`);
      }
      if (server.leftOut.length > 0) {
        const names = server.leftOut.join(', ');
        await writeLine(io.stdout, `  left out, since they run on other machines: ${names}`);
      }
      if (add === true) {
        await addServer(app.dataDir, server, today);
        await writeLine(
          io.stdout,
          `  written into ${app.dataDir}${server.isRunner ? '' : '; give each a row in pricing.yaml, or it is refused. Prompts for them count as leaving this machine: take sends_on out of registry.yaml if they do not'}`,
        );
      }
    }
    if (add !== true) await writeLine(io.stdout, 'Nothing was written; --add takes them in.');
    return exitCodes.ok;
  });
}
