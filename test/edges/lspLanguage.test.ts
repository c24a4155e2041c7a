/** The server speaks the editor's language: German where the client says so, English where nobody has translated. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { confidenceOf, parseFittedConfidence } from '../../server/src/core/confidence.ts';
import { deferralRule } from '../../server/src/core/deferral.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { languageOf } from '../../server/src/lsp/language.ts';
import { knownForms, retold } from '../../server/src/lsp/wire/retold.ts';
import { streamedFailure } from '../../server/src/models/openaiErrors.ts';
import { shippedModels } from '../../server/src/models/shippedFiles.ts';
import { whyUnavailable } from '../../server/src/store/ledgerFaults.ts';
import { askOf, openLsp } from './lspHarness.ts';

const german = languageOf('de');

test('a German editor gets its status, reasons and traces in German', async () => {
  const lsp = await openLsp({ initializationOptions: { locale: 'de' } });
  const asked = await lsp.request('costAwareRouter/answer', askOf('What is an inode?'));
  assert.equal(asked.kind, 'answered');
  if (asked.kind !== 'answered') return;
  const { answer } = asked;
  assert.match(answer.reason, /^Sieht einfach aus \(0\.\d\d von 0\.\d\d; .+\)\.$/);
  assert.match(answer.line, /^lokal · .+ · kostenlos · .+ gespart · Sieht einfach aus/);
  assert.match(answer.trace.wouldFlip.join(), /^der Wert über 0\.\d\d gelegen hätte/);

  const status = await lsp.request('costAwareRouter/status', null);
  assert.equal(status.lastReason, answer.reason);
  assert.match(status.text, /^\$.+ · \$.+ gespart$/);
  assert.match(
    status.budgets.join(),
    /^\$.+ von \$20 diesen Monat ausgegeben; zurückgesetzt am 1\. Dezember\.$/,
  );
  await lsp.close();
});

test('a used-up budget is said in German, too', async () => {
  const lsp = await openLsp({ initializationOptions: { locale: 'de-AT' } });
  const used = nanoUsd(20_000_000_000);
  const budget = {
    month: '2026-11',
    limitNanoUsd: used,
    spentNanoUsd: used,
    heldNanoUsd: nanoUsd(0),
  };
  await lsp.status(({ text }) => text !== 'starting');
  Object.assign(lsp.app, { budget: () => budget });
  const status = await lsp.request('costAwareRouter/status', null);
  assert.equal(status.text, 'nur lokal bis 1. Dez.');
  const done = await lsp.request('costAwareRouter/clearHistory', { workspaceId: null });
  assert.deepEqual(done, { kind: 'done', message: 'Der Verlauf ist gelöscht.' });
  await lsp.close();
});

test('a language without translations, or none at all, is English', () => {
  for (const locale of [undefined, '', 'C', 'fr', '../../de', 'de/../x']) {
    const { t } = languageOf(locale);
    assert.equal(t('saved {amount}', { amount: '$1.00' }), 'saved $1.00', String(locale));
  }
  for (const locale of ['de', 'de-CH', 'de_DE.UTF-8', 'DE']) {
    const { t } = languageOf(locale);
    assert.equal(t('saved {amount}', { amount: '$1.00' }), '$1.00 gespart', locale);
  }
});

test('what comes ready-made from the depth is said again, and what is unknown stays', () => {
  const { t } = german;
  assert.equal(
    retold(
      'the prompt may not leave this machine (aws-access-key), and the local model is not on this machine; download it',
      t,
    ),
    'die Frage darf diesen Rechner nicht verlassen (aws-access-key), und das lokale Modell ist nicht auf diesem Rechner; lade es',
  );
  assert.equal(
    retold("this month's budget does not cover gpt; raise it or let the local model answer", t),
    'das Budget dieses Monats reicht nicht für gpt; hebe es an oder lass das lokale Modell antworten.',
  );
  assert.equal(
    retold('could not reach example.org (ECONNREFUSED); check the network and the base URL', t),
    'example.org ist nicht erreichbar (ECONNREFUSED); prüfe das Netz und die Basis-URL.',
  );
  assert.equal(
    retold('looks like explaining code (81 %)', t),
    'sieht nach „Erklären von Code“ aus (81 %)',
  );
  // A cause inside a sentence, both from where they are made.
  const full = Object.assign(new Error('full'), { errcode: 13 });
  const ledger = whyUnavailable(full, '/home/me/ledger.sqlite') ?? '';
  assert.equal(
    retold(`the ledger is closed, so nothing may be spent: ${ledger}`, t),
    'Das Ausgabenbuch ist geschlossen, darum darf nichts ausgegeben werden: Für das Ausgabenbuch /home/me/ledger.sqlite ist kein Platz mehr auf der Platte; schaffe Platz.',
  );
  const call = { host: 'example.org', key: undefined, apiModel: 'gpt' };
  assert.equal(
    retold(streamedFailure({ code: 'rate_limit_exceeded' }, call).message, t),
    'example.org hat die Antwort abgebrochen (code: rate_limit_exceeded); warte und versuch es noch einmal.',
  );
  assert.equal(
    retold(streamedFailure({ code: undefined }, call).message, t),
    'example.org hat die Antwort abgebrochen; versuch es noch einmal.',
  );
  assert.equal(retold('nothing that is known', t), 'nothing that is known');
});

test('every part of a confidence and every note of the gate has its German words', () => {
  const gate = {
    source: 'outcomes',
    answers: 120,
    needed: 0.6,
    catchRate: 0.7,
    falseRejectRate: 0.2,
    tasks: { question: 0.3 },
    withLogProbs: { bias: 1, meanLogProb: 1, lowLogProb: 1, entropy: 1, length: 0.1 },
    withoutLogProbs: { bias: 1, length: 0.1 },
    curve: { kind: 'platt', scale: 1, shift: 0 },
  };
  const fitted = parseFittedConfidence({
    ...JSON.parse(readFileSync(join(shippedModels(), 'confidence.json'), 'utf8')),
    models: { m: gate },
  });
  const words = 'I am sorry, that is all. '.repeat(12);
  const logProbs = [{ text: 'x', logProb: -1 }];
  const judged = [
    { text: `${words}\n\`\`\`js\nf((\n`, finish: 'length' as const, logProbs },
    { text: '', finish: 'stop' as const },
    { text: 'x', finish: 'stop' as const, code: { blocks: 2, broken: 1 }, logProbs },
  ];
  const parts = judged.flatMap((answer) =>
    ['question', 'other'].flatMap((task) => [
      ...confidenceOf(answer, task, fitted, 'm').parts,
      ...confidenceOf(answer, task, fitted, 'unknown').parts,
    ]),
  );
  const said = new Set(parts.map(({ name }) => name));
  for (const name of ['entropy', 'broken', 'calibration', 'refused', 'repeated', 'truncated']) {
    assert.ok(said.has(name), `expected the part ${name}, got ${[...said].join()}`);
  }
  const rule = { needed: 0.6, otherQuality: 0.9, costRatio: 1, pressure: 0 };
  const notes = [
    { ...rule, costRatio: 9 },
    { ...rule, pressure: 0.5 },
    { ...rule, otherQuality: 0.5 },
  ].flatMap((one) => deferralRule(one).notes);
  assert.equal(notes.length, 3);
  const english = [...parts.flatMap(({ name, detail }) => [name, detail]), ...notes];
  assert.deepEqual(
    english.filter((text) => retold(text, german.t) === text),
    [],
  );
});

test('every known form with words of its own is one that a source still writes', () => {
  const folders = ['core', 'models', 'store'].map((name) =>
    resolve(import.meta.dirname, '../../server/src', name),
  );
  const sources = [...folders, resolve(import.meta.dirname, '../../server/src')]
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((file) => file.endsWith('.ts'))
        .map((file) => readFileSync(join(folder, file), 'utf8')),
    )
    .join('\n');
  const gone = knownForms
    // A failure's code in words is made by the edge itself.
    .filter((form) => !/^[a-z ]+\.$/.test(form))
    .flatMap((form) => form.split(/\{\w+\}/))
    // A fact in brackets is put together with its brackets.
    .map((words) => words.replace(/^\)/, ''))
    .filter((words) => /[a-z]{3}/i.test(words) && !sources.includes(words));
  assert.deepEqual(gone, []);
});
