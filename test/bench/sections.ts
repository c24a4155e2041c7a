/** Every section of `npm run bench`, in the order in which they run. */

import { dashboard } from './rows/dashboard.ts';
import { decision } from './rows/decision.ts';
import { editor } from './rows/editor.ts';
import { explain } from './rows/explain.ts';
import { ledger } from './rows/ledger.ts';
import { local } from './rows/local.ts';
import { memory } from './rows/memory.ts';
import { requests } from './rows/requests.ts';
import type { Section } from './rows.ts';

export const sections: readonly Section[] = [
  decision,
  requests,
  local,
  explain,
  ledger,
  memory,
  dashboard,
  editor,
];
