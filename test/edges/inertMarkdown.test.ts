/** A model's Markdown as VS Code would render it: whatever it says, there is no link, no picture, no HTML in what comes out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import MarkdownIt from 'markdown-it';
import { Marked } from 'marked-of-vscode';
import { explanationMarkdown } from '../../client/src/explanationText.ts';
import { escaped } from '../../client/src/statusBarView.ts';
import { english as serverEnglish } from '../../server/src/core/translate.ts';
import { inertMarkdown } from '../../server/src/inertMarkdown.ts';
import { hoverOf } from '../../server/src/lsp/code/features.ts';
import { english } from '../client/english.ts';
import { markdownAttacks } from '../support/markdownAttacks.ts';

const ofVscode = new Marked({ gfm: true });
const strict = new MarkdownIt({ html: true });

/** Everything of a rendered text that acts or fetches. Text and code show as `&lt;`, so a tag is a tag. */
const ACTS =
  /<(?!\/?(?:p|pre|code|em|strong|del|s|ul|ol|li|blockquote|h[1-6]|hr|br|table|thead|tbody|tr|th|td)\b)[^>]*>?|<[^>]*\s(?:href|src|style|on\w+)\s*=/gi;

function assertInert(made: string, given: string): void {
  for (const [name, rendered] of [
    ['marked', ofVscode.parse(made, { async: false })],
    ['markdown-it', strict.render(made)],
  ] as const) {
    const plain = rendered
      // What these renderers write themselves.
      .replaceAll(/<code class="language-[^"]*">/g, '<code>')
      .replaceAll(/<t([dh]) (?:align="\w+"|style="text-align:\w+")>/g, '<t$1>')
      .replaceAll(/<ol start="\d+">/g, '<ol>');
    assert.deepEqual(
      plain.match(ACTS) ?? [],
      [],
      `${name}: ${JSON.stringify(given)} as ${JSON.stringify(made)}`,
    );
  }
}

test('nothing of the corpus becomes a link, a picture or HTML in a comment thread or a hover', () => {
  assert.ok(markdownAttacks.length >= 90, `expected a corpus, got ${markdownAttacks.length}`);
  const soFar = { draft: '', replaced: '', text: '', stage: '', foot: '' };
  const range = {
    uri: 'file:///a.ts',
    startLine: 0,
    startCharacter: 0,
    endLine: 1,
    endCharacter: 0,
  };
  for (const attack of markdownAttacks) {
    assertInert(inertMarkdown(attack), attack);
    assertInert(
      explanationMarkdown({ ...soFar, text: attack, foot: attack }, true, english),
      attack,
    );
    assertInert(
      explanationMarkdown(
        { ...soFar, draft: attack, replaced: attack, stage: attack },
        false,
        english,
      ),
      attack,
    );
    const kept = {
      codeHash: 'h',
      task: 'explain',
      promptId: 'p',
      text: attack,
      line: attack,
      stale: false,
      range,
    } as const;
    const { contents } = hoverOf([kept, { ...kept, task: 'question' }], true, serverEnglish);
    assertInert((contents as { value: string }).value, attack);
  }
});

/** Found by chance on 26 November 2026: marked took the escaped bracket for a link's while it looked for the emphasis. */
const BESIDE_EMPHASIS = '[`](https://evil.example)`*`*[x](https://evil.example)`';

/** Found the same way the same day: marked takes a tilde and the backticks after it as one piece of text, and no code begins. */
const AFTER_TILDE = '~`![x](https://evil.example/p.png)`';

test('the two corpora together, in any order and cut anywhere, as a stream would show them', () => {
  const piece = fc.oneof(
    fc.constantFrom(...markdownAttacks),
    fc.constantFrom(
      '`',
      '``',
      '```',
      '~~~',
      '|',
      '\\',
      '[',
      ']',
      '(',
      ')',
      '!',
      '<',
      '>',
      '\n',
      '\n\n',
      '- ',
      '> ',
      '    ',
      '\t',
      '| - | - |\n',
      'https://evil.example',
      'www.',
      '@',
      '\r',
    ),
    fc.constantFrom(
      ...[
        '*',
        '**',
        '_',
        '~',
        '~~',
        '`a`',
        '\\`',
        '\\[',
        '&#96;',
        '&lt;',
        ' ',
        'a',
        '# ',
        '1. ',
        '\n  ',
      ],
      ...[
        '[x]',
        '](https://evil.example)',
        '[x](https://evil.example)',
        '<https://evil.example>',
        '<img src=x>',
      ],
      ...['---\n', '| a | b |\n', '[x]: https://evil.example\n', '[^1]', '\t- '],
    ),
    fc.string({ maxLength: 5 }),
  );
  const texts = fc
    .tuple(fc.array(piece, { maxLength: 8 }), fc.nat(400))
    .map(([pieces, cut]) => pieces.join('').slice(0, cut));
  fc.assert(
    fc.property(texts, (text) => assertInert(inertMarkdown(text), text)),
    { numRuns: 3000, examples: [[BESIDE_EMPHASIS], [AFTER_TILDE]] },
  );
});

test('code, emphasis, lists and tables stay what they are', () => {
  const rows: readonly (readonly [given: string, wanted: string])[] = [
    ['use `vec![1, 2]` and `a < b` here', 'use `vec![1, 2]` and `a < b` here'],
    ['```rust\nlet a = vec![1];\n```', '```rust\nlet a = vec![1];\n```'],
    ['a\n```ts\nif (a < b) {}\n```\nb', 'a\n\n```ts\nif (a < b) {}\n```\n\nb'],
    ['- a\n  ```ts\n  x[0]\n  ```', '- a\n\n```ts\nx[0]\n```'],
    ['````\n```\n````', '````\n```\n````'],
    ['```ts\nstill growing', '```ts\nstill growing\n```'],
    ['**bold** _it_ 1 * 2', '**bold** _it_ 1 * 2'],
    ['| a | b |\n| - | - |\n| `x|y` | z |', '| a | b |\n| - | - |\n| `x|y` | z |'],
    ['a[0] < b', 'a&#91;0] &lt; b'],
    ['[docs](https://example.com)', '&#91;docs](https\\://example.com)'],
  ];
  for (const [given, wanted] of rows) assert.equal(inertMarkdown(given), wanted);
  const shown = ofVscode.parse(inertMarkdown('a[0] < b, [docs](https://example.com), x@y.z'), {
    async: false,
  });
  assert.equal(
    // A page shows the reference as what it stands for.
    shown.replaceAll('&#91;', '['),
    '<p>a[0] &lt; b, [docs](https://example.com), x@y.z</p>\n',
    'what is escaped reads as it was',
  );
});

test('a sentence in the tooltip of the status bar can not become a link either', () => {
  for (const attack of markdownAttacks) assertInert(escaped(attack), attack);
});
