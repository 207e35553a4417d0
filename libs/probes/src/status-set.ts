/** Is the status in the set of `200`, `2xx` and `200-299`? */
export function statusMatches(set: readonly string[], status: number): boolean {
  return set.some((entry) => {
    if (entry.endsWith('xx')) return Math.floor(status / 100) === Number(entry[0]);
    const [from, to] = entry.split('-').map(Number);
    return from !== undefined && status >= from && status <= (to ?? from);
  });
}
