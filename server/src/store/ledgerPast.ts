/** Everything in the ledger's database that is told and not spent: answers, routes, audits, and a month's sums over them. */
import type { DatabaseSync } from 'node:sqlite';
import { openAudits } from './ledgerAudits.ts';
import { openAnswers } from './ledgerReports.ts';
import { openRoutes } from './ledgerRoutes.ts';

export function openPast(db: DatabaseSync) {
  const [answers, routes, audits] = [openAnswers(db), openRoutes(db), openAudits(db)];
  return {
    answers,
    routes,
    audits,
    sums: (month: string) => ({ ...answers.sums(month), audits: audits.sums(month) }),
    report: (month: string) => ({ ...routes.month(month), audits: audits.sums(month) }),
  };
}
