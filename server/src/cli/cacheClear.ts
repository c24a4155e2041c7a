/** `cache clear`: forgets all kept answers. */
import { join } from 'node:path';
import { counted } from './counted.ts';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { badInput, type Session, withApp } from './session.ts';

export async function cacheClear(session: Session): Promise<number> {
  return await withApp(session, async (app) => {
    const cleared = app.cache.clear();
    if (cleared === undefined) {
      return await badInput(
        session.io,
        `expected to write ${join(app.dataDir, 'cache.sqlite')}, but that is not possible now, so nothing was forgotten; make the file and its folder writable, or try again when other programs are done with it`,
      );
    }
    const { entries, bytes } = cleared;
    await writeLine(
      session.io.stdout,
      `Forgot ${counted(entries, 'answer')} (${(bytes / 1_000_000).toFixed(1)} MB).`,
    );
    return exitCodes.ok;
  });
}
