/** Makes a model's Markdown harmless before an editor renders it: no HTML, no images that would be fetched, no links that act. */

const FENCE = /^ {0,3}(`{3,}|~{3,})/;

export function inertMarkdown(text: string): string {
  let fence: string | undefined;
  return text
    .split('\n')
    .map((line) => {
      const [, marks] = FENCE.exec(line) ?? [];
      if (fence !== undefined) {
        // Only a fence of the same kind, at least as long, closes it.
        if (marks?.startsWith(fence) && line.trim() === marks) fence = undefined;
        return line;
      }
      if (marks !== undefined) {
        fence = marks;
        return line;
      }
      return inertLine(line);
    })
    .join('\n');
}

function inertLine(line: string): string {
  return line
    .split(/(`+[^`]*`+)/)
    .map((piece, index) =>
      // Every second piece is code between backticks, which is shown as it is.
      index % 2 === 1
        ? piece
        : piece
            .replaceAll('<', '&lt;')
            .replaceAll('![', '!\\[')
            // Only web addresses stay links; anything else could act.
            .replace(/\]\((?!\s*https?:\/\/)/gi, ']\\(')
            .replace(/^(\s{0,3}\[[^\]]*\]):/, '$1\\:'),
    )
    .join('');
}
