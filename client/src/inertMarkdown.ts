/**
 * Model output as Markdown that fetches nothing: images become text. VS Code already leaves out HTML and command links of
 * an untrusted text, but would load an image from anywhere, and so tell a stranger that and when it was read.
 */

/** Pure. Code stays as it is, except where it looks like an image from elsewhere. */
export function inertMarkdown(text: string): string {
  return blocksOf(text)
    .map(({ isCode, lines }) => {
      const block = withoutDefinitions(lines.join('\n'));
      return isCode ? inertCode(block) : inertProse(block);
    })
    .join('\n');
}

interface Block {
  readonly isCode: boolean;
  readonly lines: string[];
}

/** Fenced code apart from prose. A fence that this reading misses is prose, which is the safe side. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [{ isCode: false, lines: [] }];
  let fence: string | null = null;
  for (const line of text.split('\n')) {
    const found = /^ {0,3}(`{3,}|~{3,})([^`]*)$/.exec(line);
    if (fence === null && found?.[1] !== undefined) {
      fence = found[1];
      blocks.push({ isCode: true, lines: [line] });
      continue;
    }
    blocks.at(-1)?.lines.push(line);
    if (fence !== null && closes(fence, line)) {
      fence = null;
      blocks.push({ isCode: false, lines: [] });
    }
  }
  return blocks.filter(({ lines }) => lines.length > 0);
}

function closes(fence: string, line: string): boolean {
  const mark = line.trim();
  return mark.startsWith(fence) && mark === fence.charAt(0).repeat(mark.length);
}

function inertProse(text: string): string {
  return text
    .split(/(`+[^`\n]+`+)/)
    .map((part) => (part.startsWith('`') ? inertCode(part) : part.replaceAll('![', '!\\[')))
    .join('');
}

/** `vec![1, 2]` and `#![no_std]` are code; `![x](https://…)` is an image wherever the renderer sees no code. */
function inertCode(text: string): string {
  return /!\[/.test(text) && /\]\s*\(\s*<?\s*(?:\w+:)?\/\//.test(text)
    ? text.replaceAll('![', '!\\[')
    : text;
}

/** `[name]: https://…`, by which an image may be named from elsewhere in the text. */
function withoutDefinitions(text: string): string {
  return text.replaceAll(/^([ >]{0,8})\[([^\]\n]+)\]:(?=\s*<?\s*(?:\w+:)?\/\/)/gm, '$1\\[$2]:');
}
