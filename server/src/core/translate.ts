/**
 * How a sentence gets its language: whoever makes one names the English text with its places and the facts that go there.
 * English is its own translation; an edge that speaks another language brings its own.
 */

export type Facts = Readonly<Record<string, string | number>>;

/** The English text is the key; `{name}` stands for the fact of that name. */
export type Translate = (message: string, facts?: Facts) => string;

export const english: Translate = (message, facts) => filled(message, facts);

/** A place without a fact stays visible rather than empty. */
export function filled(template: string, facts: Facts = {}): string {
  return template.replaceAll(/\{(\w+)\}/g, (place, name: string) => String(facts[name] ?? place));
}
