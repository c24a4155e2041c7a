/**
 * A text without a rule's marks is not read by that rule. That nothing is lost by it is proved here from the patterns
 * themselves: every way through a pattern is followed, and each must pass over one of the marks.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AST, RegExpParser } from '@eslint-community/regexpp';
import { rules } from '@secretlint/secretlint-rule-preset-recommend';
import fc from 'fast-check';
import { createSieve, type Marks } from '../../server/src/privacy/marks.ts';
import { presetMarks } from '../../server/src/privacy/secretlint.ts';
import { secretPatterns } from '../../server/src/privacy/secretPatterns.ts';

/** More texts than this are not listed one by one. */
const MOST = 200;

/** All texts that an element can match, or undefined where they are too many. */
function textsOf(element: AST.Element | AST.Alternative): readonly string[] | undefined {
  switch (element.type) {
    case 'Character':
      return [String.fromCodePoint(element.value)];
    case 'Assertion':
      return [''];
    case 'Alternative':
      return element.elements.reduce<readonly string[] | undefined>(
        (before, next) => joined(before, textsOf(next)),
        [''],
      );
    case 'Group':
    case 'CapturingGroup':
      return either(element.alternatives.map(textsOf));
    case 'CharacterClass': {
      if (element.negate || element.elements.some(({ type }) => type !== 'Character')) return;
      const one = element.elements.map((part) =>
        part.type === 'Character' ? String.fromCodePoint(part.value) : '',
      );
      return one;
    }
    case 'Quantifier': {
      if (element.max > 3) return;
      const once = textsOf(element.element);
      const counts = Array.from(
        { length: element.max - element.min + 1 },
        (_, at) => element.min + at,
      );
      return either(
        counts.map((count) =>
          Array.from({ length: count }).reduce<readonly string[] | undefined>(
            (before) => joined(before, once),
            [''],
          ),
        ),
      );
    }
    default:
      return;
  }
}

function joined(before: readonly string[] | undefined, next: readonly string[] | undefined) {
  if (before === undefined || next === undefined) return;
  const all = before.flatMap((start) => next.map((end) => start + end));
  return all.length > MOST ? undefined : all;
}

function either(parts: readonly (readonly string[] | undefined)[]): readonly string[] | undefined {
  const all: string[] = [];
  for (const part of parts) {
    if (part === undefined) return;
    all.push(...part);
  }
  return all.length > MOST ? undefined : all;
}

type Holds = (text: string) => boolean;

/** Whether every match of an element holds a mark, by itself. */
function isMarked(element: AST.Element | AST.Alternative, holds: Holds): boolean {
  const texts = textsOf(element);
  if (texts !== undefined) return texts.every(holds);
  switch (element.type) {
    case 'Alternative':
      return isSequenceMarked(element.elements, holds);
    case 'Group':
    case 'CapturingGroup':
      return element.alternatives.every((alternative) => isMarked(alternative, holds));
    case 'Quantifier':
      return element.min > 0 && isMarked(element.element, holds);
    default:
      return false;
  }
}

/** One of the elements is marked, or neighbours are together, in every combination of their texts. */
function isSequenceMarked(elements: readonly AST.Element[], holds: Holds): boolean {
  return elements.some((element, at) => {
    if (textsOf(element) === undefined) return isMarked(element, holds);
    let run: readonly string[] | undefined = [''];
    for (const next of elements.slice(at)) {
      const longer: readonly string[] | undefined = joined(run, textsOf(next));
      if (longer === undefined) break;
      run = longer;
      if (run.every(holds)) return true;
    }
    return false;
  });
}

function isProved(pattern: RegExp, { exact = [], anyCase = [] }: Marks): boolean {
  const unicode = pattern.flags.includes('u');
  // With both flags letters of ASCII match others too, so that lower case would not find them.
  if (pattern.ignoreCase && unicode) return false;
  const ast = new RegExpParser({ ecmaVersion: 2025 }).parsePattern(
    pattern.source,
    0,
    pattern.source.length,
    { unicode },
  );
  const holds = (text: string) =>
    anyCase.some((mark) => text.toLowerCase().includes(mark)) ||
    exact.some(
      (mark) =>
        text.includes(mark) && (!pattern.ignoreCase || mark.toLowerCase() === mark.toUpperCase()),
    );
  return ast.alternatives.every((alternative) => isMarked(alternative, holds));
}

const anything = {
  sharedOptions: {},
  createTranslator: () => (messageId: unknown) => ({
    message: '',
    messageId: String(messageId),
    data: undefined,
  }),
  report() {},
  ignore() {},
};

