/**
 * Secrets that look real and are none: made here from a seed, kind by kind, each planted in a piece of code. Prefixes stand in
 * two parts, so that no scanner of this repository takes its own test for a leak.
 */
import { type Random, randomOf } from '../simulate/random.ts';

export interface PlantedSecret {
  readonly kind: string;
  readonly secret: string;
  /** Code with the secret in it. */
  readonly text: string;
}

type Make = (random: Random) => string;

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const HEX = '0123456789abcdef';
const ALNUM = LOWER + UPPER + DIGITS;
const BASE64 = `${ALNUM}+/`;
const BASE64URL = `${ALNUM}-_`;

function chars(random: Random, alphabet: string, length: number): string {
  return Array.from({ length }, () => random.pick([...alphabet])).join('');
}

const token =
  (prefix: readonly string[], alphabet: string, length: number, end = ''): Make =>
  (random) =>
    `${prefix.join('')}${chars(random, alphabet, length)}${end}`;

function jwt(random: Random): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = { sub: chars(random, DIGITS, 10), iat: 1_700_000_000, name: 'x' };
  return [part({ alg: 'HS256', typ: 'JWT' }), part(payload), chars(random, BASE64URL, 43)].join(
    '.',
  );
}

function pem(label: string, lines: number): Make {
  return (random) => {
    const body = Array.from({ length: lines }, () => chars(random, BASE64, 64));
    return [`-----BEGIN ${label}-----`, ...body, `-----END ${label}-----`].join('\n');
  };
}

function word(random: Random): string {
  const words = ['Tr0ub4dor', 'hunter', 'Sommer', 'kWx', 'Gr8', 'bLue', 'fjord', 'Zebra'];
  return `${random.pick(words)}${random.pick(['-', '_', '!', ''])}${chars(random, ALNUM, 6)}${random.pick([...DIGITS])}`;
}

const url =
  (scheme: string, host: string): Make =>
  (random) =>
    `${scheme}://${random.pick(['app', 'admin', 'svc_billing'])}:${word(random).replaceAll(/[!]/g, '')}@${host}`;

/** How a token of the wild stands in code: assigned, passed, in an environment file, in YAML, JSON, a shell line, a comment, a diff. */
const places: readonly ((secret: string, name: string) => string)[] = [
  (secret, name) => `export const ${camel(name)} = '${secret}';\n`,
  (secret, name) =>
    `def connect():\n    client = Client(${name}="${secret}")\n    return client.open()\n`,
  (secret, name) => `${name.toUpperCase()}=${secret}\n`,
  (secret, name) => `services:\n  app:\n    environment:\n      ${name}: ${secret}\n`,
  (secret, name) => `{\n  "name": "app",\n  "${name}": "${secret}"\n}\n`,
  (secret, name) =>
    `#!/bin/sh\nset -e\nexport ${name.toUpperCase()}="${secret}"\ncurl -s https://example.com\n`,
  (secret, name) => `// TODO move out of here, ${name}: ${secret}\nrun();\n`,
  (secret, name) =>
    `@@ -1,3 +1,3 @@\n-  ${name}: 'none',\n+  ${name}: '${secret}',\n   retries: 2,\n`,
];

