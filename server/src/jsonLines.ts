/** Reads text line by line as JSON objects, in bounded memory and with the number of every line. */

export type JsonLine =
  | { readonly kind: 'object'; readonly line: number; readonly value: Record<string, unknown> }
  | { readonly kind: 'bad'; readonly line: number; readonly message: string };

/** In characters; the longest conversation that a model reads is far below it. */
const LONGEST_LINE = 16_000_000;

/**
 * Throws what the input throws, as when a file can't be read. Blank lines and a byte order mark are passed over.
 * @param onRead told the bytes of each piece as it was read
 */
export async function* jsonLinesOf(
  input: AsyncIterable<Uint8Array | string>,
  onRead: (bytes: number) => void = () => {},
): AsyncGenerator<JsonLine, void> {
  let number = 0;
  for await (const read of linesOf(input, onRead)) {
    number += 1;
    const line = number === 1 ? read?.replace(/^\uFEFF/, '') : read;
    if (line === undefined) {
      const message = `expected a line of at most ${LONGEST_LINE} characters, got a longer one`;
      yield { kind: 'bad', line: number, message };
    } else if (line.trim() !== '') {
      yield parseLine(number, line);
    }
  }
}

/** `undefined` stands for a line that is too long. */
async function* linesOf(
  input: AsyncIterable<Uint8Array | string>,
  onRead: (bytes: number) => void,
): AsyncGenerator<string | undefined, void> {
  const decoder = new TextDecoder();
  let begun = '';
  let isTooLong = false;
  for await (const piece of input) {
    onRead(piece.length);
    const text = typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
    const [first = '', ...more] = text.split('\n');
    begun += isTooLong ? '' : first;
    for (const next of more) {
      yield isTooLong || begun.length > LONGEST_LINE ? undefined : begun;
      isTooLong = false;
      begun = next;
    }
    if (begun.length > LONGEST_LINE) {
      isTooLong = true;
      begun = '';
    }
  }
  if (isTooLong) yield undefined;
  else yield begun + decoder.decode();
}

function parseLine(line: number, text: string): JsonLine {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return { kind: 'object', line, value };
    return { kind: 'bad', line, message: 'expected a JSON object, got another JSON value' };
  } catch {
    return { kind: 'bad', line, message: 'expected a JSON object on one line, got no valid JSON' };
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
