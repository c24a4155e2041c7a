// The docs as a site: built, and every link of it followed, those to headings too.
import { join } from 'node:path';
import { LinkChecker, LinkState } from 'linkinator';
import { failed, unless, type Verdict } from './check.ts';
import { root, say } from './programs.ts';

export async function site(): Promise<Verdict> {
  await say('npm', ['run', '--silent', 'docs:build']);
  const { links } = await new LinkChecker().check({
    path: ['**/*.html'],
    serverRoot: join(root, 'build', 'site'),
    checkFragments: true,
    linksToSkip: ['^https://'],
  });
  const here = links.filter(({ state }) => state !== LinkState.SKIPPED);
  if (here.length < 50) return failed(`expected to find the links of the site, got ${here.length}`);
  const broken = here.filter(({ state }) => state === LinkState.BROKEN);
  return unless(
    broken.map(({ url, parent }) => `${parent}: ${url}`),
    `built into build/site, ${here.length} links of it`,
  );
}
