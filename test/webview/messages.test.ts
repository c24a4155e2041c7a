/** What a page may say to the extension: known messages of the right shape, and nothing else; and the shell's policy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageHtml } from '../../client/src/webviewHtml.ts';
import {
  type HostToDashboard,
  parseAnswersMessage,
  parseDashboardMessage,
} from '../../client/src/webviewMessages.ts';
import { parseHostToAnswers, parseHostToDashboard } from '../../client/webview/hostMessages.ts';
import { answerScript } from './answerScript.ts';
import { report, status, trace, whatIf } from './sampleView.ts';

test('well-formed messages pass, without fields that nobody named', () => {
  const dashboard = [
    { type: 'ready' },
    { type: 'report', id: 1, month: null },
    { type: 'report', id: 1, month: '2026-11' },
    { type: 'routes', id: 2, params: { offset: 0, limit: 100, served: 'cloud', search: 'x' } },
    { type: 'trace', id: 3, promptId: 'p' },
    { type: 'export', month: '2026-11', format: 'csv' },
    { type: 'close_what_if' },
    { type: 'command', command: 'set_key', modelId: null },
  ];
  for (const message of dashboard) {
    assert.deepEqual(parseDashboardMessage({ ...message, extra: 1 }), message);
  }
  const answers = [
    { type: 'cancel', requestId: 'r' },
    { type: 'ask_other', requestId: 'r', destination: 'cloud' },
    { type: 'ask_again', requestId: 'r', destination: 'local' },
    { type: 'verdict', requestId: 'r', verdict: 'good_enough' },
    { type: 'keep_explanation', requestId: 'r' },
    { type: 'code', action: 'diff', requestId: 'r', code: 'x', language: '' },
    { type: 'copy_answer', requestId: 'r' },
  ];
  for (const message of answers)
    assert.deepEqual(parseAnswersMessage({ ...message, extra: 1 }), message);
});

test('anything else is dropped', () => {
  const bad: readonly unknown[] = [
    null,
    'ready',
    [],
    {},
    { type: 'eval', code: '1' },
    { type: 'command', command: 'workbench.action.quit', modelId: null },
    { type: 'command', command: 'set_key' },
    { type: 'command', command: ['set_key'], modelId: null },
    { type: 'report', id: -1, month: null },
    { type: 'report', id: 1, month: '../../etc' },
    { type: 'routes', id: 1, params: { offset: 0, limit: 100_000 } },
    { type: 'routes', id: 1, params: { offset: 0.5, limit: 10 } },
    { type: 'routes', id: 1, params: { offset: 0, limit: 10, served: 'all' } },
    { type: 'routes', id: 1, params: { offset: 0, limit: 10, search: 'x'.repeat(201) } },
    { type: 'export', month: '2026-11', format: 'exe' },
    { type: 'cancel' },
    { type: 'verdict', requestId: 'r', verdict: 'great' },
    { type: 'code', action: 'run', requestId: 'r', code: 'x', language: '' },
    { type: 'code', action: 'copy', requestId: 'r', code: 'x'.repeat(1_000_001), language: '' },
    { type: 'ask_other', requestId: 'r', destination: 'auto' },
    { type: 'ask_again', requestId: 'r', destination: 'anywhere' },
  ];
  for (const message of bad) {
    assert.equal(parseDashboardMessage(message), null);
    assert.equal(parseAnswersMessage(message), null);
  }
});

test('the shell forbids everything but its own script and styles, and texts can not leave their attribute', () => {
  const html = pageHtml({
    page: 'answers',
    cspSource: 'https://resource.example',
    uriOf: (name) => `https://resource.example/${name}?"><script>`,
    title: '</title><script>alert(1)</script>',
    language: 'de',
    strings: { Spent: '"><script>alert(2)</script>' },
    nonce: 'NONCE',
  });
  assert.match(
    html,
    /default-src &#39;none&#39;; script-src &#39;nonce-NONCE&#39;; style-src https:\/\/resource\.example;/,
  );
  assert.doesNotMatch(html, /unsafe-|\*/);
  assert.equal(html.match(/<script/g)?.length, 1);
  const first = pageHtml({
    page: 'answers',
    cspSource: '',
    uriOf: (name) => name,
    title: '',
    language: 'en',
    strings: {},
  });
  const second = pageHtml({
    page: 'answers',
    cspSource: '',
    uriOf: (name) => name,
    title: '',
    language: 'en',
    strings: {},
  });
  assert.notEqual(first, second, 'every page has a nonce of its own');
});

test('a page takes only what the extension may tell it, and drops the rest', () => {
  const told = answerScript();
  for (const message of told)
    assert.deepEqual(parseHostToAnswers({ ...message, extra: 1 }), message);
  const dashboard: readonly HostToDashboard[] = [
    { type: 'report', id: 1, report },
    { type: 'trace', id: 2, trace },
    { type: 'trace', id: 2, trace: null },
    { type: 'failed', id: 3, message: 'x' },
    { type: 'status', status },
    { type: 'server', state: 'stopped', message: '' },
    { type: 'what-if', figures: whatIf },
    { type: 'what-if', figures: null },
    { type: 'open-route', promptId: 'p' },
  ];
  for (const message of dashboard)
    assert.deepEqual(parseHostToDashboard({ ...message, extra: 1 }), message);
  const bad: readonly unknown[] = [
    null,
    'clear',
    [],
    {},
    { type: 'eval' },
    { type: ['clear'] },
    { type: 'question', requestId: 'r' },
    {
      type: 'event',
      requestId: 'r',
      event: { kind: 'delta', text: { toString: 1 }, model: 'm', draft: true },
    },
    { type: 'event', requestId: 1, event: { kind: 'progress', stage: 'loading', share: 1 } },
    {
      type: 'result',
      requestId: 'r',
      result: { kind: 'failed', code: 'x', message: 'y', nextStep: 'workbench.action.quit' },
    },
    { type: 'notice', requestId: 'r', message: ['<b>'] },
    { type: 'report', id: 1, report: {} },
    {
      type: 'status',
      status: { ...status, missing: [{ what: 'key', message: 'x', nextStep: 'eval' }] },
    },
    { type: 'server', state: 'evil', message: '' },
    JSON.parse('{"__proto__": {"type": "clear"}}'),
  ];
  for (const value of bad) {
    assert.equal(parseHostToAnswers(value), null, JSON.stringify(value));
    assert.equal(parseHostToDashboard(value), null, JSON.stringify(value));
  }
});