function camel(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

interface Kind {
  readonly kind: string;
  readonly make: Make;
  /** What the code calls it. */
  readonly name?: string;
  /** Where it is not a token in quotes but has a form of its own. */
  readonly places?: readonly ((secret: string, name: string) => string)[];
}

const inText: readonly ((secret: string) => string)[] = [
  (secret) => `const key = \`${secret}\`;\nsign(key);\n`,
  (secret) => `KEY = """\n${secret}\n"""\n\nprint(len(KEY))\n`,
  (secret) => `data:\n  tls.key: |\n${secret.replaceAll(/^/gm, '    ')}\n`,
  (secret) => `${secret}\n`,
  (secret) => `cat > key.pem <<EOT\n${secret}\nEOT\n`,
  (secret) => `{"key": ${JSON.stringify(secret)}}\n`,
  (secret) => `${secret.replaceAll(/^/gm, '+')}\n`,
  (secret) => `/*\n${secret}\n*/\n`,
];

const passwords: readonly ((secret: string, name: string) => string)[] = [
  (secret, name) => `const ${camel(name)} = "${secret}";\n`,
  (secret, name) => `login(user="app", ${name}='${secret}')\n`,
  (secret, name) => `${name.toUpperCase()}=${secret}\n`,
  (secret, name) => `database:\n  user: app\n  ${name}: ${secret}\n`,
  (secret, name) => `{ "user": "app", "${name}": "${secret}" }\n`,
  (secret, name) => `export DB_${name.toUpperCase()}='${secret}'\n`,
  (secret, name) => `+  ${name}: "${secret}",\n`,
  (secret, name) => `spring.datasource.${name}=${secret}\n`,
];

export const secretKinds: readonly Kind[] = [
  {
    kind: 'AWS access key',
    name: 'aws_access_key_id',
    make: token(['AK', 'IA'], `${UPPER}234567`, 16),
  },
  { kind: 'AWS secret key', name: 'aws_secret_access_key', make: token([], BASE64, 40) },
  { kind: 'GitHub token', name: 'github_token', make: token(['gh', 'p_'], ALNUM, 36) },
  { kind: 'GitHub server token', name: 'token', make: token(['gh', 's_'], ALNUM, 36) },
  {
    kind: 'GitHub fine-grained token',
    name: 'gh_token',
    make: (r) => `${'github'}_${'pat'}_${chars(r, ALNUM, 22)}_${chars(r, ALNUM, 59)}`,
  },
  { kind: 'GitLab token', name: 'gitlab_token', make: token(['glp', 'at-'], BASE64URL, 20) },
  {
    kind: 'Slack bot token',
    name: 'slack_token',
    make: (r) => `xo${'xb'}-${chars(r, DIGITS, 12)}-${chars(r, DIGITS, 12)}-${chars(r, ALNUM, 24)}`,
  },
  {
    kind: 'Slack webhook',
    name: 'webhook',
    make: (r) =>
      `https://hooks.slack${'.com/serv'}ices/T${chars(r, UPPER + DIGITS, 8)}/B${chars(r, UPPER + DIGITS, 8)}/${chars(r, ALNUM, 24)}`,
  },
  { kind: 'Stripe secret key', name: 'stripe_key', make: token(['sk_', 'live_'], ALNUM, 24) },
  { kind: 'Stripe restricted key', name: 'stripe_key', make: token(['rk_', 'live_'], ALNUM, 24) },
  {
    kind: 'OpenAI key',
    name: 'openai_api_key',
    make: (r) => `sk-${'proj'}-${chars(r, ALNUM, 74)}T3Blbk${'FJ'}${chars(r, ALNUM, 74)}`,
  },
  {
    kind: 'OpenAI key, old form',
    name: 'openai_key',
    make: (r) => `sk-${chars(r, ALNUM, 20)}T3Blbk${'FJ'}${chars(r, ALNUM, 20)}`,
  },
  {
    kind: 'Anthropic key',
    name: 'anthropic_key',
    make: token(['sk-ant', '-api03-'], BASE64URL, 93, 'AA'),
  },
  { kind: 'Google API key', name: 'google_key', make: token(['AI', 'za'], BASE64URL, 35) },
  {
    kind: 'Google client secret',
    name: 'client_secret',
    make: token(['GOC', 'SPX-'], BASE64URL, 28),
  },
  {
    kind: 'Google service account',
    make: (r) =>
      JSON.stringify(
        {
          type: 'service_account',
          private_key_id: chars(r, HEX, 40),
          private_key: `${pem('PRIVATE KEY', 6)(r)}\n`,
          client_email: 'app@example.iam.gserviceaccount.com',
        },
        null,
        2,
      ),
    places: [(secret) => `${secret}\n`, (secret) => `const account = ${secret};\n`],
  },
  {
    kind: 'Azure storage key',
    make: (r) =>
      `DefaultEndpointsProtocol=https;AccountName=app;AccountKey=${chars(r, BASE64, 86)}==;EndpointSuffix=core.windows.net`,
    name: 'connection',
  },
  {
    kind: 'Azure client secret',
    name: 'client_secret',
    make: (r) => `${chars(r, ALNUM, 3)}8Q~${chars(r, `${BASE64URL}~.`, 34)}`,
  },
  { kind: 'npm token', name: 'npm_token', make: token(['np', 'm_'], ALNUM, 36) },
  {
    kind: 'npmrc line',
    make: (r) => `//registry.example.com/:_auth${'Token'}=${chars(r, ALNUM, 36)}`,
    places: [(secret) => `${secret}\n`, (secret) => `echo "${secret}" > .npmrc\n`],
  },
  {
    kind: 'PyPI token',
    name: 'pypi_token',
    make: token(['pypi-', 'AgEIcHlwaS5vcmc'], BASE64URL, 120),
  },
  { kind: 'Twilio key', name: 'twilio_key', make: token(['S', 'K'], HEX, 32) },
  { kind: 'Twilio auth token', name: 'twilio_auth_token', make: token([], HEX, 32) },
  {
    kind: 'SendGrid key',
    name: 'sendgrid_key',
    make: (r) => `S${'G'}.${chars(r, BASE64URL, 22)}.${chars(r, BASE64URL, 43)}`,
  },
  { kind: 'RSA private key', make: pem(`${'RSA'} PRIVATE KEY`, 12), places: inText },
  { kind: 'EC private key', make: pem(`${'EC'} PRIVATE KEY`, 3), places: inText },
  { kind: 'OpenSSH private key', make: pem(`${'OPENSSH'} PRIVATE KEY`, 6), places: inText },
  { kind: 'PKCS8 private key', make: pem(`${'PRIVATE'} KEY`, 12), places: inText },
  { kind: 'PGP private key', make: pem(`${'PGP'} PRIVATE KEY BLOCK`, 12), places: inText },
  {
    kind: 'age key',
    name: 'age_key',
    make: token(['AGE-SECRET', '-KEY-1'], 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58),
  },
  { kind: 'JWT', name: 'session', make: jwt },
  {
    kind: 'Bearer header',
    make: token([], ALNUM, 40),
    places: [
      (secret) => `fetch(url, { headers: { Authorization: 'Bearer ${secret}' } });\n`,
      (secret) => `curl -H "Authorization: Bearer ${secret}" https://api.example.com/v1\n`,
      (secret) => `headers = {"Authorization": "Bearer ${secret}"}\n`,
    ],
  },
  {
    kind: 'Basic header',
    make: (r) => Buffer.from(`admin:${word(r)}`).toString('base64'),
    places: [
      (secret) => `headers.set('Authorization', 'Basic ${secret}');\n`,
      (secret) => `curl -H "Authorization: Basic ${secret}" https://api.example.com/v1\n`,
    ],
  },
  { kind: 'PostgreSQL URL', name: 'database_url', make: url('postgresql', 'db.internal:5432/app') },
  { kind: 'MySQL URL', name: 'database_url', make: url('mysql', 'db.internal:3306/app') },
  { kind: 'MongoDB URL', name: 'mongo_url', make: url('mongodb+srv', 'cluster0.mongodb.net/app') },
  { kind: 'Redis URL', name: 'redis_url', make: url('redis', 'cache.internal:6379/0') },
  { kind: 'AMQP URL', name: 'broker_url', make: url('amqp', 'mq.internal:5672/') },
  { kind: 'URL with a password', name: 'feed', make: url('https', 'feeds.internal/a') },
  {
    kind: 'SQL Server string',
    name: 'connection',
    make: (r) => `Server=db.internal;Database=app;User Id=sa;Password=${word(r)};`,
  },
  { kind: 'password', name: 'password', make: word, places: passwords },
  { kind: 'passwd', name: 'passwd', make: word, places: passwords },
  { kind: 'secret', name: 'client_secret', make: token([], ALNUM, 32), places: passwords },
  { kind: 'API key', name: 'api_key', make: token([], HEX, 40), places: passwords },
  { kind: 'access token', name: 'access_token', make: token([], ALNUM, 40), places: passwords },
  { kind: 'Hugging Face token', name: 'hf_token', make: token(['h', 'f_'], ALNUM, 34) },
  {
    kind: 'Telegram bot token',
    name: 'bot_token',
    make: (r) => `${chars(r, DIGITS, 10)}:AA${chars(r, BASE64URL, 33)}`,
  },
  {
    kind: 'Discord webhook',
    name: 'webhook',
    make: (r) =>
      `https://discord${'.com/api/webh'}ooks/${chars(r, DIGITS, 18)}/${chars(r, BASE64URL, 68)}`,
  },
  { kind: 'DigitalOcean token', name: 'do_token', make: token(['dop', '_v1_'], HEX, 64) },
  { kind: 'Shopify token', name: 'shopify_token', make: token(['shp', 'at_'], HEX, 32) },
  { kind: 'Vault token', name: 'vault_token', make: token(['hv', 's.'], BASE64URL, 95) },
  { kind: 'Databricks token', name: 'databricks_token', make: token(['da', 'pi'], HEX, 32) },
  { kind: 'Groq key', name: 'groq_key', make: token(['gs', 'k_'], ALNUM, 52) },
  { kind: 'Linear key', name: 'linear_key', make: token(['lin_', 'api_'], ALNUM, 40) },
  { kind: 'Mailgun key', name: 'mailgun_key', make: token(['ke', 'y-'], HEX, 32) },
  {
    kind: 'Docker login',
    make: (r) =>
      `{"auths":{"registry.example.com":{"auth":"${Buffer.from(`ci:${word(r)}`).toString('base64')}"}}}`,
    places: [(secret) => `${secret}\n`, (secret) => `config.json: '${secret}'\n`],
  },
  {
    kind: 'command line',
    make: word,
    places: [
      (secret) => `mysqldump --user app --password=${secret} app > dump.sql\n`,
      (secret) => `curl -u app:${secret} https://api.internal/v1/run\n`,
      (secret) => `sshpass -p ${secret} ssh app@build.internal\n`,
      (secret) => `docker login --username ci --password ${secret} registry.internal\n`,
    ],
  },
  {
    kind: 'address with a token',
    make: token([], ALNUM, 32),
    places: [
      (secret) => `await fetch('https://api.internal/v1/jobs?api_key=${secret}');\n`,
      (secret) => `GET https://api.internal/v1/jobs?limit=1&access_token=${secret}\n`,
      (secret) => `wget "https://files.internal/a.tgz?token=${secret}"\n`,
    ],
  },
  {
    kind: 'handed to a function',
    make: word,
    places: [
      (secret) => `dataSource.setPassword("${secret}");\n`,
      (secret) => `builder.username("app").password("${secret}").build();\n`,
      (secret) => `var login = new NetworkCredential("app", "${secret}");\n`,
      (secret) => `requests.get(url, auth=('app', '${secret}'))\n`,
    ],
  },
  {
    kind: 'in another language',
    make: word,
    places: [
      (secret) => `passwort = "${secret}"\n`,
      (secret) => `kennwort: ${secret}\n`,
      (secret) => `String contrasena = "${secret}";\n`,
      (secret) => `mot_de_passe = '${secret}'\n`,
    ],
  },
  // What no pattern sees, so that the recall says what it is: no name, no form of its own, or taken apart.
  {
    kind: 'in prose',
    make: word,
    places: [
      (secret) => `# the database password is ${secret}, ask Kim for a new one\n`,
      (secret) => `Please log in as admin with ${secret} and restart it.\n`,
    ],
  },
  {
    kind: 'taken apart',
    make: token([], ALNUM, 36),
    places: [
      (secret) => `const token = 'gh' + 'p_' + '${secret.slice(0, 18)}' + '${secret.slice(18)}';\n`,
      (secret) => `const secret = ['${secret.slice(0, 9)}', '${secret.slice(9, 18)}'].join('');\n`,
    ],
  },
  {
    kind: 'without a name',
    make: token([], HEX, 64),
    places: [(secret) => `sign(payload, '${secret}');\n`, (secret) => `${secret}\n`],
  },
];

const PER_KIND = 8;

export function plantedSecrets(seed: number): readonly PlantedSecret[] {
  const random = randomOf(seed);
  return secretKinds.flatMap(({ kind, make, name = 'key', places: own = places }) =>
    Array.from({ length: PER_KIND }, (_, index) => {
      const secret = make(random);
      const place = own[index % own.length] as (secret: string, name: string) => string;
      return { kind, secret, text: `${before(random)}${place(secret, name)}${after(random)}` };
    }),
  );
}

function before(random: Random): string {
  return random.pick([
    '',
    "import { readFile } from 'node:fs/promises';\n\n",
    'import os\n\n\nclass App:\n    retries = 3\n\n',
    '# settings of the service\n',
    'package main\n\nimport "fmt"\n\n',
  ]);
}

function after(random: Random): string {
  return random.pick([
    '',
    '\nexport function run(): void {\n  console.log(1 + 1);\n}\n',
    '\nif __name__ == "__main__":\n    main()\n',
    '\n# end\n',
  ]);
}
