/** Parses the fenced code of an answer, so that a gate sees code that no compiler would take. */
import type { CheckCode } from '../core/ports.ts';
import { parserFor } from './grammars.ts';
import { codeLanguage } from './languages.ts';

/** Names that fences use and editors do not. */
const fenceNames: Readonly<Record<string, string>> = {
  ts: 'typescript',
  js: 'javascript',
  mjs: 'javascript',
  py: 'python',
  rb: 'ruby',
  rs: 'rust',
  'c++': 'cpp',
  golang: 'go',
};

/** Enough to judge an answer by; a longer one is judged by its first blocks. */
const MOST_BLOCKS = 8;
const MOST_CHARACTERS = 60_000;

export function createCodeCheck(onProblem: (message: string) => void): CheckCode {
  return async (answer) => {
    let blocks = 0;
    let broken = 0;
    for (const { language, code } of fencedBlocks(answer)) {
      const grammar = codeLanguage(fenceNames[language] ?? language)?.grammar;
      const parser =
        grammar === undefined ? undefined : await parserFor(grammar, onProblem, 'check');
      const tree = parser?.parse(code);
      if (!tree) continue;
      blocks += 1;
      if (tree.rootNode.hasError) broken += 1;
      tree.delete();
    }
    return blocks === 0 ? undefined : { blocks, broken };
  };
}

/** Closed blocks only: one that the output cap cut is another sign. */
function fencedBlocks(answer: string): { language: string; code: string }[] {
  const pieces = answer.slice(0, MOST_CHARACTERS).split('```');
  const found: { language: string; code: string }[] = [];
  for (let at = 1; at + 1 < pieces.length && found.length < MOST_BLOCKS; at += 2) {
    const block = pieces[at] ?? '';
    const lineEnd = block.indexOf('\n');
    const language = block.slice(0, Math.max(0, lineEnd)).trim().toLowerCase();
    if (language !== '') found.push({ language, code: block.slice(lineEnd + 1) });
  }
  return found;
}
