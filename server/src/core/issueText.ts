/** A validator's issue in the words of all our errors. */
import { z } from 'zod';

/** `expected string, got nothing`: names types and limits, never the value that came. */
export function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'expected only known fields, got another';
  return issue.message
    .replace(/^[A-Z][a-z ]+: (?=expected)/, '')
    .replace(', received undefined', ', got nothing')
    .replace(', received ', ', got ')
    .replace('expected int,', 'expected whole number,')
    .replace('to be <=', 'of at most ')
    .replace('to be >=', 'of at least ')
    .replace('to be >', 'above ');
}

/** `context[0].text`, the unknown field itself among them; `undefined` for the value as a whole. */
export function issuePath(issue: z.core.$ZodIssue): string | undefined {
  const path =
    issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path;
  // The name of an unknown field is the sender's own text, of any length.
  return path.length === 0 ? undefined : z.core.toDotPath(path).slice(0, 200);
}
