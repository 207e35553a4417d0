/** Value of an `authorization` header (RFC 7617), UTF-8. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

/** `https://user:password@host/` means Basic authentication; the request line and the Host header have no place for it. */
export function splitCredentials(text: string): { url: string; authorization?: string } {
  const url = URL.parse(text);
  // What is no URL is refused, with its reason, by whoever sends.
  if (url === null || (url.username === '' && url.password === '')) return { url: text };
  const authorization = basicAuthorization(decoded(url.username), decoded(url.password));
  url.username = '';
  url.password = '';
  return { url: url.href, authorization };
}

/** Percent-decoded, or as it stands where that is not possible (a lone `%` in a password). */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
