/**
 * Output whose pieces of one turn of the event loop go out in one write. The protocol's library writes a message in two
 * pieces and the second when the first is out: for a short answer, handing them to the system took longest of all.
 */
import { Writable } from 'node:stream';

/** Ends and breaks with `output`; what breaks it is told as an `error`. */
export function gathered(output: Writable): Writable {
  let pieces: Buffer[] = [];

  function flush(done?: () => void): void {
    const all = pieces;
    pieces = [];
    if (all.length > 0) output.write(Buffer.concat(all), done);
    else done?.();
  }

  const gathering = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      if (pieces.length === 1) setImmediate(flush);
      // A client that does not read must not pile everything up here unseen.
      if (output.writableNeedDrain) output.once('drain', () => done());
      else done();
    },
    final(done) {
      flush(() => output.end(done));
    },
  });
  output.on('error', (error) => gathering.destroy(error));
  output.once('close', () => gathering.destroy());
  return gathering;
}
