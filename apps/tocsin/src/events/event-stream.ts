/** One dispatched block of a stream of Server-Sent Events. */
export interface StreamBlock {
  /** The last id there was, also where this block only told how far the server has looked. */
  id: string | undefined;
  /** Undefined where the block held no data: a heartbeat. */
  data: string | undefined;
}

/**
 * Reads Server-Sent Events (HTML Living Standard § 9.2.6) from bytes in whatever pieces they come. What is unfinished at the end is
 * dropped, as the standard says: it comes again after a reconnect.
 */
export async function* readEventStream(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamBlock, void, undefined> {
  const decoder = new TextDecoder('utf-8');
  let text = '';
  let id: string | undefined;
  let seen = false;
  let data: string[] = [];
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(text);
      if (end === null) break;
      const line = text.slice(0, end.index);
      text = text.slice(end.index + end[0].length);
      if (line === '') {
        if (seen) yield { id, data: data.length === 0 ? undefined : data.join('\n') };
        data = [];
        seen = false;
        continue;
      }
      const { name, value } = fieldOf(line);
      if (name === 'data') data.push(value);
      if (name === 'id' && !value.includes('\0')) id = value;
      seen = true;
    }
  }
}

function fieldOf(line: string): { name: string; value: string } {
  const colon = line.indexOf(':');
  if (colon === -1) return { name: line, value: '' };
  const value = line.slice(colon + 1);
  return { name: line.slice(0, colon), value: value.startsWith(' ') ? value.slice(1) : value };
}
