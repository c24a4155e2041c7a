// What every generated page is made of. VitePress reads Markdown as a template, so text of ours must not look like a tag.

export interface Page {
  /** Below `docs/`, with its ending. */
  readonly path: string;
  readonly text: string;
}

/** Text between code spans without what Markdown or a template would take for markup. */
export function prose(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) =>
      index % 2 === 1 ? part : part.replaceAll('<', '&lt;').replaceAll('{{', '{&#123;'),
    )
    .join('');
}

export function code(text: string): string {
  return `\`${text}\``;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
}

export function fenced(text: string, language: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

/** @param from what the page was made of, for whoever wants to change it */
export function page(path: string, title: string, from: string, parts: readonly string[]): Page {
  const note = `*Made from ${from} by \`npm run docs:build\`.*`;
  return { path, text: `${[`# ${title}`, ...parts, note].join('\n\n')}\n` };
}

/** The id of a heading, as GitHub makes it: a link to one works there and on the site. */
export function headingId(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}
