// The site of `npm run docs:build`: the pages of docs/ as they stand, and those that are made, with a search in the browser.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { headingId } from '../../scripts/docs/markdown.ts';
import { outsideLinks } from '../../scripts/docs/outsideLinks.ts';
import { sitePlan } from '../../scripts/docs/sitePlan.ts';

// VitePress is started in the root of the repository.
const root = process.cwd();
const { DOCS_BASE, GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_SHA } = process.env;
const { description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Known in a workflow; a build elsewhere has no repository to link to. */
const repositoryAt =
  GITHUB_SERVER_URL && GITHUB_REPOSITORY ? `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}` : undefined;

export default defineConfig({
  title: 'Cost-Aware Router',
  description,
  base: DOCS_BASE ?? '/',
  outDir: '../build/site',
  cacheDir: '../.cache/vitepress',
  lastUpdated: false,
  // Values are longer than a column may be; the name in the first one stays whole.
  head: [['style', {}, '.vp-doc td + td code { overflow-wrap: anywhere; }']],
  markdown: {
    anchor: { slugify: headingId },
    config: (parser) =>
      outsideLinks(parser, {
        root,
        filesAt: repositoryAt && `${repositoryAt}/blob/${GITHUB_SHA ?? 'HEAD'}`,
      }),
  },
  // Pictures of the README lie outside docs/.
  vite: { server: { fs: { allow: [root] } } },
  themeConfig: {
    nav: [
      { text: 'Tutorial', link: '/tutorial' },
      { text: 'Command line', link: '/CLI' },
      { text: 'Changes', link: '/reference/changes' },
    ],
    sidebar: sitePlan.map(({ text, items }) => ({ text, items: [...items] })),
    outline: [2, 3],
    search: { provider: 'local' },
    socialLinks: repositoryAt === undefined ? [] : [{ icon: 'github', link: repositoryAt }],
  },
});
