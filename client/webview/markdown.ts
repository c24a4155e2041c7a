/**
 * A model's Markdown as inert elements. Raw HTML stays text, links show their address and lead nowhere, pictures show
 * their words, so an answer can neither run anything nor reach out. This is the one place that parses markup.
 */
import MarkdownIt from 'markdown-it';
import type { CodeAction } from '../src/webviewMessages.ts';
import { button, el } from './dom.ts';
import { t } from './strings.ts';

const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });
const { escapeHtml } = markdown.utils;

markdown.renderer.rules['link_open'] = (tokens, index) =>
  `<span class="link" title="${escapeHtml(openingHref(tokens, index))}">`;
markdown.renderer.rules['link_close'] = (tokens, index) => {
  const href = openingHref(tokens, index);
  return `</span><span class="address"> (${escapeHtml(href)})</span>`;
};
markdown.renderer.rules['image'] = (tokens, index) =>
  `<span class="link">${escapeHtml(tokens[index]?.content ?? '')}</span>`;
markdown.renderer.rules['fence'] = (tokens, index) => codeBlock(tokens[index]);
markdown.renderer.rules['code_block'] = (tokens, index) => codeBlock(tokens[index]);

export type OnCode = (action: CodeAction, code: string, language: string) => void;

/** Draws `text` into `target`. Without `onCode` the code blocks have no buttons: the text is still growing. */
export function renderMarkdown(target: HTMLElement, text: string, onCode: OnCode | null): void {
  // Safe: markdown-it with `html: false` escapes everything, and the rules above add only what stands in them.
  target.innerHTML = markdown.render(text);
  for (const block of target.querySelectorAll<HTMLElement>('.code')) {
    const code = block.querySelector('code')?.textContent ?? '';
    const language = block.dataset['language'] ?? '';
    const head = el('div', { class: 'code-head' }, [
      el('span', { class: 'code-language', text: language === '' ? t('code') : language }),
    ]);
    if (onCode) {
      head.append(
        button(t('Copy'), () => onCode('copy', code, language), { label: t('Copy this code') }),
        button(t('Insert'), () => onCode('insert', code, language), {
          label: t('Insert this code at the cursor'),
        }),
        button(t('Diff'), () => onCode('diff', code, language), {
          label: t('Compare this code with the selection'),
        }),
      );
    }
    block.prepend(head);
  }
}

interface CodeToken {
  readonly content: string;
  readonly info: string;
}

function codeBlock(token: CodeToken | undefined): string {
  const language = token?.info.trim().split(/\s+/)[0] ?? '';
  return `<div class="code" data-language="${escapeHtml(language)}"><pre tabindex="0"><code>${escapeHtml(token?.content ?? '')}</code></pre></div>`;
}

interface LinkToken {
  readonly type: string;
  attrGet(name: string): string | number | null;
}

function openingHref(tokens: readonly LinkToken[], close: number): string {
  for (let index = close; index >= 0; index -= 1) {
    if (tokens[index]?.type === 'link_open') return String(tokens[index]?.attrGet('href') ?? '');
  }
  return '';
}
