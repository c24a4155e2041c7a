/** What the demo asks: easy and hard prompts, and invented material for those that speak of some. */
import type { ContextPart } from '../core/types.ts';

export interface DemoPrompt {
  readonly text: string;
  readonly context: readonly ContextPart[];
}

const tickets = `Mon: Customer 114 can't reset the password; the mail arrives an hour late.
Tue: Customer 87 was charged twice for March. Refunded, invoice still wrong.
Tue: Two customers ask for an export to CSV.
Thu: Login fails on Safari after the update. Fixed on Friday.
Fri: Customer 114 again: reset mail still late.`;

const email = `hey, your report was late AGAIN and half of the numbers are missing.
send me the rest today or i can't finish the slides. not ok.`;

const counter = `let pending = 0;
export async function enqueue(job: () => Promise<void>) {
  const mine = pending;
  await job();
  pending = mine + 1;
}`;

const larger = `def larger(a, b):
    return a if a > b else b`;

export const demoPrompts: readonly DemoPrompt[] = [
  { text: 'What does git status do?', context: [] },
  {
    text: 'Write a docstring for this Python function.',
    context: [{ kind: 'selection', text: larger, language: 'python', path: 'larger.py' }],
  },
  {
    text: "Summarize last week's support tickets into three bullet points.",
    context: [{ kind: 'text', text: tickets }],
  },
  {
    text: 'Rewrite this email to sound friendly and professional.',
    context: [{ kind: 'text', text: email }],
  },
  {
    text: 'Design a multi-step rollout plan and analyze trade-offs for risk mitigation.',
    context: [],
  },
  {
    text: 'Find the race condition in this function, explain under which interleaving it loses an update, and fix it without a lock.',
    context: [{ kind: 'selection', text: counter, language: 'typescript', path: 'queue.ts' }],
  },
];
