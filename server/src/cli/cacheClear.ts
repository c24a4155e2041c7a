/** `cache clear`: forgets all kept answers. */
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { type Session, withApp } from './session.ts';

export async function cacheClear(session: Session): Promise<number> {
  return await withApp(session, async (app) => {
    const { entries, bytes } = app.cache.clear();
    const answers = entries === 1 ? '1 answer' : `${entries} answers`;
    await writeLine(session.io.stdout, `Forgot ${answers} (${(bytes / 1_000_000).toFixed(1)} MB).`);
    return exitCodes.ok;
  });
}
