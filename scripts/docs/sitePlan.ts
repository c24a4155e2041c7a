// Which page is of which kind (https://diataxis.fr): to learn by doing, to get one thing done, to look up, to understand.

interface Link {
  readonly text: string;
  /** Of a page below `docs/`, without its ending; a heading may follow. */
  readonly link: string;
}

export interface Kind {
  readonly text: string;
  readonly items: readonly Link[];
}

export const sitePlan: readonly Kind[] = [
  { text: 'Tutorial', items: [{ text: 'Your first hour', link: '/tutorial' }] },
  {
    text: 'How to',
    items: [
      { text: 'Use it in any editor', link: '/EDITORS' },
      { text: 'Call it over REST', link: '/REST' },
      { text: 'Use a client of OpenAI', link: '/REST#for-clients-of-openai' },
      { text: 'Serve other machines', link: '/REST#from-other-machines' },
      { text: 'Run it for a team', link: '/TEAM' },
      { text: 'Watch it with Prometheus', link: '/REST#watching-it' },
      { text: 'Calibrate a local model', link: '/ROUTING#calibrating' },
      { text: 'Measure the quality kept', link: '/ROUTING#the-audit-quality-that-is-measured' },
      { text: 'Hold the bill against OpenAI’s', link: '/MONEY#checking-against-the-provider' },
      { text: 'Mend a ledger', link: '/MONEY#when-storage-fails' },
      { text: 'Lay down a policy', link: '/SECURITY#the-policy-of-an-administrator' },
      { text: 'Train a model of your own', link: '/training' },
    ],
  },
  {
    text: 'Reference',
    items: [
      { text: 'Command line', link: '/CLI' },
      { text: 'Commands: --help', link: '/reference/commands' },
      { text: 'REST: calls and shapes', link: '/reference/rest' },
      { text: 'VS Code: settings, commands', link: '/reference/vscode' },
      { text: 'Files', link: '/reference/files' },
      { text: 'How limits change a route', link: '/LIMITS' },
      { text: 'Protocol of editors', link: '/PROTOCOL' },
      { text: 'Glossary', link: '/GLOSSARY' },
      { text: 'Dependencies', link: '/DEPENDENCIES' },
      { text: 'Changes', link: '/reference/changes' },
    ],
  },
  {
    text: 'Explanation',
    items: [
      { text: 'How a prompt is routed', link: '/ROUTING' },
      { text: 'The promise about money', link: '/MONEY' },
      { text: 'Security', link: '/SECURITY' },
      { text: 'Architecture', link: '/ARCHITECTURE' },
      { text: 'Performance', link: '/PERFORMANCE' },
      { text: 'Beside other programs', link: '/COMPARISON' },
    ],
  },
];
