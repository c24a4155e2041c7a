// The pages that are made and not written: from the commands, the manifest, the OpenAPI document and the schemas of files.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import { createProgram } from '../../server/src/cli/program.ts';
import { settingsSchema } from '../../server/src/core/schema.ts';
import { createApi } from '../../server/src/http/api.ts';
import { adminPolicyFile } from '../../server/src/models/adminPolicyFile.ts';
import { pricingFile } from '../../server/src/models/pricing.ts';
import { overlayFile } from '../../server/src/models/registryFile.ts';
import { trainConfigSchema } from '../../server/src/training/config.ts';
import { scriptedRouter } from '../../test/support/scriptedPorts.ts';
import { commandPage } from './commandPage.ts';
import { editorPage } from './editorPage.ts';
import { type DescribedFile, filesPage, schemaFiles } from './filesPage.ts';
import type { Page } from './markdown.ts';
import { restPage } from './restPage.ts';
import type { Schema } from './schemaText.ts';

export const root = join(import.meta.dirname, '../..');

const text = (path: string) => readFileSync(join(root, path), 'utf8');
const json = (path: string) => JSON.parse(text(path));

export async function referencePages(): Promise<readonly Page[]> {
  const files = describedFiles();
  return [
    commandPage(program()),
    editorPage(json('package.json'), json('package.nls.json')),
    restPage(await openApi()),
    filesPage(files),
    ...schemaFiles(files),
    { path: 'reference/changes.md', text: text('CHANGELOG.md').replaceAll('](docs/', '](../') },
  ];
}

/** The command line as it is called, with streams that nothing is read from. */
export function program() {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return createProgram(
    {
      stdout: nowhere,
      stderr: nowhere,
      stdin: Readable.from([]),
      env: {},
      cwd: root,
      version: json('package.json').version,
      signal: new AbortController().signal,
      createApp: () => Promise.reject(new Error('expected no command to be called')),
    },
    () => undefined,
  );
}

/** As a server gives it; the models behind it are never asked. */
export async function openApi() {
  const { router, ports } = scriptedRouter();
  const { version } = json('package.json');
  const settings = () => settingsSchema.parse({});
  const api = createApi({ router, ports, settings, token: undefined, version });
  const reply = await api.fetch(new Request('http://127.0.0.1/openapi.json'));
  return JSON.parse(await reply.text());
}

export function describedFiles(): readonly DescribedFile[] {
  return [
    {
      id: 'registry',
      title: 'registry.yaml',
      about:
        'Your models, in the data folder, laid over those that are shipped: an entry of a known id replaces it, others are added. A file that replaces the shipped one (`--registry`) has the same form and needs all of `defaults`.',
      schema: schemaOf(overlayFile),
    },
    {
      id: 'pricing',
      title: 'pricing.yaml',
      about:
        'Your prices, in the data folder, beside those that are shipped. A model without a price is refused, never taken as free.',
      schema: schemaOf(pricingFile),
    },
    {
      id: 'policy',
      title: 'policy.yaml',
      about:
        'What an administrator lays down for a machine; [Security](../SECURITY.md#the-policy-of-an-administrator) says where it is. What is there only tightens.',
      schema: schemaOf(adminPolicyFile),
    },
    {
      id: 'training',
      title: 'A training configuration',
      about:
        'For `train --config`; [Training a model of your own](../training.md) leads through it.',
      schema: schemaOf(trainConfigSchema),
    },
  ];
}

/** What a person writes, before defaults and conversions. */
function schemaOf(schema: z.ZodType): Schema {
  return JSON.parse(
    JSON.stringify(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })),
  );
}
