// Pages link to files of the repository as well (`../compose.yaml`), which the site does not have. There they become links
// into the repository, or plain text where nobody said where that is.
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';

/** What the parser of VitePress (markdown-it) offers of a document, as far as links go. */
interface Token {
  readonly type: string;
  readonly children: readonly Token[] | null;
  tag: string;
  attrGet(name: string): string | number | null;
  attrSet(name: string, value: string): void;
  attrs: unknown[] | null;
}

interface State {
  readonly tokens: readonly Token[];
  /** Of VitePress: which page it is. */
  readonly env: object;
}

interface Parser {
  readonly core: { readonly ruler: { push(name: string, rule: (state: State) => void): void } };
}

export interface Repository {
  readonly root: string;
  /** Where its files can be read: `https://host/owner/name/blob/main`. */
  readonly filesAt: string | undefined;
}

/** Throws when such a file is not there, so that the build fails as it does for pages. */
export function outsideLinks(parser: Parser, repository: Repository): void {
  parser.core.ruler.push('outside-links', ({ tokens, env }) => {
    const page = 'relativePath' in env ? String(env.relativePath) : '';
    const folder = posix.dirname(`docs/${page}`);
    for (const { children } of tokens) linksOf(children ?? [], folder, repository);
  });
}

function linksOf(tokens: readonly Token[], folder: string, repository: Repository): void {
  let textOnly = false;
  for (const token of tokens) {
    if (token.type === 'link_open') {
      const outside = outsidePath(String(token.attrGet('href') ?? ''), folder);
      if (outside === undefined) continue;
      if (!existsSync(join(repository.root, outside.path))) {
        throw new Error(`expected ${outside.path}, which a page in ${folder} links to, to exist`);
      }
      if (repository.filesAt === undefined) {
        token.tag = 'span';
        token.attrs = null;
        textOnly = true;
      } else {
        token.attrSet('href', `${repository.filesAt}/${outside.path}${outside.rest}`);
      }
    } else if (token.type === 'link_close' && textOnly) {
      token.tag = 'span';
      textOnly = false;
    }
  }
}

/** From the root of the repository; `undefined` for a link to a page or to the web. */
export function outsidePath(
  href: string,
  folder: string,
): { readonly path: string; readonly rest: string } | undefined {
  // The web, a page by its address on the site, a heading of the same page.
  if (/^([a-z][a-z0-9+.-]*:|\/|#|$)/i.test(href)) return undefined;
  const [, target = '', rest = ''] = /^([^?#]*)(.*)$/.exec(href) ?? [];
  const path = posix.normalize(posix.join(folder, decodeURI(target)));
  return path.startsWith('docs/') && path.endsWith('.md') ? undefined : { path, rest };
}
