/** A provider without delay, in a process of its own: Chat Completions, whole and as a stream, always with its usage. */
import { createServer } from 'node:http';

const WORDS = Array.from({ length: 20 }, (_, nth) => `word${nth} `);
const USAGE = {
  prompt_tokens: 40,
  completion_tokens: WORDS.length,
  total_tokens: 40 + WORDS.length,
};
const shared = { id: 'chatcmpl-1', created: 1_760_000_000, model: 'compared-model' };

const whole = JSON.stringify({
  ...shared,
  object: 'chat.completion',
  choices: [
    { index: 0, message: { role: 'assistant', content: WORDS.join('') }, finish_reason: 'stop' },
  ],
  usage: USAGE,
});

const chunk = (rest: object) =>
  `data: ${JSON.stringify({ ...shared, object: 'chat.completion.chunk', ...rest })}\n\n`;
const delta = (content: object, finish: string | null) =>
  chunk({ choices: [{ index: 0, delta: content, finish_reason: finish }] });
const pieces = [
  delta({ role: 'assistant', content: '' }, null),
  ...WORDS.map((content) => delta({ content }, null)),
  delta({}, 'stop'),
];
const usagePiece = chunk({ choices: [], usage: USAGE });

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(parts).toString()) as {
      stream?: boolean;
      stream_options?: { include_usage?: boolean };
    };
    if (body.stream !== true) {
      response.setHeader('content-type', 'application/json').end(whole);
      return;
    }
    response.setHeader('content-type', 'text/event-stream');
    for (const piece of pieces) response.write(piece);
    if (body.stream_options?.include_usage === true) response.write(usagePiece);
    response.end('data: [DONE]\n\n');
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP port');
  console.log(`Listening on http://127.0.0.1:${address.port}`);
});
