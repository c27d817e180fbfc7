/** The same random numbers every time: [0, 1), by Park and Miller's generator. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
