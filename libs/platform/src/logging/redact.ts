const REDACTED = '[redacted]';

/** Names of fields whose value never goes out, whatever it is. */
const SECRET_FIELDS =
  'authorization|proxy-authorization|cookie|set-cookie|password|passwd|secret|secrets|token|apiKey|api_key|masterKey';

// A finished log line is rewritten rather than the object before it, so that nothing escapes by depth, by an error's message or by
// a field bound to a child logger.
const SECRET_NAME = new RegExp(`"(?:${SECRET_FIELDS})":`, 'gi');
// The same within a string that is itself JSON, such as the head of a body.
const QUOTED_SECRET = new RegExp(`(\\\\"(?:${SECRET_FIELDS})\\\\":\\s*)\\\\"[^"\\\\]*\\\\"`, 'gi');
const JSON_SCALAR = /"(?:[^"\\]|\\.)*"|[^,}\]]*/y;
const JSON_BRACKET = /"(?:[^"\\]|\\.)*"|[[\]{}]/g;

const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>\\/?#]*@/gi;
// Passwords in connection strings are not always percent-encoded: here anything up to the last @ is taken for the credentials.
const CONNECTION_CREDENTIALS = /\b((?:postgres|postgresql|nats|tls):\/\/)[^\s"'<>\\,]*@/gi;
const URL_QUERY = /\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>\\?#]*)[?#][^\s"'<>\\]*/gi;

/** Takes the credentials, query and fragment out of every URL in a text. */
export function redactUrls(text: string): string {
  if (!text.includes('://')) return text;
  return text.replace(CONNECTION_CREDENTIALS, '$1***@').replace(URL_CREDENTIALS, '$1***@').replace(URL_QUERY, '$1?***');
}

/** Takes secrets out of a finished JSON log line. */
export function redactLine(line: string): string {
  let redacted = '';
  let done = 0;
  for (const match of line.matchAll(SECRET_NAME)) {
    const start = match.index + match[0].length;
    if (start < done) continue;
    redacted += `${line.slice(done, start)}"${REDACTED}"`;
    done = endOfValue(line, start);
  }
  redacted += line.slice(done);
  return redactUrls(redacted.replace(QUOTED_SECRET, `$1\\"${REDACTED}\\"`));
}

/** Where the JSON value that begins at `start` ends. */
function endOfValue(line: string, start: number): number {
  if (line[start] !== '{' && line[start] !== '[') {
    JSON_SCALAR.lastIndex = start;
    return start + (JSON_SCALAR.exec(line)?.[0].length ?? 0);
  }
  let depth = 0;
  JSON_BRACKET.lastIndex = start;
  for (let match = JSON_BRACKET.exec(line); match !== null; match = JSON_BRACKET.exec(line)) {
    if (match[0] === '{' || match[0] === '[') depth += 1;
    else if (match[0] === '}' || match[0] === ']') depth -= 1;
    if (depth === 0) return JSON_BRACKET.lastIndex;
  }
  return line.length;
}

/** Paths of our own API that hold a secret themselves: the token of a heartbeat. */
const SECRET_PATH = /(\/v1\/heartbeats\/)[^/?#]+/;

/** Takes the secret out of a path of our own API. */
export function redactPath(path: string): string {
  return path.replace(SECRET_PATH, '$1***');
}

/**
 * What may be shown of a URL that somebody was given in confidence: scheme, host and port. Chat services put the secret into the path.
 */
export function redactedOrigin(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null || parsed.host === '' ? REDACTED : `${parsed.protocol}//${parsed.host}`;
}
