/** The preset's rules made once find what secretlint itself finds, which makes them anew for each text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lintSource } from '@secretlint/core';
import { creator as preset } from '@secretlint/secretlint-rule-preset-recommend';
import { presetRules } from '../../server/src/privacy/secretlint.ts';
import { randomOf } from '../simulate/random.ts';
import { cleanFiles } from '../support/cleanFiles.ts';
import { plantedSecrets } from '../support/plantedSecrets.ts';
import { presetSecrets } from '../support/presetSecrets.ts';

const PREFIX = '@secretlint/secretlint-rule-';

const strictPreset: typeof preset = {
  ...preset,
  create(context, options) {
    return preset.create(
      {
        ...context,
        registerRule(rule, defaults) {
          if (rule.meta.id !== `${PREFIX}filter-comments`) context.registerRule(rule, defaults);
        },
      },
      options,
    );
  },
};

async function bySecretlint(content: string): Promise<readonly string[]> {
  const { messages } = await lintSource({
    source: { filePath: 'prompt.txt', content, ext: '.txt', contentType: 'text' },
    options: {
      config: { rules: [{ id: preset.meta.id, rule: strictPreset }] },
      noPhysicFilePath: true,
      maskSecrets: true,
    },
  });
  return [...new Set(messages.map(({ ruleId }) => ruleId.replace(PREFIX, '')))];
}

const own = presetSecrets();
const planted = plantedSecrets(2).map(({ text }) => text);
const clean = cleanFiles(60, 3).map(({ text }) => text.slice(0, 20_000));

test('every rule of the preset finds its own secret, as secretlint does', async () => {
  for (const [rule, secret] of own) {
    const text = `const it = '${secret}';`;
    assert.ok(presetRules(text).includes(rule), `${rule} in ${text}`);
    assert.deepEqual(presetRules(text), await bySecretlint(text), rule);
    assert.deepEqual(presetRules(`\ufeff${text}`), await bySecretlint(`\ufeff${text}`), rule);
  }
  const silent = ['filter-comments', 'gcp'];
  const names = preset.rules.map(({ meta }) => meta.id.replace(PREFIX, ''));
  assert.deepEqual(
    [...new Set(own.map(([rule]) => rule))].sort(),
    names.filter((name) => !silent.includes(name)).sort(),
  );
});

test('planted secrets, real code and mixtures of them give the same finds in the same order', async () => {
  const random = randomOf(7);
  const parts = [
    ...own.map(([, secret]) => secret),
    ...planted,
    ...clean.map((text) => text.slice(0, 400)),
  ];
  const between = [
    '\n',
    ' ',
    '',
    '"',
    '_',
    'x',
    '://',
    '\ufeff',
    '// secretlint-disable\n',
    'é',
    '😀',
  ];
  const mixture = () =>
    Array.from({ length: 1 + random.whole(0, 5) }, () => {
      const part = random.pick(parts);
      const cut = random.chance(0.25) ? random.whole(0, part.length) : 0;
      return part.slice(cut) + random.pick(between);
    }).join('');
  const texts = [...planted, ...clean, ...Array.from({ length: 1_500 }, mixture)];
  let found = 0;
  for (const text of texts) {
    const rules = presetRules(text);
    found += rules.length;
    assert.deepEqual(rules, await bySecretlint(text), text);
  }
  assert.ok(found > 1_000, `mixtures hold secrets, found ${found}`);
});

test('a comment can not switch the scan off, and one text takes nothing over from another', () => {
  for (const [rule, secret] of own) {
    for (const comment of [
      '// secretlint-disable',
      '/* secretlint-disable */',
      '# secretlint-disable-line',
      '// secretlint-disable-next-line',
    ]) {
      assert.ok(
        presetRules(`${comment}\n${secret}\n${comment}`).includes(rule),
        `${rule} after ${comment}`,
      );
    }
    assert.deepEqual(presetRules('an ordinary prompt'), []);
  }
});
