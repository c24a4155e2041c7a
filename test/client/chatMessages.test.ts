/** Messages of VS Code's chat, by the shape of its parts, and which of its surfaces an editor has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countedText, messagesOf } from '../../client/src/chat/chatMessages.ts';
import { chatSurfaces } from '../../client/src/chat/chatSurfaces.ts';

const USER = 1;
const ASSISTANT = 2;
const SYSTEM = 3;

const text = (value: string) => ({ value });
const data = (mimeType: string, bytes: string) => ({
  data: new TextEncoder().encode(bytes),
  mimeType,
});

function read(messages: Parameters<typeof messagesOf>[0]) {
  const result = messagesOf(messages);
  if (result.kind !== 'read') throw new Error(JSON.stringify(result));
  return result.messages;
}

test('an agent’s turns become instructions, questions, calls and results', () => {
  const messages = read([
    { role: SYSTEM, content: [text('You are an agent.'), data('cache_control', 'ephemeral')] },
    { role: USER, content: [text('How long is it?'), data('text/plain', 'a.ts is open')] },
    {
      role: ASSISTANT,
      content: [text('Let me look.'), { callId: 'c1', name: 'read_file', input: { path: 'a.ts' } }],
    },
    {
      role: USER,
      content: [{ callId: 'c1', content: [text('one line'), { value: { node: 1 } }] }],
    },
    { role: USER, content: [text('And b.ts?')] },
  ]);
  assert.deepEqual(messages, [
    { role: 'instructions', text: 'You are an agent.' },
    { role: 'user', text: 'How long is it?\na.ts is open' },
    {
      role: 'assistant',
      text: 'Let me look.',
      toolCalls: [{ id: 'c1', name: 'read_file', argumentsJson: '{"path":"a.ts"}' }],
    },
    { role: 'tool', toolCallId: 'c1', text: 'one line\n{"node":1}' },
    { role: 'user', text: 'And b.ts?' },
  ]);
});

test('thoughts and the editor’s own marks are no part of what was said', () => {
  const thought = { value: 'Hmm.', id: undefined, metadata: {} };
  const marks = [thought, data('stateful_marker', 'x'), null, 'loose', { later: 'kind' }];
  assert.deepEqual(read([{ role: ASSISTANT, content: [...marks, text('So.')] }]), [
    { role: 'assistant', text: 'So.' },
  ]);
  assert.deepEqual(read([{ role: ASSISTANT, content: marks }]), []);
});

test('a picture is refused by its kind, also inside what a tool returned', () => {
  const picture = data('image/png', 'x');
  for (const content of [[picture], [{ callId: 'c1', content: [text('see'), picture] }]]) {
    assert.deepEqual(messagesOf([{ role: USER, content }]), {
      kind: 'unreadable',
      mimeType: 'image/png',
    });
  }
});

test('all that a model would read is counted', () => {
  assert.equal(countedText('as it is'), 'as it is');
  const content = [
    text('one'),
    { callId: 'c', name: 'two', input: { three: 3 } },
    { callId: 'c', content: [text('four')] },
    data('image/png', 'x'),
  ];
  assert.equal(countedText({ role: USER, content }), 'one\ntwo {"three":3}\nfour\n');
});

test('only what an editor has as a function is there', () => {
  const nothing = { models: false, participant: false, tools: false };
  const works = () => {};
  assert.deepEqual(chatSurfaces({}), nothing);
  assert.deepEqual(chatSurfaces({ lm: null, chat: 'chat' }), nothing);
  assert.deepEqual(chatSurfaces({ lm: { registerTool: true }, chat: {} }), nothing);
  assert.deepEqual(
    chatSurfaces({ lm: { registerTool: works }, chat: { createChatParticipant: works } }),
    { models: false, participant: true, tools: true },
  );
  assert.equal(chatSurfaces({ lm: { registerLanguageModelChatProvider: works } }).models, true);
});
