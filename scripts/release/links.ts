// Links of the docs: of the pages as they stand in the repository, and of the site that is built of them.
import { join } from 'node:path';
import { type CheckOptions, LinkChecker, LinkState } from 'linkinator';
import { failed, unless, type Verdict } from './check.ts';
import { root, say } from './programs.ts';

export async function pageLinks(): Promise<Verdict> {
  return await linksVerdict(20, 'inside the repository; addresses elsewhere are not called', {
    // Relative to the folder that this runs in, which is the root.
    path: [
      ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'models/README.md'],
      // Pages that the site makes for itself lie deeper, and are checked there.
      ...['docs/*.md', 'media/**/*.md'],
    ],
    markdown: true,
    directoryListing: true,
  });
}

export async function site(): Promise<Verdict> {
  await say('npm', ['run', '--silent', 'docs:build']);
  const serverRoot = join(root, 'build', 'site');
  return await linksVerdict(50, 'of the site in build/site', { path: ['**/*.html'], serverRoot });
}

async function linksVerdict(atLeast: number, said: string, options: CheckOptions) {
  const { links } = await new LinkChecker().check({
    ...options,
    checkFragments: true,
    // The addresses of others come and go; a release does not wait for them.
    linksToSkip: ['^https://'],
  });
  const here = links.filter(({ state }) => state !== LinkState.SKIPPED);
  if (here.length < atLeast) {
    return failed(`expected at least ${atLeast} links, got ${here.length}`);
  }
  const broken = here.filter(({ state }) => state === LinkState.BROKEN);
  return unless(
    broken.map(({ url, parent }) => `${parent}: ${url}`),
    `${here.length} ${said}`,
  );
}
