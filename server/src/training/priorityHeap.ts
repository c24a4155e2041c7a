/** A binary heap in an array: whatever precedes all others is taken first. */
type Precedes<T> = (a: T, b: T) => boolean;

export function pushHeap<T>(heap: T[], item: T, precedes: Precedes<T>): void {
  let at = heap.length;
  heap.push(item);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !precedes(item, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = item;
}

export function popHeap<T>(heap: T[], precedes: Precedes<T>): T | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = at * 2 + 1;
    const [a, b] = [heap[child], heap[child + 1]];
    if (a === undefined) break;
    if (b !== undefined && precedes(b, a)) child += 1;
    const best = heap[child];
    if (best === undefined || !precedes(best, last)) break;
    heap[at] = best;
    at = child;
  }
  heap[at] = last;
  return top;
}
