/** How a command ends, as a number for scripts. docs/CLI.md and `--help` list the same codes. */
import { assertNever, type FailureCode } from '../core/errors.ts';

export const exitCodes = {
  ok: 0,
  internal: 1,
  usage: 2,
  refused: 3,
  unavailable: 4,
  /** Two records of the same money differ. */
  differs: 5,
  cancelled: 130,
} as const;

export const exitCodesHelp = `
Exit codes:
  0    done
  1    internal error
  2    wrong usage or bad input
  3    refused by a limit: cost, budget, privacy or context
  4    a model, its provider or the ledger is not available (no key, no file, an outage)
  5    two records of money differ (statement, ledger compare)
  130  cancelled`;

export function exitCodeOf(code: FailureCode): number {
  switch (code) {
    case 'bad_request':
    case 'unknown_model':
    case 'duplicate_request':
      return exitCodes.usage;
    case 'cost_limit':
    case 'budget_exhausted':
    case 'privacy_floor':
    case 'context_limit':
    case 'capability_missing':
      return exitCodes.refused;
    case 'bad_key':
    case 'no_api_key':
    case 'quota_exceeded':
    case 'rate_limited':
    case 'provider_unavailable':
    case 'timeout':
    case 'stream_cut':
    case 'refusal':
    case 'model_missing':
    case 'model_too_big':
    case 'model_crashed':
    case 'too_busy':
    case 'unknown_price':
    case 'ledger_unavailable':
      return exitCodes.unavailable;
    case 'cancelled':
      return exitCodes.cancelled;
    case 'internal':
      return exitCodes.internal;
    default:
      return assertNever(code);
  }
}
