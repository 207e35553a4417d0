/**
 * Escapes what must not stand in one NATS token: every character outside `plain` becomes `<escape>XX` for each byte of its UTF-8,
 * upper-case hex. Reversible, because `escape` itself is never in `plain`. The empty text is a lone escape character, which
 * cannot come about otherwise.
 * @param plain matches a text of such characters only, whatever its length
 */
export function escapeToken(text: string, escape: '%' | '=', plain: RegExp): string {
  if (text === '') return escape;
  if (plain.test(text)) return text;
  let out = '';
  for (const character of text) {
    if (plain.test(character)) {
      out += character;
      continue;
    }
    for (const byte of Buffer.from(character, 'utf8')) out += escape + byte.toString(16).toUpperCase().padStart(2, '0');
  }
  return out;
}

/** The inverse of {@link escapeToken}; undefined if `token` was not made by it. */
export function unescapeToken(token: string, escape: '%' | '='): string | undefined {
  if (token === escape) return '';
  const bytes: number[] = [];
  for (let index = 0; index < token.length; index++) {
    if (token[index] !== escape) {
      bytes.push(token.charCodeAt(index));
      continue;
    }
    const hex = token.slice(index + 1, index + 3);
    if (!/^[0-9A-F]{2}$/.test(hex)) return undefined;
    bytes.push(Number.parseInt(hex, 16));
    index += 2;
  }
  return Buffer.from(bytes).toString('utf8');
}
