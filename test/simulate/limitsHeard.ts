/** Whether a prompt asks for money under limits that its process had heard of, and that no newer ones had replaced before it began. */
import { limitsOf } from '../../server/src/core/budget.ts';
import type { BudgetLimits, ReservationRequest } from '../../server/src/core/ports.ts';
import { type Settings, settingsSchema } from '../../server/src/core/schema.ts';
import type { Life } from './scheduler.ts';
import type { Limits } from './workload.ts';

export interface LimitsHeard {
  hears(life: Life, limits: Limits): void;
  begins(life: Life, promptId: string): void;
  wereInForce(life: Life, request: ReservationRequest, limits: BudgetLimits): boolean;
}

export function createLimitsHeard(): LimitsHeard {
  const heard = new Map<Life, Settings[]>();
  const begun = new Map<string, number>();
  const of = (life: Life) => heard.get(life) ?? [];
  return {
    hears: (life, limits) => void heard.set(life, [...of(life), settingsSchema.parse(limits)]),
    begins(life, promptId) {
      const key = `${life.name} ${promptId}`;
      // Of two askings with one id, the earlier may be the one that asks for money.
      if (!begun.has(key)) begun.set(key, of(life).length - 1);
    },
    wereInForce(life, { promptId, sessionId, workspaceId }, limits) {
      const since = begun.get(`${life.name} ${promptId}`) ?? 0;
      const scope = {
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(workspaceId === undefined ? {} : { workspaceId }),
      };
      return of(life)
        .slice(since)
        .some((each) => {
          return JSON.stringify(limitsOf(each, scope)) === JSON.stringify(limits);
        });
    },
  };
}