/** The patterns that a rule of the preset tries on a text: it is given one that keeps what it is asked for. */
function patternsOf(rule: (typeof rules)[number]): readonly RegExp[] {
  const asked: RegExp[] = [];
  const content = {
    matchAll(pattern: RegExp) {
      asked.push(pattern);
      return [];
    },
  } as unknown as string;
  const source = { content, filePath: 'prompt.txt', ext: '.txt', contentType: 'text' } as never;
  assert.equal(rule.create(anything, {}).file?.(source), undefined, 'reads at once');
  return asked;
}

test('no pattern of the preset can match a text without the marks of its rule', () => {
  const names = new Set<string>();
  for (const rule of rules) {
    const name = rule.meta.id.replace('@secretlint/secretlint-rule-', '');
    // The first is left out of scans, the second reads files of other names only.
    if (name === 'filter-comments') continue;
    const patterns = patternsOf(rule);
    assert.equal(patterns.length > 0, name !== 'gcp', name);
    const marks = presetMarks[name];
    if (marks === undefined) continue;
    names.add(name);
    for (const pattern of patterns) assert.ok(isProved(pattern, marks), `${name}: ${pattern}`);
  }
  assert.deepEqual([...names].sort(), Object.keys(presetMarks).sort(), 'marks of rules that are');
});

test('no pattern of our own can match a text without its marks', () => {
  for (const { rule, pattern, marks } of secretPatterns) {
    assert.ok(isProved(pattern, marks), `${rule}: ${pattern}`);
  }
});

test('the proof fails where one way through a pattern passes no mark', () => {
  const unproved: readonly (readonly [RegExp, Marks])[] = [
    [/ab?c/, { exact: ['ab'] }],
    [/(?:key|token)=/, { exact: ['key'] }],
    [/a(?:bc)*d/, { exact: ['bc'] }],
    [/a\w+b/, { exact: ['ab'] }],
    [/key/i, { exact: ['key'] }],
    [/key/iu, { anyCase: ['key'] }],
    [/(?<=key)\w+/, { exact: ['key'] }],
    [/[^a]bc/, { exact: ['abc'] }],
    [/x|ab/, { exact: ['ab'] }],
  ];
  for (const [pattern, marks] of unproved)
    assert.equal(isProved(pattern, marks), false, `${pattern}`);
  const proved: readonly (readonly [RegExp, Marks])[] = [
    [/[rs]k_(?:live|test)_\w+/, { exact: ['k_live_', 'k_test_'] }],
    [/(?:key|token)=/i, { anyCase: ['key=', 'token='] }],
    [/\w(?:(?=x)a\bb){1,2}/, { exact: ['ab'] }],
  ];
  for (const [pattern, marks] of proved) assert.ok(isProved(pattern, marks), `${pattern}`);
});

test('a sieve lets through, in order, who has a mark in the text and who has none at all', () => {
  const all = [
    { name: 'dot', marks: { exact: ['a.b'] } },
    { name: 'every', marks: undefined },
    { name: 'case', marks: { anyCase: ['key'] } },
    { name: 'signs', marks: { exact: ['-----BEGIN', '$(x)', '[^]', '\\', '{|}', '*+?/'] } },
  ];
  const sieve = createSieve(all);
  const through = (text: string) => sieve(text).map(({ name }) => name);
  assert.deepEqual(through('axb A.B KE Y -----'), ['every']);
  assert.deepEqual(through('KEY and a.b'), ['dot', 'every', 'case']);
  for (const mark of all[3]!.marks!.exact!)
    assert.deepEqual(through(`.${mark}.`), ['every', 'signs']);
  assert.deepEqual(createSieve([all[0]!])('nothing'), []);
});

test('marks that overlap, begin or end one another are all found', () => {
  const mark = fc.string({ unit: fc.constantFrom('a', 'b', '$'), minLength: 1, maxLength: 4 });
  const marks = fc.record({ exact: fc.array(mark), anyCase: fc.array(mark) });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '$', ' '), maxLength: 40 });
  fc.assert(
    fc.property(fc.array(marks), text, (each, read) => {
      const all = each.map((one) => ({ marks: one }));
      const held = all.filter(
        ({ marks: { exact, anyCase } }) =>
          exact.some((one) => read.includes(one)) ||
          anyCase.some((one) => read.toLowerCase().includes(one)),
      );
      assert.deepEqual(createSieve(all)(read), held);
    }),
  );
});
