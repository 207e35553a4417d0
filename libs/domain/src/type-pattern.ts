/**
 * Does the event type match the pattern? `*` stands for one segment or, as the last one, for all that follow (at least one):
 * `io.tocsin.node.*`, `io.tocsin.*.offline`, `com.acme.*`. A lone `*` matches everything.
 */
export function typeMatches(pattern: string, type: string): boolean {
  const wanted = pattern.split('.');
  const segments = type.split('.');
  for (const [index, part] of wanted.entries()) {
    if (index >= segments.length) return false;
    if (part === '*') {
      if (index === wanted.length - 1) return true;
      continue;
    }
    if (part !== segments[index]) return false;
  }
  return wanted.length === segments.length;
}
