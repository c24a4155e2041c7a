/** Every section of `npm run bench`, in the order in which they run. */
import type { Section } from './rows.ts';
import { requests } from './rows/requests.ts';

export const sections: readonly Section[] = [requests];
